//! Deletion: the file is rewritten in place. A writer that has it open and waits for the lock would append to
//! a file that is gone if it were renamed.

use std::{collections::BTreeSet, ops::Range};

use super::{
    index::{Entry, Index},
    opened::Opened,
};
use crate::Error;

/// Deletes messages, while the file is locked for writing.
pub(super) fn expunge(opened: &Opened, index: &Index, marked: &[Entry]) -> Result<(), Error> {
    let size = opened.stamp()?.size();
    let starts: BTreeSet<u64> = marked.iter().map(|entry| entry.start).collect();
    if let Some(&first) = starts.first() {
        opened.journal().rewrite(&opened.file, first, &kept(&index.entries, &starts, first, size))?;
    }
    Ok(())
}

/// What stays of all from `first` on, in as few pieces as can be.
fn kept(entries: &[Entry], gone: &BTreeSet<u64>, first: u64, size: u64) -> Vec<Range<u64>> {
    let mut kept: Vec<Range<u64>> = Vec::new();
    let mut at = first;
    for entry in entries.iter().filter(|entry| gone.contains(&entry.start)) {
        if entry.start > at {
            kept.push(at..entry.start);
        }
        at = entry.end;
    }
    if size > at {
        kept.push(at..size);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_in_few_pieces() {
        let entries: Vec<Entry> = (0..5).map(|n| Entry { start: n * 10, end: n * 10 + 10, id: n }).collect();
        let kept = |gone: &[u64], size| kept(&entries, &gone.iter().copied().collect(), gone[0], size);
        assert_eq!(kept(&[10, 30], 50), [20..30, 40..50]);
        assert_eq!(kept(&[0, 10, 20, 30, 40], 50), []);
        assert_eq!(kept(&[0, 10, 20, 30, 40], 55).first(), Some(&(50..55)));
        assert_eq!(kept(&[40], 50), []);
    }
}
