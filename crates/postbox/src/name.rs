//! File names in a Maildir: `seconds.unique,S=size,W=size:2,flags`.

use std::{
    ffi::OsString,
    fmt::Write,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::rand::GetRandomFlags;

/// The part of a name that stays when a program changes the message's flags.
#[must_use]
pub fn unique(name: &[u8]) -> &[u8] {
    name.split(|&octet| octet == b':').next().unwrap_or(name)
}

/// When the message was delivered, in seconds since 1970, by its name; 0 where the name does not say.
#[must_use]
pub fn seconds(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|octet| octet.is_ascii_digit()).count();
    number(name.get(..digits).unwrap_or_default()).unwrap_or(0)
}

/// The sizes that a name claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The file's size in octets.
    pub stored: u64,
    /// Its size in octets with CR LF line ends.
    pub with_crlf: u64,
}

impl Claim {
    /// What a name claims, if it gives both sizes.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        Some(Self { stored: stored(name)?, with_crlf: with_crlf(name)? })
    }

    /// The length on the wire, in octets, if the claim is true of a file of this size as far as can be told
    /// without reading it.
    pub(crate) fn wire_length(self, size: u64) -> Option<u64> {
        let possible = self.stored..=self.stored.saturating_mul(2);
        if self.stored != size || !possible.contains(&self.with_crlf) {
            return None;
        }
        // A message of no octets travels as one empty line.
        Some(if size == 0 { pop2::wire::length(b"") } else { self.with_crlf })
    }
}

/// The file's size in octets, if the name claims one.
pub(crate) fn stored(name: &[u8]) -> Option<u64> {
    field(name, b"S=")
}

/// Its size in octets with CR LF line ends, if the name claims one.
pub(crate) fn with_crlf(name: &[u8]) -> Option<u64> {
    field(name, b"W=")
}

fn field(name: &[u8], mark: &[u8]) -> Option<u64> {
    unique(name).split(|&octet| octet == b',').find_map(|field| number(field.strip_prefix(mark)?))
}

/// A name for a new delivery that no other has: time, process, count, chance and host, as Maildir wants.
#[must_use]
pub fn fresh() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static PROCESS: LazyLock<(u32, String)> = LazyLock::new(|| (chance(), host()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (chance, host) = &*PROCESS;
    let (seconds, micros, process) = (now.as_secs(), now.subsec_micros(), std::process::id());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{seconds}.M{micros:06}P{process}Q{count}R{chance:08x}.{host}")
}

/// The name under which a delivery becomes visible.
#[must_use]
pub fn visible(fresh: &str, sizes: Claim) -> OsString {
    format!("{fresh},S={},W={}", sizes.stored, sizes.with_crlf).into()
}

/// Whether [`fresh`] has made this name, here or in another process.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    let Some(rest) = name.get(seconds_digits(name)..).and_then(|rest| rest.strip_prefix(b".M")) else {
        return false;
    };
    let mut marks = b"PQR.".iter();
    let mut awaited = marks.next();
    for octet in rest {
        match awaited {
            None => break,
            Some(mark) if octet == mark => awaited = marks.next(),
            Some(_) if octet.is_ascii_hexdigit() => {}
            Some(_) => return false,
        }
    }
    awaited.is_none()
}

fn seconds_digits(name: &[u8]) -> usize {
    name.iter().take_while(|octet| octet.is_ascii_digit()).count()
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn chance() -> u32 {
    let mut octets = [0; 4];
    // Without chance a name is still unique by its other parts.
    let _ = rustix::rand::getrandom(&mut octets, GetRandomFlags::empty());
    u32::from_ne_bytes(octets)
}

/// This machine's name, with what a Maildir name cannot hold written as its octal code.
fn host() -> String {
    let uname = rustix::system::uname();
    let mut host = String::new();
    for octet in uname.nodename().to_bytes().iter().take(64) {
        match octet {
            b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => host.push(char::from(*octet)),
            // Writing to a string cannot fail.
            _ => {
                let _ = write!(host, "\\{octet:03o}");
            }
        }
    }
    host
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_other_programs_are_understood() {
        let dovecot = b"1700000000.M123456P1234.host,S=1100,W=1130:2,FS";
        assert_eq!(unique(dovecot), b"1700000000.M123456P1234.host,S=1100,W=1130");
        assert_eq!(seconds(dovecot), 1_700_000_000);
        assert_eq!(Claim::of(dovecot), Some(Claim { stored: 1100, with_crlf: 1130 }));
        assert_eq!(Claim::of(b"1700000000.V801I2.host,S=1100:2,"), None, "courier gives no W");
        assert_eq!(Claim::of(b"1700000000.x:2,S=1,W=2"), None, "those are flags");
        assert_eq!((unique(b"odd"), seconds(b"odd"), Claim::of(b"odd")), (&b"odd"[..], 0, None));
    }

    #[test]
    fn a_claim_is_believed_only_where_it_can_be_true() {
        let length = |stored, with_crlf, size| Claim { stored, with_crlf }.wire_length(size);
        assert_eq!(length(100, 110, 100), Some(110));
        assert_eq!(length(100, 110, 101), None);
        assert_eq!(length(100, 99, 100), None);
        assert_eq!(length(100, 201, 100), None);
        assert_eq!(length(u64::MAX, u64::MAX, u64::MAX), Some(u64::MAX));
        assert_eq!(length(0, 0, 0), Some(2), "DECISIONS 20");
    }

    #[test]
    fn our_names_are_our_own_and_no_two_alike() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(one, other);
        assert!(is_ours(one.as_bytes()) && is_ours(other.as_bytes()), "{one}");
        assert!(!one.contains(['/', ':', ',']));
        for name in [&b"1700000000.M123456P1234.host"[..], b"1700000000.V801I2.host", b"x", b""] {
            assert!(!is_ours(name));
        }
    }

    proptest! {
        #[test]
        fn any_name_is_understood_somehow(name in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (unique(&name), seconds(&name), Claim::of(&name), is_ours(&name));
        }

        #[test]
        fn the_sizes_that_we_write_are_read_back(stored: u64, with_crlf: u64) {
            let claim = Claim { stored, with_crlf };
            prop_assert_eq!(Claim::of(&visible(&fresh(), claim).into_vec()), Some(claim));
        }
    }
}
