//! What sessions have learnt about Maildirs, kept for those to come: listings of folders that have not changed
//! since, and the lengths of messages whose names do not tell them.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::fs::Stat;

use super::{
    Doubts,
    listing::{Listing, Part},
    open_part, tmp,
};
use crate::{Error, error::failed, quiet};

/// What all kept listings may take together, in octets; beyond it they are forgotten together.
const MOST: usize = 64 * 1024 * 1024;

/// How many lengths are kept; beyond it they are forgotten together.
const MOST_LENGTHS: usize = 200_000;

/// What the accounts of a place share.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The names that are not believed.
    pub(super) doubts: Arc<Doubts>,
    listings: Mutex<HashMap<Stamp, Arc<Listing>>>,
    lengths: Mutex<HashMap<State, u64>>,
}

/// A file or folder at a moment. Once it is quiet, the same state means the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    device: u64,
    inode: u64,
    size: i64,
    times: (Duration, Duration),
}

impl State {
    pub(super) fn of(status: &Stat) -> Self {
        Self {
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size,
            times: quiet::times(status),
        }
    }

    /// Whether a change from now on would show.
    pub(super) fn is_quiet(&self) -> bool {
        quiet::is_quiet(self.times)
    }
}

/// `new` and `cur` at a moment.
type Stamp = [Option<State>; 2];

impl Kept {
    /// What a folder holds. One that has not changed since is not read again.
    pub(super) fn listing(&self, folder: &OwnedFd, place: &Path) -> Result<Arc<Listing>, Error> {
        let stamp = stamp(folder, place)?;
        if let Some(listing) = lock(&self.listings).get(&stamp) {
            return Ok(Arc::clone(listing));
        }
        tmp::sweep(folder, place);
        // A change that comes in the same tick of the clock as the last one would not show.
        let was_quiet = stamp.iter().flatten().all(State::is_quiet);
        let listing = Arc::new(Listing::read(folder, place)?);
        if was_quiet && self::stamp(folder, place)? == stamp {
            let mut listings = lock(&self.listings);
            listings.retain(|other, _| !is_same_folder(other, &stamp));
            let weight: usize = listings.values().map(|listing| listing.weight()).sum();
            if weight + listing.weight() > MOST {
                listings.clear();
            }
            listings.insert(stamp, Arc::clone(&listing));
        }
        Ok(listing)
    }

    /// The length on the wire, in octets, of a file that was measured before.
    pub(super) fn length(&self, state: &State) -> Option<u64> {
        lock(&self.lengths).get(state).copied()
    }

    /// A file has been measured that was quiet before that: a change meanwhile shows in its times.
    pub(super) fn learn(&self, state: State, length: u64) {
        let mut lengths = lock(&self.lengths);
        if lengths.len() >= MOST_LENGTHS {
            lengths.clear();
        }
        lengths.insert(state, length);
    }
}

fn stamp(folder: &OwnedFd, place: &Path) -> Result<Stamp, Error> {
    let state = |part: Part| -> Result<Option<State>, Error> {
        let Some(part) = open_part(folder, part.as_str(), place)? else { return Ok(None) };
        let status =
            rustix::fs::fstat(part.as_fd()).map_err(|error| failed("examine", place)(error.into()))?;
        Ok(Some(State::of(&status)))
    };
    Ok([state(Part::New)?, state(Part::Cur)?])
}

fn is_same_folder(one: &Stamp, other: &Stamp) -> bool {
    let which = |stamp: &Stamp| stamp.map(|state| state.map(|state| (state.device, state.inode)));
    which(one) == which(other)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map is whole between any two of its operations, whoever panicked.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        time::{Instant, SystemTime},
    };

    use super::*;
    use crate::disk;

    struct Bench {
        folder: tempfile::TempDir,
        at: OwnedFd,
        kept: Kept,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        for part in ["new", "cur", "tmp"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        Bench { at: disk::open_base(folder.path()).unwrap(), folder, kept: Kept::default() }
    }

    impl Bench {
        fn add(&self, name: &str) {
            fs::write(self.folder.path().join(name), "x").unwrap();
        }

        fn listing(&self) -> Arc<Listing> {
            self.kept.listing(&self.at, self.folder.path()).unwrap()
        }

        /// Longer than a tick of the file system's clock.
        fn rest() {
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    #[test]
    fn an_unchanged_folder_is_not_read_again_and_a_changed_one_is() {
        let bench = bench();
        bench.add("new/1");
        Bench::rest();
        let first = bench.listing();
        assert!(Arc::ptr_eq(&first, &bench.listing()));
        bench.add("cur/2:2,S");
        assert_eq!(bench.listing().len(), 2);
        Bench::rest();
        assert!(Arc::ptr_eq(&bench.listing(), &bench.listing()));
        assert_eq!(lock(&bench.kept.listings).len(), 1, "the old one is forgotten");
        fs::rename(bench.folder.path().join("new/1"), bench.folder.path().join("cur/1:2,")).unwrap();
        assert!(bench.listing().iter().all(|(part, _)| part == Part::Cur));
    }

    #[test]
    fn a_folder_that_has_just_changed_is_not_believed() {
        loop {
            let bench = bench();
            let begun = Instant::now();
            bench.add("new/1");
            let first = bench.listing();
            let is_kept = !lock(&bench.kept.listings).is_empty();
            // On a busy machine a moment may be too long: then look again.
            if begun.elapsed() < Duration::from_millis(50) {
                assert!(!is_kept);
                assert!(!Arc::ptr_eq(&first, &bench.listing()));
                return;
            }
        }
    }

    #[test]
    fn setting_a_time_back_does_not_hide_a_change() {
        let bench = bench();
        bench.add("new/1");
        Bench::rest();
        let new = File::open(bench.folder.path().join("new")).unwrap();
        let before = new.metadata().unwrap().modified().unwrap();
        assert_eq!(bench.listing().len(), 1);
        bench.add("new/2");
        new.set_modified(before).unwrap();
        assert_eq!(bench.listing().len(), 2);
        // Nor does a clock that runs ahead.
        bench.add("new/3");
        new.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        Bench::rest();
        assert_eq!(bench.listing().len(), 3);
        assert!(!Arc::ptr_eq(&bench.listing(), &bench.listing()));
    }

    #[test]
    fn a_length_is_of_one_state_of_a_file() {
        let bench = bench();
        bench.add("new/1");
        let path = bench.folder.path().join("new/1");
        let state = || State::of(&rustix::fs::stat(&path).unwrap());
        Bench::rest();
        assert!(state().is_quiet());
        bench.kept.learn(state(), 7);
        assert_eq!(bench.kept.length(&state()), Some(7));
        fs::write(&path, "y").unwrap();
        assert_eq!(bench.kept.length(&state()), None);
    }
}
