//! What a list of messages shows of each.

use super::{
    Date, Mailbox,
    header::{Fields, RawField},
    holds,
};

/// Identifiers that are kept of a thread: the first, and the last ones.
const MAX_REFERENCES: usize = 50;

/// A message in one line of a list; every text is one line, and safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The first mailbox of From, or of Sender where that has none.
    pub from: Mailbox,
    /// The subject, empty where there is none.
    pub subject: String,
    /// When it was written; nothing where the header does not say so in a form that can be read.
    pub date: Option<Date>,
    /// Its identifier without brackets, empty where it has none.
    pub id: String,
    /// The identifiers of the messages that it follows, oldest first: its References, and what it is In-Reply-To
    /// where they lack that.
    pub references: Vec<String>,
}

impl Summary {
    /// Reads a header: octets of a message up to the empty line, or further.
    #[must_use]
    pub fn of(header: &[u8]) -> Self {
        let mut summary = Self::default();
        let mut sender = None;
        let mut answered = None;
        let mut seen = Seen::default();
        for field in Fields::of(header) {
            // Of a field that comes more often than it may, the first counts.
            match field.name.len() {
                4 if field.is("From") && seen.first(0) => summary.from = first_mailbox(&field),
                4 if field.is("Date") && seen.first(1) => summary.date = Date::read(&field.text()),
                6 if field.is("Sender") && sender.is_none() => sender = Some(field),
                7 if field.is("Subject") && seen.first(2) => summary.subject = field.text(),
                10 if field.is("Message-ID") && seen.first(3) => {
                    field.identifiers().next().unwrap_or_default().clone_into(&mut summary.id);
                }
                10 if field.is("References") && seen.first(4) => summary.references = references(&field),
                11 if field.is("In-Reply-To") && answered.is_none() => answered = field.identifiers().next(),
                _ => {}
            }
        }
        if let (true, Some(sender)) = (summary.from == Mailbox::default(), sender) {
            summary.from = first_mailbox(&sender);
        }
        if let Some(answered) = answered
            && !summary.references.iter().any(|id| id == answered)
        {
            summary.references.push(answered.to_owned());
        }
        summary
    }

    /// Whether the sender or the subject holds a text; the case of letters is not looked at.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let wanted = text.to_lowercase();
        [&self.subject, &self.from.name, &self.from.address].into_iter().any(|text| holds(text, &wanted))
    }
}

/// Which fields have been read.
#[derive(Default)]
struct Seen([bool; 5]);

impl Seen {
    fn first(&mut self, field: usize) -> bool {
        self.0.get_mut(field).is_some_and(|seen| !std::mem::replace(seen, true))
    }
}

fn first_mailbox(field: &RawField<'_>) -> Mailbox {
    let first = field.mailboxes().into_iter().next();
    // What is no mailbox is shown as it is.
    first.unwrap_or_else(|| Mailbox { name: field.text(), address: String::new() })
}

/// The first identifier and the last ones (RFC 5322 lets no line be too long, but not the number be too large).
pub(super) fn references(field: &RawField<'_>) -> Vec<String> {
    let mut all: Vec<&str> = field.identifiers().collect();
    let surplus = all.len().saturating_sub(MAX_REFERENCES);
    all.drain(all.len().min(1)..all.len().min(1) + surplus);
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_summed_up() {
        let summary = Summary::of(
            b"Received: x\r\nFrom: =?utf-8?q?Sm=C3=AFth?= <smith@dog-house.example>, x@y\r\nsubject: Re: Bone\r\n\
              Date: Tue, 5 Mar 2024 10:00:00 +0100\r\nMessage-ID: <3@dog-house.example>\r\nSubject: other\r\n\
              References: <1@x>\r\n <2@x>\r\nIn-Reply-To: <2@x>\r\n\r\nFrom: no@body\r\n",
        );
        assert_eq!(summary.from, Mailbox { name: "Smïth".into(), address: "smith@dog-house.example".into() });
        assert_eq!((summary.subject.as_str(), summary.id.as_str()), ("Re: Bone", "3@dog-house.example"));
        assert_eq!(
            summary.date.as_ref().map(|date| (date.seconds, date.zone.as_str())),
            Some((1_709_629_200, "+0100"))
        );
        assert_eq!(summary.references, ["1@x", "2@x"]);
        assert!(summary.holds("sMÏTH") && summary.holds("bone") && !summary.holds("cat"));
    }

    #[test]
    fn what_is_missing_is_empty_and_what_is_odd_is_shown() {
        assert_eq!(Summary::of(b""), Summary::default());
        assert_eq!(Summary::of(b"no header").from, Mailbox::default());
        assert_eq!(Summary::of(b"From: \nSender: fido@x\n").from.address, "fido@x");
        assert_eq!(Summary::of(b"From: \"\x1b]0;x\x07\" <a@b>\n").from.name, "␛]0;x␇");
        let many = (0..1000).map(|id| format!(" <{id}@x>")).collect::<Vec<_>>().concat();
        let references = Summary::of(format!("References:{many}\n").as_bytes()).references;
        assert_eq!((references.len(), references[0].as_str(), references[49].as_str()), (50, "0@x", "999@x"));
    }
}
