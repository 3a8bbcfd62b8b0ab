//! What a message is known by.

use blake2::{Blake2s256, Digest as _};
use std::fmt;

/// The fields that servers add and change: UW's c-client keeps in them what has been seen.
const STATUS: [&[u8]; 2] = [b"status:", b"x-status:"];

/// The ends of a header.
const EMPTY: [&[u8]; 2] = [b"\n", b"\r\n"];

/// What a message is known by. Two of the same message have the same digest, but may differ in size.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Its size on the wire, in octets: a hint.
    pub size: u64,
    /// The BLAKE2s-256 of its octets on the wire, without the header fields `Status` and `X-Status`.
    pub digest: [u8; 32],
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.digest.iter().take(4);
        start.clone().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        write!(f, "… ({} octets)", self.size)
    }
}

/// Makes a [`Fingerprint`] from a message's octets as they come.
#[derive(Clone, Debug, Default)]
pub struct Digester {
    hash: Blake2s256,
    size: u64,
    place: Place,
    /// The start of a line that may still become one of [`STATUS`] or [`EMPTY`].
    held: Vec<u8>,
    /// Whether the field that this line is in, or continues, is left out.
    left_out: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// At the start of a line of the header.
    #[default]
    Start,
    /// In a line of the header.
    Line,
    Body,
}

impl Digester {
    /// Takes the next octets.
    pub fn update(&mut self, mut octets: &[u8]) {
        self.size += octets.len() as u64;
        while let Some((&first, rest)) = octets.split_first() {
            match self.place {
                Place::Body => return self.hash.update(octets),
                Place::Start => {
                    self.start(first);
                    octets = rest;
                }
                Place::Line => {
                    let end = octets.iter().position(|&octet| octet == b'\n');
                    let (line, rest) =
                        end.and_then(|end| octets.split_at_checked(end + 1)).unwrap_or((octets, &[]));
                    if !self.left_out {
                        self.hash.update(line);
                    }
                    if end.is_some() {
                        self.place = Place::Start;
                    }
                    octets = rest;
                }
            }
        }
    }

    /// The fingerprint of what was taken.
    #[must_use]
    pub fn finish(mut self) -> Fingerprint {
        self.hash.update(&self.held);
        Fingerprint { size: self.size, digest: self.hash.finalize().into() }
    }

    /// Takes an octet of the start of a line, up to where it shows what line it is.
    fn start(&mut self, octet: u8) {
        self.held.push(octet);
        let held = self.held.to_ascii_lowercase();
        let continued = matches!(held.as_slice(), [b' ' | b'\t']);
        let is = |whole: &&[u8]| *whole == held.as_slice();
        if STATUS.iter().any(is) {
            self.left_out = true;
            self.place = Place::Line;
        } else if EMPTY.iter().any(is) {
            self.hash.update(&self.held);
            self.place = Place::Body;
        } else if STATUS.iter().chain(&EMPTY).any(|whole| whole.starts_with(&held)) {
            return;
        } else {
            self.left_out &= continued;
            if !self.left_out {
                self.hash.update(&self.held);
            }
            // A line may end before it is known to be none of those.
            self.place = if octet == b'\n' { Place::Start } else { Place::Line };
        }
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(message: &[u8]) -> [u8; 32] {
        let mut digester = Digester::default();
        digester.update(message);
        let fingerprint = digester.finish();
        assert_eq!(fingerprint.size, message.len() as u64);
        fingerprint.digest
    }

    #[test]
    fn status_lines_in_the_header_do_not_count() {
        let plain = digest(b"Subject: x\r\nTo: y\r\n\r\nbody\r\n");
        for same in [
            "Subject: x\r\nTo: y\r\nStatus: RO\r\n\r\nbody\r\n",
            "STATUS:\r\nSubject: x\r\nx-Status: A\r\nTo: y\r\n\r\nbody\r\n",
            "Subject: x\r\nStatus: R\r\n O\r\n\tD\r\nTo: y\r\n\r\nbody\r\n",
        ] {
            assert_eq!(digest(same.as_bytes()), plain, "{same:?}");
        }
        assert_eq!(plain, Blake2s256::digest(b"Subject: x\r\nTo: y\r\n\r\nbody\r\n").as_slice());
    }

    #[test]
    fn everything_else_counts() {
        let plain = digest(b"Subject: x\r\nTo: y\r\n\r\nbody\r\n");
        for other in [
            "Subject: x\r\nTo: y\r\n\r\nStatus: RO\r\nbody\r\n",
            "Subject: x\r\nTo: y\r\nStatus-Of: RO\r\n\r\nbody\r\n",
            "Subject: x\r\n Status: RO\r\nTo: y\r\n\r\nbody\r\n",
            "Subject: x\r\nTo: y\r\nStatus: RO\r\nX-Stat\r\n\r\nbody\r\n",
            "Subject: x\r\nTo: y\r\n\r\nbody",
        ] {
            assert_ne!(digest(other.as_bytes()), plain, "{other:?}");
        }
        for whole in ["", "Stat", "X-Status", "\r", "\r\r\nStatus", "x\nstatus\n\nStatus: x\n", "Subject"] {
            assert_eq!(digest(whole.as_bytes()), Blake2s256::digest(whole).as_slice(), "{whole:?}");
        }
    }

    proptest! {
        #[test]
        fn octets_count_the_same_however_they_are_split(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "Status: R", "x-status:", "Statu", "\r", "\r\n", "\n", " ", "X-", "Subject: a\r\n", "body",
                ]),
                0..12,
            ),
            cuts in prop::collection::vec(0..99_usize, 0..6),
        ) {
            let message = lines.concat().into_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
            cuts.extend([0, message.len()]);
            cuts.sort_unstable();
            let mut digester = Digester::default();
            for cut in cuts.windows(2) {
                digester.update(&message[cut[0]..cut[1]]);
            }
            prop_assert_eq!(digester.finish().digest, digest(&message));
        }
    }
}
