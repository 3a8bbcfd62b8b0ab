//! A selected folder: numbers for the messages that it held, found again where the file has changed.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use super::{
    expunge::expunge,
    index::{Entry, Index},
    opened::Spot,
};
use crate::{Error, Mailbox, Marks, Message, Released, blocking::blocking};

/// A file of messages as it was when it was selected.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// `None` for a folder that can be none.
    spot: Option<Arc<Spot>>,
    view: View,
}

/// The messages as they were, and where they are now.
#[derive(Debug, Clone, Default)]
struct View {
    selected: Arc<Index>,
    now: Arc<Index>,
    /// Where the messages are in `now`, if that is another.
    moved: Option<Arc<[Option<Entry>]>>,
}

impl View {
    fn of(index: &Arc<Index>) -> Self {
        Self { selected: Arc::clone(index), now: Arc::clone(index), moved: None }
    }

    /// The same view of the file as it is now.
    fn renewed(&self, now: &Arc<Index>) -> Self {
        if Arc::ptr_eq(&self.now, now) {
            return self.clone();
        }
        let moved = find_again(&self.selected.entries, &now.entries);
        Self { selected: Arc::clone(&self.selected), now: Arc::clone(now), moved: Some(moved) }
    }

    fn get(&self, number: NonZeroU32) -> Option<Entry> {
        let at = number.get() as usize - 1;
        match &self.moved {
            Some(moved) => *moved.get(at)?,
            None => self.selected.entries.get(at).copied(),
        }
    }
}

/// Where each message of `before` is in `now`. Of messages that are all alike, and of which some are gone, it
/// cannot be told which are left: then none is found, so none is deleted that was not meant.
fn find_again(before: &[Entry], now: &[Entry]) -> Arc<[Option<Entry>]> {
    let mut alike: HashMap<u64, Vec<Entry>> = HashMap::with_capacity(now.len());
    for entry in now.iter().rev() {
        alike.entry(entry.id).or_default().push(*entry);
    }
    let mut wanted: HashMap<u64, usize> = HashMap::with_capacity(before.len());
    for entry in before {
        *wanted.entry(entry.id).or_default() += 1;
    }
    let is_sure = |id| alike.get(id).map_or(0, Vec::len) >= wanted.get(id).copied().unwrap_or_default();
    let sure: Vec<bool> = before.iter().map(|entry| is_sure(&entry.id)).collect();
    before
        .iter()
        .zip(sure)
        .map(|(entry, sure)| if sure { alike.get_mut(&entry.id).and_then(Vec::pop) } else { None })
        .collect()
}

impl Snapshot {
    pub(super) fn take(spot: Spot) -> Result<Self, Error> {
        let view = spot.read(|_, index| Ok(Some(View::of(index))))?.unwrap_or_default();
        Ok(Self { spot: Some(Arc::new(spot)), view })
    }
}

impl Mailbox for Snapshot {
    fn count(&self) -> u32 {
        u32::try_from(self.view.selected.entries.len()).unwrap_or(u32::MAX)
    }

    async fn size(&mut self) -> Result<u64, Error> {
        if let (Some(at), Some(spot)) = (self.view.selected.damage, &self.spot) {
            return Err(Error::Damaged { place: spot.path(), at });
        }
        Ok(self.view.selected.entries.iter().map(|entry| entry.end - entry.start).sum())
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let (Some(spot), Some(_)) = (self.spot.clone(), self.view.get(number)) else { return Ok(None) };
        let view = self.view.clone();
        let found = blocking(move || {
            spot.read(|opened, index| {
                let view = view.renewed(index);
                let message = match view.get(number) {
                    Some(entry) if !opened.has(&entry)? => return Ok(None),
                    Some(entry) => Some(opened.copy(&entry)?),
                    None => None,
                };
                Ok(Some((view, message)))
            })
        });
        let Some((view, message)) = found.await? else { return Ok(None) };
        self.view = view;
        Ok(message)
    }

    async fn release(self, marks: &Marks) -> Released {
        let Some(spot) = self.spot.filter(|_| !marks.is_empty()) else { return Released::default() };
        let (view, own_marks) = (self.view, marks.clone());
        let done = blocking(move || {
            spot.write(|opened, index| {
                let view = view.renewed(index);
                let marked: Vec<Entry> = own_marks.iter().filter_map(|&number| view.get(number)).collect();
                for entry in &marked {
                    if !opened.has(entry)? {
                        return Ok(None);
                    }
                }
                expunge(opened, index, &marked).map(Some)
            })
        });
        match done.await {
            Ok(_) => Released::default(),
            Err(error) => Released::all_kept(marks, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(ids: &[u64]) -> Vec<Entry> {
        (0..).zip(ids).map(|(n, &id)| Entry { start: n * 10, end: n * 10 + 10, id }).collect()
    }

    #[test]
    fn messages_are_found_again_and_those_that_cannot_be_told_apart_are_not() {
        let found = |before: &[u64], now: &[u64]| -> Vec<Option<u64>> {
            let found = find_again(&entries(before), &entries(now));
            found.iter().map(|entry| entry.map(|entry| entry.start / 10)).collect()
        };
        assert_eq!(found(&[1, 2, 3], &[1, 3, 4]), [Some(0), None, Some(1)]);
        assert_eq!(found(&[1, 7, 7], &[7, 7, 8]), [None, Some(0), Some(1)]);
        assert_eq!(found(&[7, 7, 7], &[7, 7]), [None; 3]);
        assert_eq!(found(&[7, 7], &[7, 7, 7]), [Some(0), Some(1)]);
        assert_eq!(found(&[], &[1]), []);
    }
}
