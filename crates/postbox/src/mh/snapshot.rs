//! A selected folder: numbers for the files that it held, found again where they have been renumbered.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsStr,
    fs::File,
    num::NonZeroU32,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    listing::{self, Entry, Identity},
    sequences,
};
use crate::{
    Error, Mailbox, Marks, Message, Released, blocking::blocking, disk, error::failed, lock::FolderLock,
    place::Place,
};

/// Up to this size, in octets, a file is measured where we are: handing it to another thread takes longer.
const SMALL: u64 = 64 * 1024;

/// An MH folder as it was when it was selected.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// `None` for a folder that does not exist.
    folder: Option<Arc<OwnedFd>>,
    place: PathBuf,
    entries: Vec<Entry>,
}

impl Snapshot {
    pub(super) fn take(place: &Place) -> Result<Self, Error> {
        let (folder, path) = (place.open()?, place.path());
        let entries = match &folder {
            Some(folder) => listing::read(folder, &path)?,
            None => Vec::new(),
        };
        Ok(Self { folder: folder.map(Arc::new), place: path, entries })
    }

    /// Opens a message's file, whatever number it has now; `None` where it is gone.
    fn open(&self, number: NonZeroU32) -> Result<Option<File>, Error> {
        let (Some(folder), Some(entry)) = (&self.folder, self.entries.get(number.get() as usize - 1)) else {
            return Ok(None);
        };
        let open = |number| entry.open_as(folder, number).map_err(failed("read a message in", &self.place));
        if let Some(file) = open(entry.number)? {
            return Ok(Some(file));
        }
        match listing::by_identity(folder, &self.place)?.get(&entry.identity) {
            Some(&number) => open(number),
            None => Ok(None),
        }
    }
}

impl Mailbox for Snapshot {
    fn count(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    async fn size(&mut self) -> Result<u64, Error> {
        Ok(self.entries.iter().map(|entry| entry.identity.size()).sum())
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let Some(file) = self.open(number)? else { return Ok(None) };
        let place = self.place.clone();
        let size = file.metadata().map_err(failed("examine", &place))?.len();
        let measure = move || Message::from_file(file, size).map_err(failed("read a message in", &place));
        let message = if size <= SMALL { measure() } else { blocking(measure).await };
        message.map(Some)
    }

    async fn release(self, marks: &Marks) -> Released {
        let Some(folder) = self.folder.filter(|_| !marks.is_empty()) else { return Released::default() };
        let marked = marks.iter().filter_map(|number| self.entries.get(number.get() as usize - 1).copied());
        let (marked, place): (Vec<Entry>, _) = (marked.collect(), self.place);
        let done = blocking(move || Ok(delete(&folder, &place, &marked))).await;
        done.unwrap_or_else(|error| Released::all_kept(marks, error))
    }
}

/// Deletes files; those that were renumbered meanwhile are found again, all in one reading.
fn delete(folder: &OwnedFd, place: &Path, marked: &[Entry]) -> Released {
    let (mut released, mut gone) = (Released::default(), BTreeSet::new());
    // Another session may delete the same messages, and a delivery take their numbers.
    let lock = match FolderLock::take(folder, place) {
        Ok(lock) => lock,
        Err(error) => return Released { kept: marked.len(), faults: vec![error] },
    };
    let mut now: Option<HashMap<Identity, u32>> = None;
    for entry in marked {
        let number = if entry.is_at(folder, entry.number) {
            Some(entry.number)
        } else {
            if now.is_none() {
                match listing::by_identity(folder, place) {
                    Ok(found) => now = Some(found),
                    Err(error) => {
                        released.keep(error);
                        continue;
                    }
                }
            }
            now.as_ref().and_then(|now| now.get(&entry.identity).copied())
        };
        let Some(number) = number.filter(|&number| entry.is_at(folder, number)) else {
            continue;
        };
        // Between the look and this call a program that is not ours would have to remove the message and to
        // give its number to a new one; MH has no lock against that.
        match disk::unlink(folder, OsStr::new(&number.to_string())) {
            Ok(_) => {
                gone.insert(number);
            }
            Err(error) => released.keep(failed("delete a message in", place)(error)),
        }
    }
    drop(lock);
    if !gone.is_empty() {
        sequences::removed(folder, place, &gone);
    }
    released
}
