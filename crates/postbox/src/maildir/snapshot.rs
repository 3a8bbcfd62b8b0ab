//! A selected folder: numbers for the files that it held, found again where their names have changed.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    num::NonZeroU32,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

use super::{
    Kept, Origin,
    listing::{Listing, Part},
    open_part,
};
use crate::{
    Error, Mailbox, Marks, Message, Released,
    blocking::blocking,
    disk,
    error::failed,
    name::{self, Claim},
    place::{self, Place},
    quiet::State,
};

/// Up to this size, in octets, a file is read at once, where we are: that takes less than asking the system for its
/// size, or another thread to read it.
const SMALL: u64 = 64 * 1024;

/// A Maildir's folder as it was when it was selected.
#[derive(Debug)]
pub struct Snapshot {
    /// `None` for a folder that does not exist.
    folder: Option<OwnedFd>,
    place: PathBuf,
    listing: Arc<Listing>,
    /// The folder when a message was last looked for that was no longer where it had been.
    later: Option<Arc<Listing>>,
    kept: Arc<Kept>,
}

/// A message's file that was opened.
enum Opened {
    /// It is small, and was read.
    Whole(Message),
    /// It is not.
    Large { file: File, status: Stat, name: Vec<u8> },
}

impl Snapshot {
    /// The folder as it was when it was last read, where it has not changed since.
    pub(super) fn unchanged(place: &Place, kept: &Arc<Kept>) -> Result<Option<Self>, Error> {
        let path = place.path();
        if !kept.holds(&path) {
            return Ok(None);
        }
        let Some(folder) = place.open()? else { return Ok(None) };
        let listing = kept.unchanged(&folder, &path)?;
        Ok(listing.map(|listing| Self {
            folder: Some(folder),
            place: path,
            listing,
            later: None,
            kept: Arc::clone(kept),
        }))
    }

    pub(super) fn take(place: &Place, kept: Arc<Kept>) -> Result<Self, Error> {
        let (folder, path) = (place.open()?, place.path());
        let listing = match &folder {
            Some(folder) => kept.listing(folder, &path)?,
            None => Arc::default(),
        };
        Ok(Self { folder, place: path, listing, later: None, kept })
    }

    /// Opens a message's file, wherever another program has moved it; `None` where it is gone.
    fn open(&mut self, number: NonZeroU32) -> Result<Option<Opened>, Error> {
        let (Some(folder), Some((part, name))) = (&self.folder, self.listing.get(number)) else {
            return Ok(None);
        };
        let open = |(part, name): (Part, &[u8])| self.open_file(folder, part, name);
        if let Some(found) = open((part, name))? {
            return Ok(Some(found));
        }
        // A program that has moved one message has often moved many: one reading finds them all.
        let unique = name::unique(name);
        let later = self.later.as_ref().and_then(|later| later.find(unique)).map(open).transpose()?.flatten();
        if later.is_some() {
            return Ok(later);
        }
        let now = self.kept.listing(folder, &self.place)?;
        let found = now.find(unique).map(open).transpose()?.flatten();
        self.later = Some(now);
        Ok(found)
    }

    fn open_file(&self, folder: &OwnedFd, part: Part, name: &[u8]) -> Result<Option<Opened>, Error> {
        let place = || self.place.join(part.as_str()).join(OsStr::from_bytes(name));
        let file = match open_beneath(folder, part, name) {
            Ok(file) => file,
            failed => return place::existing(failed, "open", &place()).map(|_| None),
        };
        let failed = |action| move |error: Errno| failed(action, &place())(error.into());
        let claimed = name::stored(name).filter(|size| *size <= SMALL);
        // Only plain files can be read at an offset; of anything else it is found out below what it is.
        if let Some(size) = claimed
            && let Ok(stored) = expected(&file, size)
            && stored.len() as u64 == size
        {
            return Ok(Some(Opened::Whole(in_wire_form(&stored, name))));
        }
        let status = rustix::fs::fstat(&file).map_err(failed("examine"))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(Error::Strange { place: place(), what: "not a file" });
        }
        let size = u64::try_from(status.st_size).unwrap_or_default();
        if size > SMALL {
            return Ok(Some(Opened::Large { file: file.into(), status, name: name.to_vec() }));
        }
        let stored = expected(&file, size).map_err(failed("read"))?;
        if stored.len() as u64 != size {
            let (place, found) = (name.escape_ascii().to_string(), stored.len() as u64);
            return Err(Error::Changed { place, promised: size, found });
        }
        Ok(Some(Opened::Whole(in_wire_form(&stored, name))))
    }

    /// Deletes the marked files; those that were renamed meanwhile are found again, all in one reading.
    fn delete(&self, marks: &Marks) -> Released {
        let Some(folder) = &self.folder else { return Released::default() };
        let mut released = Released::default();
        let parts = match Parts::open(folder, &self.place) {
            Ok(parts) => parts,
            Err(error) => return Released::all_kept(marks, error),
        };
        let mut delete = |(part, name): (Part, &[u8])| match parts.delete(part, name) {
            Ok(deleted) => deleted,
            Err(error) => {
                released.keep(failed("delete", &self.place.join(part.as_str()))(error));
                true
            }
        };
        let marked = marks.iter().filter_map(|&number| self.listing.get(number));
        let moved: Vec<&[u8]> =
            marked.filter(|found| !delete(*found)).map(|(_, name)| name::unique(name)).collect();
        if moved.is_empty() {
            return released;
        }
        match self.kept.listing(folder, &self.place) {
            Ok(now) => moved.iter().filter_map(|unique| now.find(unique)).for_each(|found| {
                delete(found);
            }),
            Err(error) => {
                released.kept += moved.len();
                released.faults.push(error);
            }
        }
        released
    }
}

impl Mailbox for Snapshot {
    fn count(&self) -> u32 {
        self.listing.len()
    }

    async fn size(&mut self) -> Result<u64, Error> {
        let Some(folder) = &self.folder else { return Ok(0) };
        let fail = failed("examine", &self.place);
        let folder = folder.try_clone().map_err(&fail)?;
        let (place, listing) = (self.place.clone(), Arc::clone(&self.listing));
        blocking(move || size(&folder, &place, &listing)).await
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let (file, status, name) = match self.open(number)? {
            None => return Ok(None),
            Some(Opened::Whole(message)) => return Ok(Some(message)),
            Some(Opened::Large { file, status, name }) => (file, status, name),
        };
        let size = u64::try_from(status.st_size).unwrap_or_default();
        let state = State::of(&status);
        let claimed = || Claim::of(&name).and_then(|claim| claim.wire_length(size));
        let measured = self.kept.length(&state);
        if let Some(length) = measured.or_else(claimed)
            && !self.kept.doubts.about(&name)
        {
            let origin = Origin::new(Arc::clone(&self.kept), &name, state, measured.is_some());
            return Ok(Some(Message::with_known_length(file, size, length, origin)));
        }
        let was_quiet = state.is_quiet();
        let place = self.place.join(OsStr::from_bytes(&name));
        let measure = move || Message::from_file(file, size).map_err(failed("read", &place));
        let message = blocking(measure).await?;
        if was_quiet {
            self.kept.learn(state, message.length());
        }
        Ok(Some(message))
    }

    async fn release(self, marks: &Marks) -> Released {
        if marks.is_empty() {
            return Released::default();
        }
        let own_marks = marks.clone();
        let done = blocking(move || Ok(self.delete(&own_marks))).await;
        done.unwrap_or_else(|error| Released::all_kept(marks, error))
    }
}

/// The octets of a file that is expected to have `size`: all of them if that is so, else more or fewer.
fn expected(file: &OwnedFd, size: u64) -> Result<Vec<u8>, Errno> {
    let size = usize::try_from(size).unwrap_or_default();
    // One more, so that a file that is larger shows in the same call.
    let mut octets = vec![0; size + 1];
    let mut filled = 0;
    while let Some(room) = octets.get_mut(filled..).filter(|room| !room.is_empty()) {
        match rustix::io::pread(file, room, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        if filled == size {
            break;
        }
    }
    octets.truncate(filled);
    Ok(octets)
}

/// A message in memory. The name helps to find room for it, and no more.
fn in_wire_form(stored: &[u8], name: &[u8]) -> Message {
    let claimed = name::with_crlf(name).and_then(|claimed| usize::try_from(claimed).ok());
    let likely = claimed.filter(|claimed| *claimed <= 2 * stored.len());
    Message::from_stored(stored, likely.unwrap_or(stored.len()))
}

/// `new` and `cur`, as far as they exist.
struct Parts {
    new: Option<OwnedFd>,
    cur: Option<OwnedFd>,
}

impl Parts {
    fn open(folder: &OwnedFd, place: &Path) -> Result<Self, Error> {
        let open = |part: Part| open_part(folder, part.as_str(), place);
        Ok(Self { new: open(Part::New)?, cur: open(Part::Cur)? })
    }

    /// Deletes a file; false where it is not there.
    fn delete(&self, part: Part, name: &[u8]) -> io::Result<bool> {
        let folder = match part {
            Part::New => &self.new,
            Part::Cur => &self.cur,
        };
        folder.as_ref().map_or(Ok(false), |folder| disk::unlink(folder, OsStr::from_bytes(name)))
    }
}

/// Opens a message's file for reading without following a link and without waiting for a pipe's writer.
fn open_beneath(folder: &OwnedFd, part: Part, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = [part.as_str().as_bytes(), b"/", name].concat();
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(folder, path.as_slice(), flags, Mode::empty(), resolve) {
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => {
            let part = disk::open_folder(folder, part.as_str())?;
            Ok(rustix::fs::openat(part, name, flags, Mode::empty())?)
        }
        result => Ok(result?),
    }
}

/// How many octets the files have, by their names where those say.
fn size(folder: &OwnedFd, place: &Path, listing: &Listing) -> Result<u64, Error> {
    let parts =
        [open_part(folder, Part::New.as_str(), place)?, open_part(folder, Part::Cur.as_str(), place)?];
    let [new, cur] = &parts;
    let mut size = 0;
    for (part, name) in listing.iter() {
        let inside = if part == Part::New { new } else { cur };
        size += match (name::stored(name), inside) {
            (Some(claimed), _) => claimed,
            (None, Some(inside)) => {
                // What is gone takes none.
                let status = rustix::fs::statat(inside, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW);
                status.map_or(0, |status| u64::try_from(status.st_size).unwrap_or_default())
            }
            (None, None) => 0,
        };
    }
    Ok(size)
}
