//! The mboxrd form of a message: a `From ` line before it, every line like `From `, `>From `, `>>From ` with
//! one `>` more, a blank line behind it.

use std::time::{Duration, SystemTime};

use memchr::memchr;

const FROM: &[u8] = b"From ";

/// Puts a message into mboxrd form piece by piece, wherever it is split.
#[derive(Debug)]
pub(super) struct Encoder {
    place: Place,
}

/// Where in a line the next octet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its start.
    Start,
    /// Behind `>`s at its start.
    Marks,
    /// Behind either and so many octets of `From `, which are not written yet: a `>` may come before them.
    From(usize),
    /// Further in, where all octets are alike.
    Inside,
}

impl Encoder {
    /// Begins a message that arrives `now`.
    pub(super) fn begin(now: SystemTime, mbox: &mut Vec<u8>) -> Self {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        mbox.extend_from_slice(format!("From MAILER-DAEMON {}\n", asctime(since_1970)).as_bytes());
        Self { place: Place::Start }
    }

    /// Appends the next piece of the message.
    pub(super) fn encode(&mut self, stored: &[u8], mbox: &mut Vec<u8>) {
        let mut rest = stored;
        while let Some((&octet, tail)) = rest.split_first() {
            self.place = match self.place {
                Place::Start | Place::Marks if octet == b'>' => {
                    mbox.push(octet);
                    rest = tail;
                    Place::Marks
                }
                Place::Start | Place::Marks => Place::From(0),
                Place::From(matched) if FROM.get(matched) == Some(&octet) => {
                    rest = tail;
                    if matched + 1 < FROM.len() {
                        Place::From(matched + 1)
                    } else {
                        mbox.push(b'>');
                        mbox.extend_from_slice(FROM);
                        Place::Inside
                    }
                }
                Place::From(matched) => {
                    mbox.extend_from_slice(FROM.get(..matched).unwrap_or_default());
                    Place::Inside
                }
                Place::Inside => {
                    let line_end = memchr(b'\n', rest);
                    let (line, next) = rest.split_at(line_end.map_or(rest.len(), |at| at + 1));
                    mbox.extend_from_slice(line);
                    rest = next;
                    if line_end.is_some() { Place::Start } else { Place::Inside }
                }
            };
        }
    }

    /// Appends what is left, a line end where the message has none at its end, and the blank line.
    pub(super) fn finish(self, mbox: &mut Vec<u8>) {
        if let Place::From(matched) = self.place {
            mbox.extend_from_slice(FROM.get(..matched).unwrap_or_default());
        }
        if self.place != Place::Start {
            mbox.push(b'\n');
        }
        mbox.push(b'\n');
    }
}

/// The time in UTC as C's `asctime` writes it, which is what stands in a `From ` line.
fn asctime(since_1970: Duration) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let seconds = since_1970.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
    };
    // Counted from 1 March of the year 0, leap days come last in a year, and 400 years are 146,097 days.
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march / 146_097, since_march % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + u64::from(month >= 10);
    format!(
        "{} {} {day:2} {:02}:{:02}:{:02} {year}",
        name(&DAYS, days % 7),
        name(&MONTHS, month),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENVELOPE: &str = "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n";

    fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut mbox = Vec::new();
        let mut encoder = Encoder::begin(SystemTime::UNIX_EPOCH, &mut mbox);
        pieces.into_iter().for_each(|piece| encoder.encode(piece, &mut mbox));
        encoder.finish(&mut mbox);
        String::from_utf8(mbox).unwrap()
    }

    /// What an mboxrd reader makes of it, with the line end that a message lacks at its end.
    fn decoded(mbox: &str) -> String {
        let lines = mbox.strip_prefix(ENVELOPE).unwrap().strip_suffix('\n').unwrap().split_inclusive('\n');
        let quoted = |line: &str| line.trim_start_matches('>').starts_with("From ");
        lines
            .map(|line| match line.strip_prefix('>') {
                Some(rest) if quoted(line) => rest,
                _ if quoted(line) => panic!("a message begins inside another"),
                _ => line,
            })
            .collect()
    }

    #[test]
    fn lines_that_look_like_from_are_quoted() {
        for (stored, mbox) in [
            ("", "\n"),
            ("Woof.\n", "Woof.\n\n"),
            ("Woof.", "Woof.\n\n"),
            ("From fred\n>From x\n>>From y\n", ">From fred\n>>From x\n>>>From y\n\n"),
            ("from x\nFromx\nFrom\n From \n> From \n", "from x\nFromx\nFrom\n From \n> From \n\n"),
            ("a\nFrom", "a\nFrom\n\n"),
            ("a\n>>", "a\n>>\n\n"),
            ("FromFrom x\nFFrom y\n", "FromFrom x\nFFrom y\n\n"),
            ("From From \n", ">From From \n\n"),
        ] {
            assert_eq!(encoded([stored.as_bytes()]), format!("{ENVELOPE}{mbox}"), "{stored:?}");
        }
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
            assert_eq!(asctime(Duration::from_secs(seconds)), text);
        }
    }

    proptest! {
        #[test]
        fn any_message_is_read_back_wherever_it_was_split(
            stored in "(>{0,2}(From |Fro|From|x)?[ F\n]?){0,12}",
            piece in 1_usize..9,
        ) {
            let whole = encoded([stored.as_bytes()]);
            prop_assert_eq!(&encoded(stored.as_bytes().chunks(piece)), &whole);
            let ended = if stored.is_empty() || stored.ends_with('\n') { "" } else { "\n" };
            prop_assert_eq!(decoded(&whole), format!("{stored}{ended}"));
        }
    }
}
