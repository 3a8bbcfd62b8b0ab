//! The line before each message: `From SENDER Fri Feb  1 09:12:33 1985`.

use std::time::SystemTime;

use crate::date::{Date, MONTHS};

const MARK: &[u8] = b"From ";

/// The longest such line that is looked at, in octets.
pub(super) const LONGEST: usize = 1024;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Whether a line, with or without its end, begins a message: it says from whom and when. Text that happens to
/// begin with `From ` does not have a date there, as programs write it: week day, month, day and time in a row,
/// and a year among the three words behind them.
pub(super) fn begins_message(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(MARK) else { return false };
    let words: Vec<&[u8]> = rest
        .get(..LONGEST)
        .unwrap_or(rest)
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(4).enumerate().any(|(at, window)| {
        let is_date = matches!(window, [day_name, month, day, time]
            if is_one_of(&DAYS, day_name) && is_one_of(&MONTHS, month) && is_day(day) && is_time(time));
        is_date && words.iter().skip(at + 4).take(3).any(|word| is_year(word))
    })
}

/// Whether the line was written before a message whose last line has no end (see [`line`]).
pub(super) fn is_unended(line: &[u8]) -> bool {
    line.strip_prefix(MARK).is_some_and(|rest| {
        let sender = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        rest.get(sender..).is_some_and(|rest| rest.starts_with(b"  "))
    })
}

/// The line for a message that arrives `now`. Every message in an mbox ends with a line end; where one has
/// none of its own, two blanks stand behind the sender: other programs do not care, and we give it back as it
/// came.
pub(super) fn line(sender: &str, now: SystemTime, unended: bool) -> String {
    let blanks = if unended { "  " } else { " " };
    format!("From {sender}{blanks}{}\n", asctime(now))
}

/// Who sent a message, by the `Return-Path` that a delivering program has put before it.
pub(super) fn sender(beginning: &[u8]) -> Option<String> {
    let (name, rest) = beginning.split_at_checked(b"Return-Path:".len())?;
    let line = rest.split(|&octet| octet == b'\n').next()?;
    let address = line.trim_ascii().strip_prefix(b"<")?.strip_suffix(b">")?;
    let plain = !address.is_empty() && address.len() <= 256 && address.iter().all(u8::is_ascii_graphic);
    if !name.eq_ignore_ascii_case(b"Return-Path:") || !plain {
        return None;
    }
    String::from_utf8(address.to_vec()).ok()
}

fn is_one_of(names: &[&str], word: &[u8]) -> bool {
    let word = word.strip_suffix(b",").unwrap_or(word);
    names.iter().any(|name| name.as_bytes() == word)
}

fn is_day(word: &[u8]) -> bool {
    matches!(word, [b'1'..=b'9'] | [b'0'..=b'3', b'0'..=b'9'])
}

/// `09:12` or `09:12:33`
fn is_time(word: &[u8]) -> bool {
    let two_digits = |part: &[u8]| matches!(part, [b'0'..=b'9', b'0'..=b'9'] | [b'0'..=b'9']);
    let mut parts = 0;
    word.split(|&octet| octet == b':').all(|part| {
        parts += 1;
        two_digits(part)
    }) && matches!(parts, 2 | 3)
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4 && word.iter().all(u8::is_ascii_digit)
}

/// The time in UTC as C's `asctime` writes it.
fn asctime(time: SystemTime) -> String {
    let Date { day_name, day, month, year, time } = Date::of(time);
    format!("{day_name} {month} {day:>2} {time} {year}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_of_many_programs_begin_messages() {
        for line in [
            "From fred Fri Feb  1 09:12:33 1985\n",
            "From fred@dog-house.example Fri Feb  1 09:12:33 1985\r\n",
            "From fred Fri Feb  1 09:12 1985",
            "From - Tue Nov 24 06:42:17 2026",
            "From smith  Tue Jul 22 14:33:22 EDT 1986",
            "From usenet!smith Tue Jul 22 14:33 PDT 1986 remote from isif",
            "From fred@x Tue Jul 22 14:33:22 +0200 1986",
            "From \"fred bone\"@x Tue Jul 22 14:33:22 1986",
            "From MAILER-DAEMON Fri Feb  1 9:12:33 1985",
        ] {
            assert!(begins_message(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn text_does_not() {
        for line in [
            "",
            "From ",
            "From",
            "From me to you\n",
            ">From fred Fri Feb  1 09:12:33 1985",
            "from fred Fri Feb  1 09:12:33 1985",
            "From Fri to Sun, Feb 1 is free, 09:12 to 1985",
            "From fred Fri Feb 41 09:12:33 1985",
            "From fred Fri Feb  1 09:12:33",
            "From fred Fri Feb  1 09-12 1985",
        ] {
            assert!(!begins_message(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn our_own_lines_are_read_back() {
        for (sender, unended) in [("MAILER-DAEMON", false), ("fred@dog-house.example", true)] {
            let line = line(sender, SystemTime::now(), unended);
            assert!(begins_message(line.as_bytes()), "{line}");
            assert_eq!(is_unended(line.as_bytes()), unended, "{line}");
        }
        assert_eq!(
            line("x", SystemTime::UNIX_EPOCH, false),
            "From x Thu Jan  1 00:00:00 1970\n",
            "one blank, as everybody writes it"
        );
    }

    #[test]
    fn times_are_written_as_asctime_does() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (476_107_199, "Fri Feb  1 11:59:59 1985"),
            (951_827_696, "Tue Feb 29 12:34:56 2000"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
            (1_735_689_599, "Tue Dec 31 23:59:59 2024"),
        ] {
            assert_eq!(asctime(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_sender_comes_from_the_return_path_that_a_delivery_put_first() {
        for (beginning, expected) in [
            ("Return-Path: <fred@x.example>\nSubject: x\n", Some("fred@x.example")),
            ("return-path:<fred>\r\n", Some("fred")),
            ("Return-Path: <>\n", None),
            ("Return-Path: <fred bone>\n", None),
            ("Subject: x\nReturn-Path: <fred>\n", None),
            ("Return-Path: fred\n", None),
            ("Return", None),
            ("", None),
        ] {
            assert_eq!(sender(beginning.as_bytes()).as_deref(), expected, "{beginning:?}");
        }
    }
}
