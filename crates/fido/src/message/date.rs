//! The date of a message (RFC 5322 section 3.3), new and old.

use mail_parser::{DateTime, HeaderValue, parsers::MessageStream};

use super::clean::one_line;

/// When a message was written, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Date {
    /// Seconds since the beginning of 1970, UTC.
    pub seconds: i64,
    /// Seconds that the sender's clock was before UTC; west of Greenwich they are negative.
    pub offset: i32,
    /// The zone as written, such as `+0100` or `PST`; empty where there is none.
    pub zone: String,
}

impl Date {
    /// Reads a field's text; nothing where it is no date.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.get(..100).unwrap_or(text);
        let date = parse(text).or_else(|| parse(&modern(text)))?;
        let offset = (i32::from(date.tz_hour) * 60 + i32::from(date.tz_minute)) * 60;
        let offset = if date.tz_before_gmt { -offset } else { offset };
        Some(Self { seconds: date.to_timestamp(), offset, zone: zone(text) })
    }
}

fn parse(text: &str) -> Option<DateTime> {
    let line = format!("{text}\n");
    match MessageStream::new(line.as_bytes()).parse_date() {
        HeaderValue::DateTime(date) if date.is_valid() => Some(date),
        _ => None,
    }
}

/// A date in an old form, as RFC 5322 writes it: `14 October 1985 1531-PDT`, after RFC 733, was usual in 1985,
/// and some programs gave no zone.
fn modern(text: &str) -> String {
    let mut words = Vec::new();
    let mut has_time = false;
    for word in text.split_ascii_whitespace() {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        if words.len() >= 3 && digits == 4 && !has_time {
            has_time = true;
            let (hour, minute) = word.split_at(2);
            words.push(format!("{hour}:{minute}"));
        } else {
            let is_name = word.bytes().all(|octet| octet.is_ascii_alphabetic());
            words.push(word.get(..3).filter(|_| is_name).unwrap_or(word).to_owned());
        }
    }
    if zone(text).is_empty() {
        words.push("+0000".to_owned());
    }
    words.join(" ")
}

/// What follows the time of day, without comments.
fn zone(text: &str) -> String {
    let text = text.split('(').next().unwrap_or_default().trim_end();
    let word = text.split_ascii_whitespace().next_back().unwrap_or_default();
    let start = word.find(['+', '-']).unwrap_or(0);
    let zone = word.get(start..).unwrap_or_default();
    // `10:00-PST` has a hyphen that belongs to neither.
    let zone = zone
        .strip_prefix('-')
        .filter(|zone| zone.starts_with(|c: char| c.is_ascii_alphabetic()))
        .unwrap_or(zone);
    let is_zone = zone.starts_with(['+', '-']) || zone.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_zone { one_line(zone) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(i64, i32, String)> {
        Date::read(text).map(|date| (date.seconds, date.offset, date.zone))
    }

    #[test]
    fn dates_of_now_and_of_1985_are_read() {
        assert_eq!(read("Tue, 5 Mar 2024 10:00:00 +0100 (CET)"), Some((1_709_629_200, 3600, "+0100".into())));
        assert_eq!(read("Tue, 5 Feb 85 10:00:00 PST"), Some((476_474_400, -8 * 3600, "PST".into())));
        assert_eq!(read("Tuesday, 5 Feb 85 10:00-PST"), Some((476_474_400, -8 * 3600, "PST".into())));
        assert_eq!(read("5 February 1985 1000-PST"), Some((476_474_400, -8 * 3600, "PST".into())));
        assert_eq!(read("5 Feb 85 18:00:00"), Some((476_474_400, 0, String::new())));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "Fri, 32 Foo 99999 99:99", "Tue, 5 Mar 2024 77:00:00 +0100"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
