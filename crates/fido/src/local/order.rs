//! Orders of entries: positions, while the entries stay where they are.

use std::cmp::Ordering;

use super::{Entry, Flags, Place};

/// What entries are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// When they were written; where the header does not say, when they were received.
    Date,
    /// When they were received.
    Received,
    /// The sender, as it is shown, in any case of letters.
    Sender,
    /// The subject in any case of letters, without the marks of an answer.
    Subject,
    /// The size.
    Size,
}

impl Sort {
    /// The positions of all entries in this order, the least first. What is equal is in the order of its positions,
    /// but senders and subjects first in that of their dates.
    #[must_use]
    pub fn order(self, entries: &[Entry]) -> Vec<usize> {
        match self {
            Self::Date => by(entries, date),
            Self::Received => by(entries, Entry::received),
            Self::Size => by(entries, Entry::size),
            Self::Sender => by(entries, |entry| (entry.summary().sender().to_lowercase(), date(entry))),
            Self::Subject => by(entries, |entry| {
                let (subject, _) = base(entry.summary().subject());
                (subject.to_lowercase(), date(entry))
            }),
        }
    }
}

fn date(entry: &Entry) -> i64 {
    entry.summary().date().unwrap_or_else(|| entry.received())
}

fn by<K: Ord>(entries: &[Entry], key: impl Fn(&Entry) -> K) -> Vec<usize> {
    let mut keys: Vec<(K, usize)> = entries.iter().enumerate().map(|(at, entry)| (key(entry), at)).collect();
    keys.sort_unstable_by(|one, other| match one.0.cmp(&other.0) {
        Ordering::Equal => one.1.cmp(&other.1),
        order => order,
    });
    keys.into_iter().map(|(_, at)| at).collect()
}

/// A subject without the marks of an answer or of passing on, and whether it had any.
pub(super) fn base(subject: &str) -> (&str, bool) {
    let mut rest = subject.trim();
    let mut had_any = false;
    while let Some((mark, after)) = rest.split_once(':') {
        // `Re[2]:` and `Re(2):` are Re.
        let mark = mark.split(['[', '(']).next().unwrap_or_default().trim_end();
        if !["re", "fw", "fwd", "aw", "wg", "sv"].iter().any(|known| mark.eq_ignore_ascii_case(known)) {
            break;
        }
        (rest, had_any) = (after.trim_start(), true);
    }
    (rest, had_any)
}

/// Which entries are shown. The default shows all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    with: Flags,
    without: Flags,
    place: Option<Place>,
}

impl Filter {
    /// As this, and the sender or the subject has this text in it, in any case of letters.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = text.to_lowercase();
        self
    }

    /// As this, and all of these flags are set.
    #[must_use]
    pub fn with(mut self, flags: Flags) -> Self {
        self.with = self.with.with(flags);
        self
    }

    /// As this, and none of these flags is set.
    #[must_use]
    pub fn without(mut self, flags: Flags) -> Self {
        self.without = self.without.with(flags);
        self
    }

    /// As this, and the message lies there.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether an entry is shown.
    #[must_use]
    pub fn shows(&self, entry: &Entry) -> bool {
        let (flags, summary) = (entry.flags(), entry.summary());
        flags.has(self.with)
            && !flags.has_any(self.without)
            && self.place.is_none_or(|place| place == entry.place())
            && (self.text.is_empty() || self.is_in(summary.sender()) || self.is_in(summary.subject()))
    }

    /// Those of an order that are shown, in that order.
    #[must_use]
    pub fn apply(&self, entries: &[Entry], order: &[usize]) -> Vec<usize> {
        let shows = |at: &usize| entries.get(*at).is_some_and(|entry| self.shows(entry));
        order.iter().copied().filter(shows).collect()
    }

    fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{Summary, tests::entry};

    fn entries() -> Vec<Entry> {
        let summary = |sender, subject, date| Summary::new(sender, subject, date, "", &[]);
        vec![
            entry("30.aaa:2,FS", summary("rex", "Re: bones", Some(3))),
            entry("20.b:2,", summary("Ärger", "cats", None)),
            entry("10.cc:2,S", summary("Fido", "Bones", Some(40))),
        ]
    }

    #[test]
    fn entries_are_sorted_by_what_is_asked() {
        for (sort, order) in [
            (Sort::Date, [0, 1, 2]),
            (Sort::Received, [2, 1, 0]),
            (Sort::Sender, [2, 0, 1]),
            (Sort::Subject, [0, 2, 1]),
            (Sort::Size, [1, 2, 0]),
        ] {
            assert_eq!(sort.order(&entries()), order, "{sort:?}");
        }
    }

    #[test]
    fn what_is_equal_stays_in_order() {
        let same: Vec<Entry> = (0..50).map(|_| entry("1.x", Summary::default())).collect();
        for sort in [Sort::Date, Sort::Received, Sort::Sender, Sort::Subject, Sort::Size] {
            assert!(sort.order(&same).is_sorted());
        }
    }

    #[test]
    fn a_filter_shows_by_text_and_flags() {
        let entries = entries();
        let shown = |filter: Filter| filter.apply(&entries, &[2, 1, 0]);
        assert_eq!(shown(Filter::default()), [2, 1, 0]);
        assert_eq!(shown(Filter::default().text("BONE")), [2, 0]);
        assert_eq!(shown(Filter::default().text("äRG")), [1]);
        assert_eq!(shown(Filter::default().with(Flags::SEEN)), [2, 0]);
        assert_eq!(shown(Filter::default().without(Flags::SEEN)), [1]);
        let both = Filter::default().with(Flags::FLAGGED).place(Place::Cur);
        assert_eq!(shown(both.text("rex")), [0]);
        assert_eq!(shown(Filter::default().place(Place::New)), [0; 0]);
    }

    #[test]
    fn answers_have_the_subject_that_they_answer() {
        assert_eq!(base(" Re: Fwd:AW : x: y"), ("x: y", true));
        assert_eq!(base("RE[2]: x"), ("x", true));
        assert_eq!(base("report: x"), ("report: x", false));
        assert_eq!(base("re"), ("re", false));
    }
}
