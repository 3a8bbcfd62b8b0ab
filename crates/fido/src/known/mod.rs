//! What fido has fetched from a folder, and how it fetches new mail only.
//!
//! POP2 gives messages no names: a session has a count, and a size and the octets of each number. So a message
//! is known again by what it consists of, and its place by the messages around it.
//!
//! - [`Fingerprint`] is what a message is known by, [`Digester`] makes it from the octets of the wire;
//! - [`Memory`] is what is known of a folder, [`Record`] keeps it on the disk, also when a session is cut off;
//! - [`Planner`] says what to ask of the server in one session, and which message is new. It does no I/O.
//!
//! The caller, in this order: [`Record::open`]; each of [`Record::doubts`] is settled with [`Record::stored`] or
//! [`Record::dropped`]; [`Planner::new`]; what [`Planner::ask`] says, until it is [`Ask::Done`]; QUIT;
//! [`Planner::finish`]; [`Record::replace`]. Of a [`Verdict::New`] first [`Record::intent`], then it is stored, then
//! [`Record::stored`], and only then it is acknowledged. A session that ends before [`Ask::Done`] replaces
//! nothing: what it stored is in the record.

mod fingerprint;
mod format;
mod planner;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use fingerprint::{Digester, Fingerprint};
pub use planner::{Ask, Options, Planner, Quit, ROTATION_LARGEST, Verdict};
pub use record::{Error, Name, Record};

/// What is known of a folder.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The messages that were on the server when the last complete session had ended, by number. One that no
    /// session has looked at has no entry; the last entry is of a message that is here.
    there: BTreeMap<u32, Entry>,
    /// Messages that are here, and may or may not be on the server as well.
    here: Vec<Fingerprint>,
    /// The message that was proved last in turn; 0 before the first.
    turn: u32,
}

/// A message on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Its size on the wire in octets; 0 where the server counted a message and had none.
    size: u64,
    /// Its digest, if it is here.
    digest: Option<[u8; 32]>,
}

impl Entry {
    const HOLE: Self = Self { size: 0, digest: None };

    fn fingerprint(self) -> Option<Fingerprint> {
        self.digest.map(|digest| Fingerprint { size: self.size, digest })
    }
}

impl Memory {
    /// How many messages are known, on the server or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.there.values().filter(|entry| entry.digest.is_some()).count() + self.here.len()
    }

    /// Whether no message is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
