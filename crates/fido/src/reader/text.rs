//! Small texts of the screens.

use crate::local::{Entry, Flags, Place};

/// The date of a moment in seconds since 1970, UTC, as `2026-11-25`; with its time, as `2026-11-25 16:20`.
#[must_use]
pub(super) fn date(seconds: i64, with_time: bool) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March have their odd day at the end; an era is 400 of them.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let date = format!("{year:04}-{month:02}-{day:02}");
    if with_time { format!("{date} {:02}:{:02}", second / 3600, second / 60 % 60) } else { date }
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
    fn dates_and_sizes_are_short() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_629_200, "2024-03-05 09:00"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(date(seconds, true), text);
            assert_eq!(date(seconds, false), text[..10]);
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
