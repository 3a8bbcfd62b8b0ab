//! Where the messages of a file are, found in one pass over it.

use std::{io, sync::LazyLock};

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where the line begins that stands before it.
    pub(crate) start: u64,
    /// Where the next message begins, or the file ends.
    pub(crate) end: u64,
    /// Tells it from others wherever in the file it is, and whatever other programs note of its status.
    pub(crate) id: u64,
}

/// Reads one message after the other.
pub(crate) trait Scanner {
    /// Where the first message has to begin.
    fn first(&mut self) -> io::Result<u64> {
        Ok(0)
    }

    /// The message that begins at `start`; `None` where none does.
    fn entry(&mut self, start: u64) -> io::Result<Option<Entry>>;

    /// Whether the message read last would, as the first of a file, be one in which a program keeps notes of
    /// its own.
    fn is_internal(&self) -> bool {
        false
    }

    /// How many octets there are to read.
    fn size(&self) -> u64;
}

/// The messages of a file in their order.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    /// Where something begins that is no message: it is left alone, with all that follows.
    pub(crate) damage: Option<u64>,
}

impl Index {
    /// Finds the messages of a file; `None` where it does not begin with one.
    pub(crate) fn scan(scanner: &mut dyn Scanner) -> io::Result<Option<Self>> {
        let mut index = Self::default();
        let start = scanner.first()?;
        index.extend(scanner, start)?;
        Ok((index.damage.is_none() || !index.entries.is_empty()).then_some(index))
    }

    /// The same file, longer by what was appended since this index was made: its messages, where the one that
    /// was last is still there, and `None` where not.
    pub(crate) fn scan_appended(&self, scanner: &mut dyn Scanner) -> io::Result<Option<Self>> {
        let Some((last, earlier)) = self.entries.split_last() else { return Ok(None) };
        if scanner.entry(last.start)? != Some(*last) {
            return Ok(None);
        }
        let mut index = Self { entries: [earlier, &[*last]].concat(), damage: None };
        index.extend(scanner, last.end)?;
        Ok(index.damage.is_none().then_some(index))
    }

    /// Appends what is found from `start` on.
    fn extend(&mut self, scanner: &mut dyn Scanner, mut start: u64) -> io::Result<()> {
        while start < scanner.size() {
            let Some(entry) = scanner.entry(start)? else {
                self.damage = Some(start);
                break;
            };
            start = entry.end;
            if self.entries.is_empty() && scanner.is_internal() {
                // Programs that keep notes of their own in the first message do not show it, nor do we.
                continue;
            }
            self.entries.push(entry);
        }
        Ok(())
    }

    /// How much memory it takes, in octets.
    pub(super) fn weight(&self) -> usize {
        size_of_val(self.entries.as_slice())
    }
}

/// So that nobody can make a message that is taken for another.
pub(crate) static SEED: LazyLock<u64> = LazyLock::new(|| {
    let mut octets = [0; 8];
    // Without chance the index still tells messages apart that nobody made for the purpose.
    let _ = rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(octets)
});
