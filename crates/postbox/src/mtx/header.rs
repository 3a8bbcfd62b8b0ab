//! The line before each message: ` 1-Feb-1985 09:12:33 +0000,1234;000000000001`. The size is that of the message
//! behind the line, in octets; the flags are a PDP-10's word in octal.

use std::time::SystemTime;

use crate::date::{Date, MONTHS};

/// The longest such line that is looked at, in octets; c-client looks at 64.
pub(super) const LONGEST: usize = 128;

/// How many octal digits a word of 36 bits has.
const WORD: usize = 12;

/// How lines end in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// On a PDP-10, and in c-client's mtx.
    CrLf,
    /// In c-client's tenex.
    Lf,
}

/// What such a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// All before the flags, which others change.
    pub(super) fixed: &'a [u8],
    /// How many octets the message has.
    pub(super) size: u64,
    /// How the line ends.
    pub(super) line_end: LineEnd,
}

impl<'a> Header<'a> {
    /// Reads a line, with its end; `None` where it is not such a line in every part.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let text = line.strip_suffix(b"\n")?;
        let (text, line_end) = match text.strip_suffix(b"\r") {
            Some(text) => (text, LineEnd::CrLf),
            None => (text, LineEnd::Lf),
        };
        let comma = text.iter().position(|&octet| octet == b',')?;
        let (date, rest) = text.split_at_checked(comma)?;
        let semicolon = rest.iter().position(|&octet| octet == b';')?;
        let (size, flags) = (rest.get(1..semicolon)?, rest.get(semicolon + 1..)?);
        let is_size = (1..=18).contains(&size.len()) && size.iter().all(u8::is_ascii_digit);
        let size = std::str::from_utf8(size).ok()?.parse().ok()?;
        let fixed = text.get(..comma + semicolon)?;
        (line.len() <= LONGEST && is_date(date) && is_size && is_flags(flags)).then_some(Self {
            fixed,
            size,
            line_end,
        })
    }
}

/// The line for a message of so many octets that arrives `now`.
pub(super) fn line(size: u64, now: SystemTime, line_end: LineEnd) -> String {
    let Date { day, month, year, time, .. } = Date::of(now);
    let end = match line_end {
        LineEnd::CrLf => "\r\n",
        LineEnd::Lf => "\n",
    };
    format!("{day:>2}-{month}-{year} {time} +0000,{size};{:0WORD$}{end}", 0)
}

/// ` 1-Feb-1985 09:12:33 +0000` or, as it was written in the time of the RFC, `1-Feb-85 09:12:33-PST`.
fn is_date(date: &[u8]) -> bool {
    let mut words = date.trim_ascii_start().splitn(2, |&octet| octet == b' ');
    let (Some(day), Some(time)) = (words.next(), words.next()) else { return false };
    let parts: Vec<&[u8]> = day.split(|&octet| octet == b'-').collect();
    let is_day = matches!(parts.as_slice(), [day, month, year]
        if is_number(day, 1..=2) && is_month(month) && (is_number(year, 2..=2) || is_number(year, 4..=4)));
    let clock = time.iter().take_while(|&&octet| octet.is_ascii_digit() || octet == b':').count();
    let (clock, zone) = time.split_at_checked(clock).unwrap_or_default();
    let parts: Vec<&[u8]> = clock.split(|&octet| octet == b':').collect();
    is_day
        && matches!(parts.len(), 2 | 3)
        && parts.iter().all(|part| is_number(part, 1..=2))
        && zone.iter().all(|&octet| octet == b' ' || octet.is_ascii_graphic())
}

fn is_month(word: &[u8]) -> bool {
    MONTHS.iter().any(|month| month.as_bytes().eq_ignore_ascii_case(word))
}

fn is_number(word: &[u8], length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
}

fn is_flags(word: &[u8]) -> bool {
    word.len() == WORD && word.iter().all(|octet| matches!(octet, b'0'..=b'7'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_many_systems_are_read() {
        for (line, size, line_end) in [
            (" 1-Feb-1985 09:12:33 +0000,34;000000000000\r\n", 34, LineEnd::CrLf),
            ("1-Feb-85 09:12:33-PST,1234;000000000001\r\n", 1234, LineEnd::CrLf),
            ("20-FEB-85 09:12-EST,0;777777777777\r\n", 0, LineEnd::CrLf),
            ("31-Dec-1999 23:59:59 -0800 (PST),123456789;000000000024\n", 123_456_789, LineEnd::Lf),
        ] {
            let header = Header::parse(line.as_bytes()).unwrap();
            assert_eq!((header.size, header.line_end), (size, line_end), "{line:?}");
            assert!(line.as_bytes().starts_with(header.fixed) && !header.fixed.contains(&b';'));
        }
    }

    #[test]
    fn text_is_no_such_line() {
        for line in [
            "",
            "\r\n",
            "Subject: woof\r\n",
            " 1-Feb-1985 09:12:33 +0000,34;000000000000",
            " 1-Feb-1985 09:12:33 +0000,34;00000000000\r\n",
            " 1-Feb-1985 09:12:33 +0000,34;0000000000000\r\n",
            " 1-Feb-1985 09:12:33 +0000,34;000000000008\r\n",
            " 1-Feb-1985 09:12:33 +0000,;000000000000\r\n",
            " 1-Feb-1985 09:12:33 +0000,-4;000000000000\r\n",
            " 1-Feb-1985 09:12:33 +0000,99999999999999999999;000000000000\r\n",
            " 1-Feb-1985 09:12:33 +0000;34,000000000000\r\n",
            " 1-Fog-1985 09:12:33 +0000,34;000000000000\r\n",
            " 1-Feb-1985,34;000000000000\r\n",
            " 1-Feb-1985 woof,34;000000000000\r\n",
            " 1-Feb-1985 09:12:33 +\u{7}000,34;000000000000\r\n",
            "From fred Fri Feb  1 09:12:33 1985\n",
        ] {
            assert_eq!(Header::parse(line.as_bytes()), None, "{line:?}");
        }
        let long = format!(" 1-Feb-1985 09:12:33 {},34;000000000000\r\n", "x".repeat(LONGEST));
        assert_eq!(Header::parse(long.as_bytes()), None);
    }

    #[test]
    fn a_line_is_what_c_client_writes() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(476_097_153);
        assert_eq!(line(34, time, LineEnd::CrLf), " 1-Feb-1985 09:12:33 +0000,34;000000000000\r\n");
        assert_eq!(line(30, time, LineEnd::Lf), " 1-Feb-1985 09:12:33 +0000,30;000000000000\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(size in any::<u32>(), seconds in any::<u32>()) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
            for line_end in [LineEnd::CrLf, LineEnd::Lf] {
                let line = line(size.into(), time, line_end);
                let header = Header::parse(line.as_bytes()).unwrap();
                prop_assert_eq!((header.size, header.line_end), (u64::from(size), line_end));
                prop_assert!(line.len() <= 64);
            }
        }

        #[test]
        fn any_octets_are_read(line in prop::collection::vec(any::<u8>(), 0..80)) {
            Header::parse(&line);
        }
    }
}
