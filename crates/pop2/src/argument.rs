//! The arguments of commands, as types that cannot hold what RFC 937 forbids.

use std::{fmt, num::NonZeroU32};

/// Why octets cannot be a user or mailbox name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// There is nothing in it.
    #[error("a name cannot be empty")]
    Empty,
    /// An octet over 127, or a NUL, CR or LF (`DECISIONS` 5 and 6).
    #[error("a name is made of 7-bit characters other than NUL, CR and LF")]
    Octet,
}

/// A login account name: 7-bit characters other than NUL, CR and LF, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User(String);

/// A mailbox name as a client writes it: 7-bit characters other than NUL, CR and LF, at least one.
///
/// What it names is the mailbox server's business; it is no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Takes a name as it is, without quoting.
            pub fn new(name: &str) -> Result<Self, ArgumentError> {
                Self::from_octets(name.as_bytes())
            }

            pub(crate) fn from_octets(octets: &[u8]) -> Result<Self, ArgumentError> {
                if octets.is_empty() {
                    return Err(ArgumentError::Empty);
                }
                if !octets.iter().all(|&octet| is_allowed(octet)) {
                    return Err(ArgumentError::Octet);
                }
                Ok(Self(octets.iter().map(|&octet| char::from(octet)).collect()))
            }

            /// The name without quoting.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.escape_default().fmt(f)
            }
        }
    };
}

name!(User);
name!(MailboxName);

/// Whether an octet may stand in an argument at all, quoted or not.
pub(crate) fn is_allowed(octet: u8) -> bool {
    octet.is_ascii() && !matches!(octet, b'\0' | b'\r' | b'\n')
}

/// The number of a message as READ gives it. It is decimal, and cannot overflow: one that is too large for
/// any mailbox is as good as the largest there is (`DECISIONS` 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(u32);

impl MessageNumber {
    /// The first message of a mailbox.
    pub const FIRST: Self = Self(1);

    /// The message with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// Reads decimal digits; `None` where there is anything else, or nothing.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = digits
            .iter()
            .fold(0_u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        Some(Self(number))
    }

    /// The number as it was written, or `u32::MAX` for a larger one.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number, if a mailbox of `count` messages has such a message.
    #[must_use]
    pub fn within(self, count: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(self.0).filter(|number| number.get() <= count)
    }

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decision_11_numbers_are_digits_and_cannot_overflow() {
        let number = |digits: &str| MessageNumber::parse(digits.as_bytes()).map(MessageNumber::get);
        assert_eq!(number("13"), Some(13));
        assert_eq!(number("0013"), Some(13));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        assert_eq!(number("4294967296"), Some(u32::MAX));
        assert_eq!(number(&"9".repeat(500)), Some(u32::MAX));
        for not_digits in ["", "-1", "+1", "1x", "x", "1 2", "١"] {
            assert_eq!(number(not_digits), None);
        }
    }

    #[test]
    fn numbers_beyond_the_mailbox_are_not_in_it() {
        let within = |number, count| MessageNumber::new(number).within(count).map(NonZeroU32::get);
        assert_eq!(within(1, 1), Some(1));
        assert_eq!((within(0, 5), within(6, 5), within(1, 0)), (None, None, None));
        assert_eq!(MessageNumber::new(u32::MAX).next().get(), u32::MAX);
    }

    #[test]
    fn names_hold_what_the_rfc_allows_and_show_it_harmlessly() {
        assert_eq!(User::new(""), Err(ArgumentError::Empty));
        for bad in ["a\0b", "a\rb", "a\nb", "ä"] {
            assert_eq!(MailboxName::new(bad), Err(ArgumentError::Octet));
        }
        assert_eq!(User::new("f\x1b[2J").unwrap().to_string(), "f\\u{1b}[2J");
    }
}
