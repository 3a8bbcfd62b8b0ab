//! What sessions have learnt about Maildirs, kept for those to come: listings of folders that have not changed
//! since, and the lengths of messages whose names do not tell them.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{AtFlags, FileType},
    io::Errno,
};

use super::{
    Doubts,
    listing::{Listing, Part},
    open_part, tmp,
};
use crate::{Error, error::failed, quiet::State};

/// What all kept listings may take together, in octets; beyond it they are forgotten together.
const MOST: usize = 64 * 1024 * 1024;

/// How many lengths are kept; beyond it they are forgotten together.
const MOST_LENGTHS: usize = 200_000;

/// What the accounts of a place share.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The names that are not believed.
    pub(super) doubts: Doubts,
    listings: Mutex<Listings>,
    lengths: Mutex<HashMap<State, u64>>,
}

/// The listings of folders by their places.
#[derive(Debug, Default)]
struct Listings {
    kept: HashMap<PathBuf, (Stamp, Arc<Listing>)>,
    /// What they take together, in octets.
    weight: usize,
}

/// `new` and `cur` at a moment.
type Stamp = [Option<State>; 2];

impl Kept {
    /// Whether that folder was read before. Then looking whether it has changed is quick, since the system has it in
    /// memory.
    pub(super) fn holds(&self, place: &Path) -> bool {
        lock(&self.listings).kept.contains_key(place)
    }

    /// What a folder holds, where it was read before and has not changed since.
    pub(super) fn unchanged(&self, folder: &OwnedFd, place: &Path) -> Result<Option<Arc<Listing>>, Error> {
        Ok(self.at(&stamp(folder, place)?, place))
    }

    /// What a folder holds. One that has not changed since is not read again.
    pub(super) fn listing(&self, folder: &OwnedFd, place: &Path) -> Result<Arc<Listing>, Error> {
        let stamp = stamp(folder, place)?;
        if let Some(listing) = self.at(&stamp, place) {
            return Ok(listing);
        }
        tmp::sweep(folder, place);
        // A change that comes in the same tick of the clock as the last one would not show.
        let was_quiet = stamp.iter().flatten().all(State::is_quiet);
        let listing = Arc::new(Listing::read(folder, place)?);
        if was_quiet && self::stamp(folder, place)? == stamp {
            lock(&self.listings).keep(place, stamp, &listing);
        }
        Ok(listing)
    }

    fn at(&self, stamp: &Stamp, place: &Path) -> Option<Arc<Listing>> {
        let listings = lock(&self.listings);
        let (at, listing) = listings.kept.get(place)?;
        (at == stamp).then(|| Arc::clone(listing))
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

impl Listings {
    fn keep(&mut self, place: &Path, stamp: Stamp, listing: &Arc<Listing>) {
        let weight = listing.weight() + place.as_os_str().len();
        if self.weight + weight > MOST {
            self.kept.clear();
            self.weight = 0;
        }
        self.weight += weight;
        if let Some((_, old)) = self.kept.insert(place.to_owned(), (stamp, Arc::clone(listing))) {
            self.weight -= old.weight() + place.as_os_str().len();
        }
    }
}

fn stamp(folder: &OwnedFd, place: &Path) -> Result<Stamp, Error> {
    let state = |part: Part| -> Result<Option<State>, Error> {
        match rustix::fs::statat(folder, part.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => {
                Ok(Some(State::of(&status)))
            }
            Err(Errno::NOENT) => Ok(None),
            // Opening it tells what is wrong.
            Ok(_) => open_part(folder, part.as_str(), place).map(|_| None),
            Err(error) => Err(failed("examine", &place.join(part.as_str()))(error.into())),
        }
    };
    Ok([state(Part::New)?, state(Part::Cur)?])
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map is whole between any two of its operations, whoever panicked.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        fs::{self, File},
        time::{Duration, Instant, SystemTime},
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

        fn place(&self) -> &OsStr {
            self.folder.path().as_os_str()
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
        assert_eq!(lock(&bench.kept.listings).kept.len(), 1, "the old one is forgotten");
        let weight = bench.listing().weight() + bench.place().len();
        assert_eq!(lock(&bench.kept.listings).weight, weight);
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
            let is_kept = !lock(&bench.kept.listings).kept.is_empty();
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
