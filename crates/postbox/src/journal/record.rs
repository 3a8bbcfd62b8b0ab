//! The first octets of a journal.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 16] = b"doghouse journal";

/// What is to become of a file. Offsets and lengths in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) change: Change,
    /// The file's. The number of its device may be another after the machine is started again, which is when a journal
    /// is needed most.
    pub(super) inode: u64,
    /// Where the change begins.
    pub(super) start: u64,
    /// How many octets the file gets there.
    pub(super) length: u64,
    /// Where the file ended before.
    pub(super) old_end: u64,
    /// What stands before the change, which it leaves alone.
    pub(super) before: u64,
    /// What stood behind the new end, which only the last step removes.
    pub(super) behind: u64,
    /// The hash of the octets that the file gets.
    pub(super) octets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Append,
    Rewrite,
}

impl Record {
    /// How long it is in a journal; the octets follow.
    pub(super) const SIZE: u64 = 16 + 9 * 8;

    /// Where what the file gets will end.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// Where in the journal the octets are that the file gets.
    pub(super) fn in_journal(&self) -> Range<u64> {
        Self::SIZE..Self::SIZE.saturating_add(self.length)
    }

    pub(super) fn to_octets(self) -> Vec<u8> {
        let change = match self.change {
            Change::Append => 1,
            Change::Rewrite => 2,
        };
        let Self { inode, start, length, old_end, before, behind, octets, .. } = self;
        let mut all = MAGIC.to_vec();
        for number in [change, inode, start, length, old_end, before, behind, octets] {
            all.extend_from_slice(&number.to_le_bytes());
        }
        all.extend_from_slice(&xxh3_64(&all).to_le_bytes());
        all
    }

    /// `None` where the octets are no whole record.
    pub(super) fn from_octets(all: &[u8]) -> Option<Self> {
        let (rest, hash) = all.split_last_chunk::<8>()?;
        if all.len() as u64 != Self::SIZE || xxh3_64(rest) != u64::from_le_bytes(*hash) {
            return None;
        }
        let mut numbers =
            rest.strip_prefix(MAGIC)?.as_chunks::<8>().0.iter().map(|octets| u64::from_le_bytes(*octets));
        let change = match numbers.next()? {
            1 => Change::Append,
            2 => Change::Rewrite,
            _ => return None,
        };
        let mut next = || numbers.next();
        Some(Self {
            change,
            inode: next()?,
            start: next()?,
            length: next()?,
            old_end: next()?,
            before: next()?,
            behind: next()?,
            octets: next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_back_and_nothing_else_is_one(
            numbers: [u64; 7],
            append: bool,
            at in 0_usize..88,
            bit in 0_u8..8,
        ) {
            let [inode, start, length, old_end, before, behind, octets] = numbers;
            let change = if append { Change::Append } else { Change::Rewrite };
            let record = Record { change, inode, start, length, old_end, before, behind, octets };
            let mut written = record.to_octets();
            prop_assert_eq!(written.len() as u64, Record::SIZE);
            prop_assert_eq!(Record::from_octets(&written), Some(record));
            prop_assert_eq!(Record::from_octets(&written[1..]), None);
            written[at] ^= 1 << bit;
            prop_assert_eq!(Record::from_octets(&written), None);
        }
    }
}
