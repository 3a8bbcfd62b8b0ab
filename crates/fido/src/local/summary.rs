//! What a list of messages shows of each, and what threads are made of.

/// At most so many octets of the text that names the sender.
const MOST_SENDER: usize = 200;
/// At most so many octets of a subject.
const MOST_SUBJECT: usize = 400;
/// At most so many octets of a message id; one that is longer is none.
pub(super) const MOST_ID: usize = 250;
/// At most so many references: the first, and those before the message.
pub(super) const MOST_REFERENCES: usize = 20;

/// What a message's header says, bounded, in one piece of memory. Nothing in it is fit for a terminal as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Sender, subject, id and references, one behind the other.
    text: Box<str>,
    /// Where the first three of these end, in octets.
    ends: [u16; 3],
    date: Option<i64>,
}

impl Summary {
    /// A summary of these; what is longer than a list could show or a thread could need is cut off.
    ///
    /// `sender` is what is to be shown, `date` is in seconds since 1970, `id` and `references` are without their
    /// angle brackets, `references` begin with the oldest; where there is only In-Reply-To, it is the one reference.
    #[must_use]
    pub fn new(sender: &str, subject: &str, date: Option<i64>, id: &str, references: &[&str]) -> Self {
        let mut text = String::new();
        let mut ends = [0; 3];
        let id = Some(id).filter(|id| is_id(id)).unwrap_or_default();
        let parts = [cut(sender, MOST_SENDER), cut(subject, MOST_SUBJECT), id];
        for (part, end) in parts.into_iter().zip(&mut ends) {
            text.push_str(part);
            *end = u16::try_from(text.len()).unwrap_or(u16::MAX);
        }
        let ids: Vec<&str> = references.iter().copied().filter(|id| is_id(id)).collect();
        let (first, others) = ids.split_at(ids.len().min(1));
        let last = others.len().saturating_sub(MOST_REFERENCES - 1);
        let last = others.get(last..).unwrap_or_default();
        text.push_str(&[first, last].concat().join(" "));
        Self { text: text.into(), ends, date }
    }

    /// What was stored by [`text`](Self::text), [`ends`](Self::ends) and [`date`](Self::date); `None` where it
    /// cannot have been.
    pub(super) fn stored(text: &str, ends: [u16; 3], date: Option<i64>) -> Option<Self> {
        let summary = Self { text: text.into(), ends, date };
        let at = ends.map(usize::from);
        let fits = at.is_sorted() && at.iter().all(|&end| text.is_char_boundary(end));
        fits.then_some(summary)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn ends(&self) -> [u16; 3] {
        self.ends
    }

    fn part(&self, from: u16, to: u16) -> &str {
        self.text.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// Who has sent it, as it is to be shown; empty where the header does not say.
    #[must_use]
    pub fn sender(&self) -> &str {
        let [sender, ..] = self.ends;
        self.part(0, sender)
    }

    /// The subject; empty where there is none.
    #[must_use]
    pub fn subject(&self) -> &str {
        let [sender, subject, _] = self.ends;
        self.part(sender, subject)
    }

    /// When it was written, in seconds since 1970, as its sender says.
    #[must_use]
    pub fn date(&self) -> Option<i64> {
        self.date
    }

    /// The message id, without angle brackets; empty where there is none.
    #[must_use]
    pub fn id(&self) -> &str {
        let [_, subject, id] = self.ends;
        self.part(subject, id)
    }

    /// The ids of the messages before it in its thread, the oldest first, without angle brackets.
    #[must_use]
    pub fn references(&self) -> impl DoubleEndedIterator<Item = &str> {
        let [.., id] = self.ends;
        self.text.get(usize::from(id)..).unwrap_or_default().split(' ').filter(|id| !id.is_empty())
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MOST_ID && !id.contains([' ', '\0'])
}

/// The beginning of a text, of at most so many octets.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_reference_and_the_last_ones_are_kept() {
        let ids: Vec<String> = (0..1000).map(|n| format!("{n}@x")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let summary = Summary::new("", "", None, "", &ids);
        let kept: Vec<&str> = summary.references().collect();
        assert_eq!(kept.len(), MOST_REFERENCES);
        assert_eq!((kept[0], kept[1], kept[MOST_REFERENCES - 1]), ("0@x", "981@x", "999@x"));
        assert_eq!(Summary::new("a", "b ", None, "", &[]).subject(), "b ", "nothing else is trimmed");
    }

    proptest! {
        #[test]
        fn a_summary_is_bounded_and_comes_back_as_it_was_stored(
            sender in "\\PC{0,300}", subject in "\\PC{0,600}", date: Option<i64>,
            id in "[a-zä@<> ]{0,300}", references in prop::collection::vec("[a-zä ]{0,300}", 0..40),
        ) {
            let references: Vec<&str> = references.iter().map(String::as_str).collect();
            let summary = Summary::new(&sender, &subject, date, &id, &references);
            prop_assert!(sender.starts_with(summary.sender()) && summary.sender().len() <= MOST_SENDER);
            prop_assert!(subject.starts_with(summary.subject()) && summary.subject().len() <= MOST_SUBJECT);
            prop_assert!(summary.id() == id || summary.id().is_empty());
            prop_assert!(summary.references().count() <= MOST_REFERENCES);
            prop_assert!(summary.references().all(|id| references.contains(&id)));
            let stored = Summary::stored(summary.text(), summary.ends(), summary.date());
            prop_assert_eq!(stored, Some(summary));
        }

        #[test]
        fn what_cannot_have_been_stored_is_refused_or_harmless(text in "\\PC{0,20}", ends: [u16; 3]) {
            if let Some(summary) = Summary::stored(&text, ends, None) {
                let _ = (summary.sender(), summary.subject(), summary.id(), summary.references().count());
            }
        }
    }
}
