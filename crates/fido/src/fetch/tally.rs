//! What a fetch has done, for people and for programs.

use indicatif::HumanBytes;
use serde::Serialize;

use crate::sink::Target;

/// What was done so far.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// New messages that are safe here.
    pub messages: u64,
    /// Their octets on the wire.
    pub octets: u64,
    /// How many messages are marked to be deleted.
    pub marked: u64,
    /// How many of those the server has surely deleted.
    pub deleted: u64,
    /// Messages that are larger than was allowed, and were left where they are.
    pub skipped: Vec<Skipped>,
}

/// A message that was left on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its folder; nothing for the default mailbox.
    pub folder: Option<String>,
    /// Its number.
    pub number: u32,
    /// Its octets on the wire.
    pub octets: u64,
}

impl Tally {
    /// The tally in a line.
    #[must_use]
    pub fn summary(&self, target: &Target) -> String {
        let size = HumanBytes(self.octets);
        let came = match self.messages {
            0 => "no new messages".to_owned(),
            1 => format!("1 message ({size}) fetched to {target}"),
            many => format!("{many} messages ({size}) fetched to {target}"),
        };
        let there = match (self.marked, self.deleted) {
            (0, _) if self.messages == 0 => String::new(),
            (0, _) => ", kept on the server".to_owned(),
            (marked, deleted) if marked != deleted => {
                format!(", {deleted} of them surely deleted on the server")
            }
            (marked, _) if marked == self.messages => ", deleted on the server".to_owned(),
            (marked, _) => format!(", {marked} deleted on the server"),
        };
        let large = match self.skipped.as_slice() {
            [] => String::new(),
            [one] => format!("; one of {} was too large and is still there", HumanBytes(one.octets)),
            several => format!("; {} were too large and are still there", several.len()),
        };
        came + &there + &large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_became_of_the_messages() {
        let summary = |messages, marked, deleted, large: &[u64]| {
            let skipped = large.iter().map(|&octets| Skipped { folder: None, number: 1, octets }).collect();
            Tally { messages, octets: 1536, marked, deleted, skipped }
                .summary(&Target::Store { kind: "mbox".into(), path: "box".into() })
        };
        for (tally, text) in [
            (summary(0, 0, 0, &[]), "no new messages"),
            (summary(1, 0, 0, &[]), "1 message (1.50 KiB) fetched to mbox:box, kept on the server"),
            (summary(3, 3, 3, &[]), "3 messages (1.50 KiB) fetched to mbox:box, deleted on the server"),
            (
                summary(3, 3, 2, &[]),
                "3 messages (1.50 KiB) fetched to mbox:box, 2 of them surely deleted on the server",
            ),
            (summary(1, 3, 3, &[]), "1 message (1.50 KiB) fetched to mbox:box, 3 deleted on the server"),
            (summary(0, 2, 2, &[]), "no new messages, 2 deleted on the server"),
            (summary(0, 0, 0, &[2048]), "no new messages; one of 2.00 KiB was too large and is still there"),
            (summary(0, 0, 0, &[1, 2]), "no new messages; 2 were too large and are still there"),
        ] {
            assert_eq!(tally, text);
        }
    }
}
