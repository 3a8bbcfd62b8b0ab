//! From a part's octets to its content (RFC 2045) and to text.
//!
//! The decoders are ours because they must take anything: what is no base64 is skipped (RFC 2045 section 6.8),
//! and an `=` that begins nothing stays as it is (section 6.7), where mail-parser gives a part up.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// A content transfer encoding (RFC 2045 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit or binary.
    Identity,
    Base64,
    QuotedPrintable,
    /// What RFC 2045 does not know: its octets stay as they are.
    Unknown,
}

impl Encoding {
    pub(super) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "" | "7bit" | "8bit" | "binary" => Self::Identity,
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            _ => Self::Unknown,
        }
    }

    /// The content; at most as many octets as there are encoded ones.
    pub(super) fn decode(self, octets: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Identity | Self::Unknown => octets.into(),
            Self::Base64 => base64(octets).into(),
            Self::QuotedPrintable => quoted_printable(octets).into(),
        }
    }
}

pub(super) fn base64(octets: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(octets.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0);
    for &octet in octets {
        let digit = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                held = 0;
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            let [.., octet] = (bits >> held).to_be_bytes();
            content.push(octet);
        }
    }
    content
}

pub(super) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(octets.len());
    // What stands before it is not taken back as blanks at the end of a line.
    let mut fixed = 0;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'=', [b'\n', after @ ..] | [b'\r', b'\n', after @ ..]) => {
                rest = after;
                fixed = content.len();
            }
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                content.push(hex(*high) << 4 | hex(*low));
                rest = after;
                fixed = content.len();
            }
            (b' ' | b'\t', _) => content.push(octet),
            (b'\n', _) | (b'\r', [b'\n', ..]) => {
                content.truncate(fixed);
                content.push(octet);
                fixed = content.len();
            }
            _ => {
                content.push(octet);
                fixed = content.len();
            }
        }
    }
    content
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Text of a character set, and whether that set is known; of an unknown one it is read as if it had no name.
pub(super) fn text(charset: &str, octets: &[u8]) -> (String, bool) {
    let name = charset.trim().to_ascii_lowercase();
    match name.as_str() {
        // Programs that know no better write these names over any text.
        "" | "us-ascii" | "ascii" | "unknown-8bit" => (nameless(octets), true),
        "utf-8" | "utf8" => (String::from_utf8_lossy(octets).into_owned(), true),
        _ => match charset_decoder(name.as_bytes()) {
            Some(decode) => (decode(octets), true),
            None => (nameless(octets), false),
        },
    }
}

/// Text that does not say its character set: UTF-8 where it is that, else windows-1252.
pub(super) fn nameless(octets: &[u8]) -> String {
    let utf8 = str::from_utf8(octets).map(str::to_owned);
    utf8.unwrap_or_else(|error| match charset_decoder(b"windows-1252") {
        // A text that was cut may end within a character; octets above 127 before it tell UTF-8.
        _ if error.error_len().is_none()
            && octets.get(..error.valid_up_to()).is_some_and(|octets| !octets.is_ascii()) =>
        {
            String::from_utf8_lossy(octets).into_owned()
        }
        Some(decode) => decode(octets),
        None => String::from_utf8_lossy(octets).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_skips_what_is_none() {
        assert_eq!(base64(b"d29v\r\nZg=="), b"woof");
        assert_eq!(base64(b"d2 9v!Zg==d29vZg"), b"woofwoof");
        assert_eq!(base64(b"=====A"), b"");
    }

    #[test]
    fn quoted_printable_keeps_rubbish_and_drops_blanks_at_ends() {
        assert_eq!(quoted_printable(b"a=20 \r\nb=\r\nc=\nd \t\n=zz=4"), b"a \r\nbcd\n=zz=4");
        assert_eq!(quoted_printable(b"=e4=E4="), b"\xe4\xe4=");
    }

    #[test]
    fn text_without_a_true_name_is_utf8_or_else_windows_1252() {
        assert_eq!(text("us-ascii", "ä€".as_bytes()), ("ä€".into(), true));
        assert_eq!(text("", b"\xe4\x80"), ("ä€".into(), true));
        assert_eq!(nameless(b"\xc3\xa4 \xe2\x82"), "ä \u{fffd}", "cut within a character");
        assert_eq!(text("klingon", b"\xe4b"), ("äb".into(), false));
        assert_eq!(text("koi8-r", b"\xd3\xcf\xc2\xc1\xcb\xc1"), ("собака".into(), true));
    }
}
