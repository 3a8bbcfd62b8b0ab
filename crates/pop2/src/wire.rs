//! The wire form of a message: the octets as stored, with every line end made CR LF (RFC 937, "Message
//! Length"; `DECISIONS` 18 and 20).
//!
//! An LF without a CR before it gets one. Nothing else is touched: not a dot, not a NUL, not a lone CR, not a
//! missing last line end. A message of no octets at all becomes one empty line, since a length of zero would
//! say that it does not exist.
//!
//! [`length`], [`Counter`] and [`Encoder`] agree to the octet for any message, however it is split. [`Decoder`] is the
//! way back.

mod block;

use memchr::{memchr, memchr_iter};

use block::BLOCK;

const EMPTY: &[u8] = b"\r\n";

/// The length on the wire, in octets, of a whole stored message.
///
/// ```
/// assert_eq!(pop2::wire::length(b"Subject: bone\n\nWoof.\n"), 24);
/// assert_eq!(pop2::wire::length(b""), 2);
/// ```
#[must_use]
pub fn length(stored: &[u8]) -> u64 {
    let mut counter = Counter::default();
    counter.count(stored);
    counter.length()
}

/// The length on the wire of a message that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Counter {
    octets: u64,
    after_cr: bool,
}

impl Counter {
    /// Counts the next piece of the stored message.
    pub fn count(&mut self, stored: &[u8]) {
        let (blocks, rest) = stored.as_chunks::<BLOCK>();
        let bare = block::bare_line_feeds(blocks, self.after_cr);
        let after_cr = ends_in_cr(blocks.as_flattened(), self.after_cr);
        let more = memchr_iter(b'\n', rest).filter(|&at| !follows_cr(rest, at, after_cr)).count();
        self.octets += bare + (stored.len() + more) as u64;
        self.after_cr = ends_in_cr(rest, after_cr);
    }

    /// The length on the wire, in octets, of what was counted, if nothing follows.
    #[must_use]
    pub fn length(&self) -> u64 {
        if self.octets == 0 { EMPTY.len() as u64 } else { self.octets }
    }
}

/// Converts a stored message to its wire form, piece by piece.
///
/// ```
/// let (mut encoder, mut wire) = (pop2::wire::Encoder::default(), Vec::new());
/// encoder.encode(b"one\ntwo\r", &mut wire);
/// encoder.encode(b"\n", &mut wire);
/// encoder.finish(&mut wire);
/// assert_eq!(wire, b"one\r\ntwo\r\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    begun: bool,
    after_cr: bool,
}

impl Encoder {
    /// Appends the wire form of the next piece of the stored message to `wire`: at most twice its octets.
    pub fn encode(&mut self, stored: &[u8], wire: &mut Vec<u8>) {
        self.begun |= !stored.is_empty();
        let (rest, after_cr) = block::encode(stored, self.after_cr, wire);
        let mut done = 0;
        for at in memchr_iter(b'\n', rest) {
            if !follows_cr(rest, at, after_cr) {
                wire.extend_from_slice(rest.get(done..at).unwrap_or_default());
                wire.push(b'\r');
                done = at;
            }
        }
        wire.extend_from_slice(rest.get(done..).unwrap_or_default());
        self.after_cr = ends_in_cr(rest, after_cr);
    }

    /// Appends what a message without octets needs.
    pub fn finish(self, wire: &mut Vec<u8>) {
        if !self.begun {
            wire.extend_from_slice(EMPTY);
        }
    }
}

/// Converts a message from its wire form back to LF line ends, piece by piece, so that [`Encoder`] makes the same
/// of it again: for a CR LF behind another CR that would not be so, and it stays.
///
/// ```
/// let (mut decoder, mut stored) = (pop2::wire::Decoder::default(), Vec::new());
/// decoder.decode(b"one\r\ntwo\r", &mut stored);
/// decoder.decode(b"\n", &mut stored);
/// decoder.finish(&mut stored);
/// assert_eq!(stored, b"one\ntwo\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    held: Held,
}

/// What was read and is not yet written.
#[derive(Debug, Clone, Copy, Default)]
enum Held {
    #[default]
    Nothing,
    Cr,
    /// A CR that stands behind another.
    CrAfterCr,
}

impl Decoder {
    /// Appends what the next piece of the wire form is with LF line ends to `stored`.
    pub fn decode(&mut self, wire: &[u8], stored: &mut Vec<u8>) {
        let mut rest = wire;
        while let Some((&octet, behind)) = rest.split_first() {
            (self.held, rest) = match (self.held, octet) {
                (Held::Nothing, _) => {
                    let (plain, behind) = rest.split_at(memchr(b'\r', rest).unwrap_or(rest.len()));
                    stored.extend_from_slice(plain);
                    match behind.split_first() {
                        Some((_cr, behind)) => (Held::Cr, behind),
                        None => (Held::Nothing, behind),
                    }
                }
                (Held::Cr, b'\n') => {
                    stored.push(b'\n');
                    (Held::Nothing, behind)
                }
                (Held::Cr | Held::CrAfterCr, b'\r') => {
                    stored.push(b'\r');
                    (Held::CrAfterCr, behind)
                }
                (Held::Cr | Held::CrAfterCr, _) => {
                    stored.extend([b'\r', octet]);
                    (Held::Nothing, behind)
                }
            };
        }
    }

    /// Appends what is left when no more pieces come.
    pub fn finish(self, stored: &mut Vec<u8>) {
        if !matches!(self.held, Held::Nothing) {
            stored.push(b'\r');
        }
    }
}

/// Whether the octet before `at` is a CR; `after_cr` speaks for the piece before this one.
fn follows_cr(stored: &[u8], at: usize, after_cr: bool) -> bool {
    match at.checked_sub(1) {
        Some(before) => stored.get(before) == Some(&b'\r'),
        None => after_cr,
    }
}

fn ends_in_cr(stored: &[u8], after_cr: bool) -> bool {
    stored.last().map_or(after_cr, |&last| last == b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As it is defined, octet by octet.
    fn defined(stored: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for &octet in stored {
            if octet == b'\n' && wire.last() != Some(&b'\r') {
                wire.push(b'\r');
            }
            wire.push(octet);
        }
        if wire.is_empty() { EMPTY.to_vec() } else { wire }
    }

    fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut encoder, mut wire) = (Encoder::default(), Vec::new());
        pieces.into_iter().for_each(|piece| encoder.encode(piece, &mut wire));
        encoder.finish(&mut wire);
        wire
    }

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut decoder, mut stored) = (Decoder::default(), Vec::new());
        pieces.into_iter().for_each(|piece| decoder.decode(piece, &mut stored));
        decoder.finish(&mut stored);
        stored
    }

    #[test]
    fn only_cr_lf_changes_on_the_way_back() {
        for (wire, stored) in [
            ("", ""),
            ("\r\n", "\n"),
            ("a\r\n\r\nb", "a\n\nb"),
            ("a\rb\nc\r", "a\rb\nc\r"),
            ("\r\r\n\r\n\n\r", "\r\r\n\n\n\r"),
            ("\r\r\r", "\r\r\r"),
        ] {
            assert_eq!(decoded([wire.as_bytes()]), stored.as_bytes(), "{wire:?}");
            assert_eq!(decoded(wire.as_bytes().chunks(1)), stored.as_bytes(), "{wire:?} octet by octet");
        }
    }

    #[test]
    fn decision_18_only_line_ends_change() {
        for (stored, wire) in [
            (&b"a\nb"[..], &b"a\r\nb"[..]),
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"a\r\nb\nc\rd\r\r\n", b"a\r\nb\r\nc\rd\r\r\n"),
            (b"\n\n\n", b"\r\n\r\n\r\n"),
            (b".\n..\nFrom me\n", b".\r\n..\r\nFrom me\r\n"),
            (b"\0\xff\r", b"\0\xff\r"),
        ] {
            assert_eq!(encoded([stored]), wire);
            assert_eq!(length(stored), wire.len() as u64);
        }
    }

    #[test]
    fn long_messages_are_converted_as_short_ones() {
        for line in
            ["\n", "\r\n", "x\n", "\r\r\n\n", &"bone ".repeat(12), &("woof ".repeat(13) + "\n"), "1\r"]
        {
            for octets in [63, 64, 127, 128, 129, 4095, 4096, 5000, 20_000] {
                let stored: Vec<u8> = line.bytes().cycle().take(octets).collect();
                let wire = encoded([&*stored]);
                assert!(wire == defined(&stored), "{line:?} to {octets}");
                assert_eq!(length(&stored), wire.len() as u64);
            }
        }
    }

    #[test]
    fn decision_20_no_octets_are_one_empty_line() {
        assert_eq!(encoded([]), b"\r\n");
        assert_eq!(encoded([&b""[..], b""]), b"\r\n");
        assert_eq!(length(b""), 2);
    }

    proptest! {
        #[test]
        fn length_and_conversion_agree_for_any_message_split_anywhere(
            pieces in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..400), 0..12),
        ) {
            let whole = pieces.concat();
            let wire = encoded(pieces.iter().map(Vec::as_slice));
            prop_assert_eq!(&wire, &encoded([whole.as_slice()]));
            prop_assert_eq!(&wire, &defined(&whole));
            prop_assert_eq!(wire.len() as u64, length(&whole));

            let stored = decoded([wire.as_slice()]);
            prop_assert_eq!(encoded([stored.as_slice()]), wire.as_slice());
            prop_assert_eq!(decoded(wire.chunks(3)), stored);

            let mut counter = Counter::default();
            for piece in &pieces {
                counter.count(piece);
            }
            prop_assert_eq!(counter.length(), wire.len() as u64);

            prop_assert!(memchr_iter(b'\n', &wire).all(|at| follows_cr(&wire, at, false)), "a bare LF is left");
            if !whole.is_empty() {
                let strip = |octets: &[u8]| String::from_utf8_lossy(octets).replace("\r\n", "\n");
                prop_assert_eq!(strip(&wire), strip(&whole), "something other than a line end changed");
            }
        }
    }
}
