//! Small texts of the screens.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};

use crate::local::{Entry, Flags, Place};

/// The date of a moment in seconds since 1970, as `2026-11-25`; with its time, as `2026-11-25 16:20`. Empty beyond the
/// calendar.
#[must_use]
pub(super) fn date(seconds: i64, zone: &TimeZone, with_time: bool) -> String {
    let form = if with_time { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
    moment(seconds, zone).map(|moment| moment.strftime(form).to_string()).unwrap_or_default()
}

/// The same as a message has it, such as `Wed, 25 Nov 2026 16:20 +0100`.
#[must_use]
pub(super) fn long_date(seconds: i64, zone: &TimeZone) -> Option<String> {
    moment(seconds, zone).map(|moment| moment.strftime("%a, %-d %b %Y %H:%M %z").to_string())
}

fn moment(seconds: i64, zone: &TimeZone) -> Option<ZonedDateTime> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned_datetime(zone.clone()))
}

/// A size in at most five columns, such as `812`, `1.2K` and `34M`.
#[must_use]
pub(super) fn size(octets: u64) -> String {
    let mut tenths = octets.saturating_mul(10);
    for unit in ["", "K", "M", "G"] {
        if tenths < 10_000 {
            return match unit {
                "" => format!("{}", tenths / 10),
                _ if tenths < 100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
                _ => format!("{}{unit}", tenths / 10),
            };
        }
        tenths /= 1024;
    }
    format!("{}T", tenths / 10)
}

/// So many of something: `1 message`, `2 messages`.
#[must_use]
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Whether the user has not seen a message yet.
#[must_use]
pub(super) fn is_unread(entry: &Entry) -> bool {
    entry.place() == Place::New || !entry.flags().has(Flags::SEEN)
}

/// The marks of a message in a list: new or old and unread; flagged; to be deleted, replied to or passed on.
#[must_use]
pub(super) fn marks(entry: &Entry) -> String {
    let flags = entry.flags();
    let first = match (is_unread(entry), entry.place()) {
        (true, Place::New) => 'N',
        (true, Place::Cur) => 'o',
        (false, _) => ' ',
    };
    let second = if flags.has(Flags::FLAGGED) { '!' } else { ' ' };
    let third = [(Flags::TRASHED, 'D'), (Flags::DRAFT, 'd'), (Flags::REPLIED, 'r'), (Flags::PASSED, 'f')];
    let third = third.into_iter().find(|(flag, _)| flags.has(*flag)).map_or(' ', |(_, mark)| mark);
    [first, second, third].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_local_and_sizes_short() {
        let (utc, berlin) = (TimeZone::UTC, TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_629_200, "2024-03-05 09:00"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(date(seconds, &utc, true), text);
            assert_eq!(date(seconds, &utc, false), text[..10]);
        }
        assert_eq!(date(1_704_067_199, &berlin, true), "2024-01-01 00:59");
        assert_eq!(date(1_719_784_800, &berlin, true), "2024-07-01 00:00");
        assert_eq!(long_date(1_719_784_800, &berlin).unwrap(), "Mon, 1 Jul 2024 00:00 +0200");
        for seconds in [i64::MIN, i64::MAX] {
            assert_eq!((date(seconds, &utc, true).as_str(), long_date(seconds, &utc)), ("", None));
        }
        for (octets, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "0.9K"),
            (1024, "1.0K"),
            (34 << 20, "34M"),
            (u64::MAX, "1677721T"),
        ] {
            assert_eq!(size(octets), text, "{octets}");
        }
    }
}
