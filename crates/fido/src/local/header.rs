//! The plainest reading of a header that a list can be made of: unfolded, and not decoded.

use std::borrow::Cow;

use super::Summary;

/// Reads a header's From, Subject, Date, Message-ID, References and In-Reply-To.
#[must_use]
pub fn summary(header: &[u8]) -> Summary {
    let header = String::from_utf8_lossy(header);
    let field = |name| field(&header, name).unwrap_or_default();
    let (from, id, references) = (field("From"), field("Message-ID"), field("References"));
    let in_reply_to = field("In-Reply-To");
    let mut references: Vec<&str> = ids(&references).collect();
    if references.is_empty() {
        references.extend(ids(&in_reply_to).take(1));
    }
    let id = ids(&id).next().unwrap_or_default();
    Summary::new(display(&from), &field("Subject"), date(&field("Date")), id, &references)
}

/// The first field of a name, unfolded.
fn field<'a>(header: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut lines = header.lines();
    let mut value = Cow::Borrowed(lines.by_ref().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.trim_end().eq_ignore_ascii_case(name).then_some(value.trim())
    })?);
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.to_mut().push(' ');
        value.to_mut().push_str(line.trim());
    }
    Some(value)
}

/// What stands between angle brackets.
fn ids(value: &str) -> impl Iterator<Item = &str> {
    value.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(id, _)| id.trim()))
}

/// A person's name, or the address where there is none.
fn display(from: &str) -> &str {
    let Some((name, rest)) = from.split_once('<') else { return from };
    let name = name.trim().trim_matches('"').trim();
    if name.is_empty() { rest.split('>').next().unwrap_or_default().trim() } else { name }
}

/// Seconds since 1970, of RFC 5322's date: `[day,] 1 Jan 2026 12:00[:00] +0100`.
fn date(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = words.next()?.get(..3)?;
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = names.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let month = i64::try_from(month).ok()? + 1;
    let year: i64 = words.next()?.parse().ok().filter(|year| (0..=9999).contains(year))?;
    // Years of two and three digits, as RFC 5322 reads them.
    let year = match year {
        0..50 => year + 2000,
        50..1000 => year + 1900,
        _ => year,
    };
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes) = (clock.next()??, clock.next()??);
    let seconds = clock.next().unwrap_or(Some(0))?;
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) || !(0..=60).contains(&seconds) {
        return None;
    }
    let east = words.next().and_then(zone).unwrap_or(0);
    Some(days(year, month, day) * 86_400 + hours * 3600 + minutes * 60 + seconds - east)
}

/// Seconds east of Greenwich; letters, which nobody can be sure of, are Greenwich's.
fn zone(text: &str) -> Option<i64> {
    let (sign, digits) = text.split_at_checked(1)?;
    let digits: i64 = digits.parse().ok().filter(|digits| (0..=9999).contains(digits))?;
    let seconds = digits / 100 * 3600 + digits % 100 * 60;
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

/// Days from 1970 to a day of the Gregorian calendar. A year begins in March here, so that it ends with the leap day.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_unfolded() {
        let summary = summary(
            b"Received: x\r\nFROM: \"Rex\"\r\n <rex@bone.example>\r\nSubject: A\n  bone\nMessage-ID: <1@x>\n\
              References: <a@x>\n\t<b@x>\nIn-Reply-To: <c@x>\nDate: Thu, 1 Jan 1970 01:00:01 +0100\n",
        );
        assert_eq!((summary.sender(), summary.subject(), summary.id()), ("Rex", "A bone", "1@x"));
        assert_eq!(summary.references().collect::<Vec<_>>(), ["a@x", "b@x"]);
        assert_eq!(summary.date(), Some(1));
    }

    #[test]
    fn what_is_missing_is_empty() {
        let bare = summary(b"From: rex@bone.example\nIn-Reply-To: your mail <9@x> of today\nDate: soon");
        assert_eq!(
            (bare.sender(), bare.subject(), bare.id(), bare.date()),
            ("rex@bone.example", "", "", None)
        );
        assert_eq!(bare.references().collect::<Vec<_>>(), ["9@x"]);
        assert_eq!(summary(b"From: <rex@x>").sender(), "rex@x");
        assert_eq!(summary(b"\xff\xfe"), Summary::default());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("29 Feb 2000 00:00 GMT", 951_782_400),
            ("Tue, 1 Mar 2000 00:00:00 -0000", 951_868_800),
            ("31 dec 69 23:59:59 +0000", -1),
            ("1 January 26 12:00 -0830", 1_767_299_400),
        ] {
            assert_eq!(date(text), Some(seconds), "{text}");
        }
        for text in ["", "1 Jan", "0 Jan 2000 0:0", "1 Jän 2000 0:0", "1 Jan 2000 24:00", "1 Jan 99999 1:1"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_have_a_summary(octets in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,40}") {
            let _ = summary(&octets);
            let _ = summary(format!("Date: {text}\nFrom: {text}\nReferences: {text}").as_bytes());
        }
    }
}
