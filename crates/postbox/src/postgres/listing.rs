//! The ids of a folder's messages at one moment, in their order, which is that of their numbers.
//!
//! Whoever selects a folder is told its count at once, which is kept beside it. The ids are read meanwhile: number 1 can
//! be asked for when the first have come. As long as nothing is deleted, a list stays good, and only what is new is
//! read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::Connection;
use crate::Error;

/// How many ids are read between two looks of those who wait.
const AT_ONCE: u32 = 1_000;

/// How many lists and how many runs of ids are kept for later sessions, in all.
const MOST_LISTS: usize = 10_000;
const MOST_RUNS: usize = 2_000_000;

/// A folder at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// The folder.
    pub(super) folder: i64,
    /// How many messages it has.
    pub(super) messages: u32,
    /// The id that was given out last.
    pub(super) newest: i64,
    /// How often messages have gone.
    pub(super) removals: i64,
}

/// Ids that follow one another.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The number of the first, counted from 0.
    before: u32,
    first: i64,
    length: u32,
}

/// Ids in growing order.
#[derive(Debug, Clone, Default)]
struct Ids {
    runs: Vec<Run>,
    count: u32,
}

impl Ids {
    fn push(&mut self, id: i64) {
        match self.runs.last_mut() {
            Some(run) if run.first.checked_add(run.length.into()) == Some(id) => run.length += 1,
            _ => self.runs.push(Run { before: self.count, first: id, length: 1 }),
        }
        self.count += 1;
    }

    /// The id at an index, counted from 0.
    fn get(&self, index: u32) -> Option<i64> {
        let run = self.runs.get(self.runs.partition_point(|run| run.before <= index).checked_sub(1)?)?;
        let offset = index - run.before;
        (offset < run.length).then(|| run.first + i64::from(offset))
    }
}

#[derive(Debug)]
struct Progress {
    ids: Ids,
    /// Set once all are there, or no more will come.
    end: Option<Result<(), Arc<Error>>>,
}

/// The list of one folder at one moment. A clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) state: State,
    progress: watch::Receiver<Progress>,
}

impl Listing {
    /// Of a folder without messages.
    pub(super) fn empty(state: State) -> Self {
        let progress = Progress { ids: Ids::default(), end: Some(Ok(())) };
        Self { state, progress: watch::channel(progress).1 }
    }

    /// Reads a list over a connection that sees the folder in this state, beginning with what is known of it.
    pub(super) fn read(state: State, known: Option<&Self>, connection: Connection) -> Self {
        let ids = known.map(|known| known.progress.borrow().ids.clone()).unwrap_or_default();
        let after = known.map_or(0, |known| known.state.newest);
        let (sender, progress) = watch::channel(Progress { ids, end: None });
        tokio::spawn(async move {
            let end = read(state, after, connection, &sender).await;
            if let Err(error) = &end {
                tracing::warn!(%error, "cannot list a folder");
            }
            sender.send_modify(|progress| progress.end = Some(end.map_err(Arc::new)));
        });
        Self { state, progress }
    }

    /// The id of a number, counted from 0, once it is known; `None` where there is none.
    pub(super) async fn id(&self, index: u32) -> Result<Option<i64>, Error> {
        if index >= self.state.messages {
            return Ok(None);
        }
        let mut progress = self.progress.clone();
        let known = progress.wait_for(|progress| progress.ids.count > index || progress.end.is_some()).await;
        let fail = |cause: String| Error::Remote {
            action: "list a folder",
            place: "the database".to_owned(),
            cause: cause.into(),
        };
        let known = known.map_err(|_gone| fail("the work was broken off".to_owned()))?;
        match (known.ids.get(index), &known.end) {
            (Some(id), _) => Ok(Some(id)),
            (None, Some(Err(error))) => Err(fail(error.to_string())),
            (None, _) => Ok(None),
        }
    }

    /// Whether all of it is there.
    fn is_whole(&self) -> bool {
        matches!(self.progress.borrow().end, Some(Ok(())))
    }

    fn has_failed(&self) -> bool {
        matches!(self.progress.borrow().end, Some(Err(_)))
            || self.progress.has_changed().is_err() && !self.is_whole()
    }

    fn runs(&self) -> usize {
        self.progress.borrow().ids.runs.len()
    }
}

async fn read(
    state: State,
    after: i64,
    mut connection: Connection,
    sender: &watch::Sender<Progress>,
) -> Result<(), Error> {
    const SQL: &str = "SELECT id FROM message WHERE folder = $1 AND id > $2 AND id <= $3 ORDER BY id";
    let mut some: Vec<i64> = Vec::new();
    let pass_on = |some: &mut Vec<i64>| {
        sender.send_modify(|progress| some.drain(..).for_each(|id| progress.ids.push(id)));
    };
    let range: [super::Parameter<'_>; 3] = [&state.folder, &after, &state.newest];
    connection
        .each("list a folder", SQL, &range, |row| {
            some.push(connection.value(row, 0)?);
            if some.len() >= AT_ONCE as usize {
                pass_on(&mut some);
            }
            Ok(())
        })
        .await?;
    pass_on(&mut some);
    let listed = sender.borrow().ids.count;
    if listed != state.messages {
        tracing::error!(
            folder = state.folder,
            counted = state.messages,
            listed,
            "a folder's count is not that of its messages"
        );
    }
    connection.commit("list a folder").await
}

/// Lists that were read, for sessions to come.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<i64, Listing>>);

impl Kept {
    /// The list of a folder in exactly this state.
    pub(super) fn of(&self, state: State) -> Option<Listing> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lists.get(&state.folder)?;
        if found.has_failed() {
            lists.remove(&state.folder);
            return None;
        }
        (found.state == state).then(|| found.clone())
    }

    /// A whole list of the folder in an earlier state, since which nothing has gone.
    pub(super) fn beginning(&self, state: State) -> Option<Listing> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lists.get(&state.folder)?;
        let is_good = found.state.removals == state.removals && found.state.newest <= state.newest;
        (is_good && found.is_whole()).then(|| found.clone())
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps a list in place of an older one.
    pub(super) fn keep(&self, listing: Listing) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(listing.state.folder, listing);
        let runs = |lists: &HashMap<i64, Listing>| lists.values().map(Listing::runs).sum::<usize>();
        if lists.len() > MOST_LISTS || (lists.len().is_multiple_of(64) && runs(&lists) > MOST_RUNS) {
            // Which ones go is chance: each is read again when it is wanted.
            let mut stays = false;
            lists.retain(|_, _| {
                stays = !stays;
                stays
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_come_back_by_their_numbers(steps in prop::collection::vec(1_i64..4, 0..200)) {
            let (mut ids, mut id, mut all) = (Ids::default(), 0, Vec::new());
            for step in steps {
                id += step;
                ids.push(id);
                all.push(id);
            }
            for (index, id) in (0_u32..).zip(&all) {
                prop_assert_eq!(ids.get(index), Some(*id));
            }
            prop_assert_eq!(ids.get(ids.count), None);
            prop_assert_eq!(ids.get(u32::MAX), None);
            prop_assert!(ids.runs.len() <= all.len());
        }
    }
}
