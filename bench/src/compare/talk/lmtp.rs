//! LMTP, as an MTA speaks it: MAIL, RCPT and DATA in one piece, the message in another, many messages a connection.

use std::sync::Arc;

use super::{Lines, Tally, Wrong};

/// A message as it is sent, dots doubled and its end behind it.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) stuffed: Vec<u8>,
    pub(crate) octets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Taken,
    Bye,
    Done,
}

/// Some messages, for one user.
pub(crate) struct Letters {
    user: String,
    all: Vec<Arc<Letter>>,
    sent: usize,
    state: State,
    lines: Lines,
    pub(super) tally: Tally,
}

impl Letters {
    pub(crate) fn new(user: String, all: Vec<Arc<Letter>>) -> Self {
        let (lines, tally) = (Lines::default(), Tally::default());
        Self { user, all, sent: 0, state: State::Greeting, lines, tally }
    }

    pub(super) fn done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) fn take(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        while !data.is_empty() {
            let mut lines = std::mem::take(&mut self.lines);
            let outcome = lines.next(&mut data, |line| self.hear(line, out));
            self.lines = lines;
            outcome.transpose()?;
        }
        Ok(())
    }

    fn hear(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        if line.get(3) == Some(&b'-') {
            return Ok(());
        }
        let awaited = match self.state {
            State::Greeting => "220",
            State::Lhlo | State::Mail | State::Rcpt | State::Taken => "250",
            State::Data => "354",
            State::Bye | State::Done => "221",
        };
        if !line.starts_with(awaited.as_bytes()) {
            let said = String::from_utf8_lossy(line).into_owned();
            return Err(Wrong::Reply { user: self.user.clone(), awaited, said });
        }
        self.state = match self.state {
            State::Greeting => {
                out.extend_from_slice(b"LHLO mta.dog-house.example\r\n");
                State::Lhlo
            }
            State::Lhlo => self.next(out),
            State::Mail => State::Rcpt,
            State::Rcpt => State::Data,
            State::Data => {
                if let Some(letter) = self.all.get(self.sent) {
                    out.extend_from_slice(&letter.stuffed);
                }
                State::Taken
            }
            State::Taken => {
                self.tally.messages += 1;
                self.tally.octets += self.all.get(self.sent).map_or(0, |letter| letter.octets);
                self.sent += 1;
                self.next(out)
            }
            State::Bye | State::Done => State::Done,
        };
        Ok(())
    }

    fn next(&self, out: &mut Vec<u8>) -> State {
        if self.sent == self.all.len() {
            out.extend_from_slice(b"QUIT\r\n");
            return State::Bye;
        }
        let user = &self.user;
        let envelope =
            format!("MAIL FROM:<smith@dog-house.example>\r\nRCPT TO:<{user}@dog-house.example>\r\nDATA\r\n");
        out.extend_from_slice(envelope.as_bytes());
        State::Mail
    }
}

impl Letter {
    /// From a message in wire form that ends with a line end.
    pub(crate) fn new(wire: &[u8]) -> Self {
        let mut stuffed = Vec::with_capacity(wire.len() + 64);
        for line in wire.split_inclusive(|octet| *octet == b'\n') {
            if line.first() == Some(&b'.') {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        stuffed.extend_from_slice(b".\r\n");
        Self { stuffed, octets: wire.len() as u64 }
    }
}
