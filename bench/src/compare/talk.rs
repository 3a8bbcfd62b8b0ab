//! What a client says, and what it holds the answers against: dialogues without I/O. Octets from the server go in,
//! octets for it come out, and every message is compared with the digest of what was stored.

mod bare;
mod lmtp;
mod pop2;
mod pop3;
mod unstuff;

use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

pub(crate) use lmtp::{Letter, Letters};

use crate::corpus::{Expected, PASSWORD};

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RFC 937.
    Pop2,
    /// RFC 1939, with the login of RFC 5034 where it takes one round trip.
    Pop3 { auth_plain: bool },
    /// All messages one behind the other, after one line; a limit and no server.
    Bare,
}

/// What a session does with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Logs in, hears how many there are, and quits.
    Count,
    /// The same, and stays.
    Hold,
    /// Fetches all messages, and keeps them on the server.
    Keep,
    /// Fetches all, and has them deleted.
    Delete,
}

/// How many messages are asked for before the first has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// None: each answer is awaited.
    Lockstep,
    /// This many, in the order in which they come.
    Ahead(usize),
}

/// An account, and what is in it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) messages: Vec<Expected>,
}

/// One session's work.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) account: Arc<Account>,
    pub(crate) work: Work,
    pub(crate) pace: Pace,
}

/// What went otherwise than it must.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("{user}: the server says {said:?} where {awaited} is due")]
    Reply { user: String, awaited: &'static str, said: String },
    #[error("{user}: {got} messages, and {stored} are stored")]
    Count { user: String, got: u64, stored: usize },
    #[error("{user}, message {number}: {got} octets, and {stored} are stored")]
    Length { user: String, number: usize, got: u64, stored: u64 },
    #[error("{user}, message {number}: these are other octets than what is stored")]
    Digest { user: String, number: usize },
    #[error("the server has closed the connection")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the server was silent for {0} s")]
    Silent(u64),
}

/// What was fetched and found right.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) octets: u64,
}

/// One session.
pub(crate) enum Dialogue {
    Pop2(Box<pop2::Pop2>),
    Pop3(Box<pop3::Pop3>),
    Bare(Box<bare::Bare>),
    Letters(Letters),
}

impl Dialogue {
    pub(crate) fn new(protocol: Protocol, task: Task) -> Self {
        match protocol {
            Protocol::Pop2 => Self::Pop2(Box::new(pop2::Pop2::new(task))),
            Protocol::Pop3 { auth_plain } => Self::Pop3(Box::new(pop3::Pop3::new(task, auth_plain))),
            Protocol::Bare => Self::Bare(Box::new(bare::Bare::new(task))),
        }
    }

    /// Takes what has come, and adds to what is to be sent.
    pub(crate) fn take(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        match self {
            Self::Pop2(talk) => talk.take(data, out),
            Self::Pop3(talk) => talk.take(data, out),
            Self::Bare(talk) => talk.take(data),
            Self::Letters(talk) => talk.take(data, out),
        }
    }

    /// What is said before anything is heard.
    pub(crate) fn open(&mut self, out: &mut Vec<u8>) {
        if let Self::Bare(_) = self {
            out.extend_from_slice(b"GO\r\n");
        }
    }

    pub(crate) fn done(&self) -> bool {
        match self {
            Self::Pop2(talk) => talk.done(),
            Self::Pop3(talk) => talk.done(),
            Self::Bare(talk) => talk.done(),
            Self::Letters(talk) => talk.done(),
        }
    }

    /// What was found right since the last time this was asked.
    pub(crate) fn tally(&mut self) -> Tally {
        std::mem::take(match self {
            Self::Pop2(talk) => &mut talk.receipt.tally,
            Self::Pop3(talk) => &mut talk.receipt.tally,
            Self::Bare(talk) => &mut talk.receipt.tally,
            Self::Letters(talk) => &mut talk.tally,
        })
    }
}

/// Lines out of a stream. What is left of the data is behind the line.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

/// More than any server of these has to say in a line.
const LONGEST: usize = 4096;

impl Lines {
    /// Hands the next line, without its end, to `with`; `None` if it has not all come.
    fn next<T>(&mut self, data: &mut &[u8], with: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let Some((line, rest)) = memchr::memchr(b'\n', data).and_then(|end| data.split_at_checked(end + 1))
        else {
            if self.begun.len() < LONGEST {
                self.begun.extend_from_slice(data);
            }
            *data = &[];
            return None;
        };
        *data = rest;
        Some(if self.begun.is_empty() {
            with(line.trim_ascii_end())
        } else {
            self.begun.extend_from_slice(line);
            let answer = with(self.begun.trim_ascii_end());
            self.begun.clear();
            answer
        })
    }
}

/// Of a message that comes in: how much of it has, and its digest so far.
struct Receipt {
    digest: Xxh3,
    got: u64,
    /// How many have come whole.
    whole: usize,
    tally: Tally,
}

impl Receipt {
    fn new() -> Self {
        Self { digest: Xxh3::new(), got: 0, whole: 0, tally: Tally::default() }
    }

    /// A piece of the message.
    fn add(&mut self, piece: &[u8]) {
        self.digest.update(piece);
        self.got += piece.len() as u64;
    }

    /// The end of a message of which all pieces were added.
    fn end(&mut self, account: &Account) -> Result<(), Wrong> {
        let digest = self.digest.digest();
        self.digest.reset();
        let got = std::mem::take(&mut self.got);
        self.judge(account, got, digest)
    }

    /// A message that has come in one piece.
    fn at_once(&mut self, account: &Account, message: &[u8]) -> Result<(), Wrong> {
        self.judge(account, message.len() as u64, xxh3_64(message))
    }

    fn judge(&mut self, account: &Account, got: u64, digest: u64) -> Result<(), Wrong> {
        self.whole += 1;
        let number = self.whole;
        let user = || account.user.clone();
        let Some(expected) = account.messages.get(number - 1) else {
            return Err(Wrong::Count { user: user(), got: number as u64, stored: account.messages.len() });
        };
        if got != expected.octets {
            return Err(Wrong::Length { user: user(), number, got, stored: expected.octets });
        }
        if digest != expected.digest {
            return Err(Wrong::Digest { user: user(), number });
        }
        self.tally.messages += 1;
        self.tally.octets += got;
        Ok(())
    }
}

impl Task {
    fn wrong(&self, awaited: &'static str, said: &[u8]) -> Wrong {
        Wrong::Reply {
            user: self.account.user.clone(),
            awaited,
            said: String::from_utf8_lossy(said).into_owned(),
        }
    }

    fn count_is(&self, got: u64) -> Result<(), Wrong> {
        let stored = self.account.messages.len();
        // Where mail comes in and goes meanwhile nobody fetches, and any number will do.
        if got == stored as u64 {
            Ok(())
        } else {
            Err(Wrong::Count { user: self.account.user.clone(), got, stored })
        }
    }
}

/// The number at the start of a text.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expected;

    fn account(messages: &[&[u8]]) -> Arc<Account> {
        Arc::new(Account {
            user: "fido".into(),
            messages: messages.iter().map(|wire| expected(wire)).collect(),
        })
    }

    /// Plays a session in pieces of a size; what the client has said.
    fn play(protocol: Protocol, task: Task, said: &[u8], piece: usize) -> Result<(String, Tally), Wrong> {
        let mut dialogue = Dialogue::new(protocol, task);
        let mut out = Vec::new();
        for piece in said.chunks(piece) {
            dialogue.take(piece, &mut out)?;
        }
        assert!(dialogue.done());
        Ok((String::from_utf8(out).unwrap(), dialogue.tally()))
    }

    const ONE: &[u8] = b"Subject: one\r\n\r\n.dot\r\n..\r\n";
    const TWO: &[u8] = b"Subject: two\r\n\r\nwoof\r\n";

    #[test]
    fn pop2_in_lockstep_and_ahead_whatever_the_pieces() {
        let said = [
            b"+ POP2 hello\r\n#2 messages\r\n=26 characters\r\n",
            ONE,
            b"=22 characters\r\n",
            TWO,
            b"=0 no more\r\n+ bye\r\n",
        ]
        .concat();
        for size in 1..said.len() {
            let task = |pace| Task { account: account(&[ONE, TWO]), work: Work::Keep, pace };
            let (out, tally) = play(Protocol::Pop2, task(Pace::Lockstep), &said, size).unwrap();
            assert_eq!(out, "HELO fido bone\r\nREAD 1\r\nRETR\r\nACKS\r\nRETR\r\nACKS\r\nQUIT\r\n");
            assert_eq!((tally.messages, tally.octets), (2, 48));
            let (again, _) = play(Protocol::Pop2, task(Pace::Ahead(8)), &said, size).unwrap();
            assert_eq!(again, out);
        }
    }

    #[test]
    fn pop3_in_lockstep_and_ahead_whatever_the_pieces() {
        let said = b"+OK hello\r\n+OK logged in\r\n+OK 2 48\r\n+OK 26 octets\r\nSubject: one\r\n\r\n..dot\r\n...\r\n.\r\n\
                     +OK 22\r\nSubject: two\r\n\r\nwoof\r\n.\r\n+OK bye\r\n";
        for size in 1..said.len() {
            let task = |pace| Task { account: account(&[ONE, TWO]), work: Work::Keep, pace };
            let protocol = Protocol::Pop3 { auth_plain: true };
            let (out, tally) = play(protocol, task(Pace::Lockstep), said, size).unwrap();
            assert_eq!(out, "AUTH PLAIN AGZpZG8AYm9uZQ==\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n");
            assert_eq!((tally.messages, tally.octets), (2, 48));
            let (again, _) = play(protocol, task(Pace::Ahead(8)), said, size).unwrap();
            assert_eq!(again, out);
        }
    }

    #[test]
    fn one_other_octet_is_found() {
        let wrong = b"Subject: two\r\n\r\nwooF\r\n";
        let task = Task { account: account(&[TWO]), work: Work::Keep, pace: Pace::Lockstep };
        let said = [b"+ POP2\r\n#1\r\n=22\r\n", wrong.as_slice()].concat();
        assert!(matches!(play(Protocol::Pop2, task.clone(), &said, 5), Err(Wrong::Digest { number: 1, .. })));
        let said = [b"+OK\r\n+OK\r\n+OK 1 22\r\n+OK\r\n", wrong.as_slice(), b".\r\n"].concat();
        let outcome = play(Protocol::Pop3 { auth_plain: true }, task, &said, 5);
        assert!(matches!(outcome, Err(Wrong::Digest { number: 1, .. })));
    }

    #[test]
    fn a_wrong_count_and_a_wrong_length_are_found() {
        let task = Task { account: account(&[TWO]), work: Work::Count, pace: Pace::Lockstep };
        assert!(matches!(
            play(Protocol::Pop2, task.clone(), b"+\r\n#2\r\n", 9),
            Err(Wrong::Count { got: 2, .. })
        ));
        let task = Task { work: Work::Keep, ..task };
        assert!(matches!(
            play(Protocol::Pop2, task, b"+\r\n#1\r\n=23\r\n", 9),
            Err(Wrong::Length { got: 23, .. })
        ));
    }

    #[test]
    fn deletion_is_asked_for() {
        let task = Task { account: account(&[TWO]), work: Work::Delete, pace: Pace::Lockstep };
        let said = [b"+ POP2\r\n#1\r\n=22\r\n", TWO, b"=0\r\n+\r\n"].concat();
        let (out, _) = play(Protocol::Pop2, task.clone(), &said, 100).unwrap();
        assert_eq!(out, "HELO fido bone\r\nREAD 1\r\nRETR\r\nACKD\r\nQUIT\r\n");
        let said = [b"+OK\r\n+OK\r\n+OK\r\n+OK 1 22\r\n+OK\r\n", TWO, b".\r\n+OK\r\n+OK\r\n"].concat();
        let (out, _) = play(Protocol::Pop3 { auth_plain: false }, task, &said, 100).unwrap();
        assert_eq!(out, "USER fido\r\nPASS bone\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
    }
}
