//! The file of a folder, opened: with its index, and locked where that is needed.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::{
    Format,
    index::{Entry, Index},
    is_there,
    kept::{Indexes, Stamp},
};
use crate::{
    Error, Message, disk,
    error::failed,
    journal::Journal,
    lock::{Lock, Purpose},
    place::{self, Place},
};

/// Where a folder's file is.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    above: Place,
    name: OsString,
    indexes: Arc<Indexes>,
}

/// A folder's file, open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) folder: OwnedFd,
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    format: &'static dyn Format,
    name: OsString,
    writable: bool,
}

impl Spot {
    pub(super) fn new(above: Place, name: OsString, indexes: Arc<Indexes>) -> Self {
        Self { above, name, indexes }
    }

    /// Does something that only reads the file; `None` where there is none. It is done without a lock where
    /// the index is known, so that nobody waits where nothing changes; and done again, with the index made
    /// anew, where it finds that the index is wrong and returns `None`.
    pub(super) fn read<T>(
        &self,
        work: impl Fn(&Opened, &Arc<Index>) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(opened) = self.open()? else { return Ok(None) };
        if !opened.journal().exists() {
            let stamp = opened.stamp()?;
            if let Some(index) = self.indexes.get(&stamp) {
                let done = work(&opened, &index);
                if matches!(done, Ok(Some(_))) && opened.stamp()? == stamp {
                    return done;
                }
            }
        }
        drop(opened);
        let purpose = |opened: &Opened| {
            if opened.writable && opened.journal().exists() { Purpose::Write } else { Purpose::Read }
        };
        self.locked(purpose, work)
    }

    /// Does something with the file while nobody else has to do with it; `None` where there is none. It is
    /// done again as in [`read`](Self::read).
    pub(super) fn write<T>(
        &self,
        work: impl Fn(&Opened, &Arc<Index>) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        self.locked(
            |_| Purpose::Write,
            |opened, index| match index.damage {
                Some(at) => Err(opened.damaged(at)),
                None => work(opened, index),
            },
        )
    }

    fn locked<T>(
        &self,
        purpose: impl Fn(&Opened) -> Purpose,
        work: impl Fn(&Opened, &Arc<Index>) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        loop {
            let Some(opened) = self.open()? else { return Ok(None) };
            let purpose = purpose(&opened);
            let Some(_lock) = opened.lock(purpose)? else { continue };
            if purpose == Purpose::Write {
                opened.journal().recover(&opened.file)?;
            }
            let stamp = opened.stamp()?;
            for _ in 0..2 {
                let index = self.indexes.renew(&opened.file, &stamp, &opened.path)?;
                if let Some(done) = work(&opened, &index)? {
                    return Ok(Some(done));
                }
                self.indexes.forget(&stamp);
            }
            let unlocked = io::Error::other("another program changes it without locking it");
            return Err(failed("read", &opened.path)(unlocked));
        }
    }

    /// Does something at the end of the file while nobody else has to do with it. The file is made where it is
    /// missing.
    pub(crate) fn extend<T>(&self, work: impl Fn(&Opened) -> Result<T, Error>) -> Result<T, Error> {
        let folder = self.above.make()?;
        loop {
            let Some(opened) = self.open()? else {
                match disk::make_file(&folder, &self.name) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(failed("make", &self.path())(error));
                    }
                    _ => continue,
                }
            };
            let purpose = if opened.journal().exists() { Purpose::Write } else { Purpose::Append };
            let Some(_lock) = opened.lock(purpose)? else { continue };
            match (purpose, opened.journal().exists()) {
                (Purpose::Write, _) => opened.journal().recover(&opened.file)?,
                (_, true) => continue,
                (_, false) => {}
            }
            return work(&opened);
        }
    }

    /// Where a message ends up to which all are known; 0 where nothing is.
    pub(crate) fn known_end(&self, opened: &Opened) -> Result<u64, Error> {
        let last = self.indexes.last(&opened.stamp()?);
        Ok(match last {
            Some(last) if opened.has(&last)? => last.end,
            _ => 0,
        })
    }

    /// Opens the folder that the file is in, making it where it is missing.
    pub(crate) fn make_above(&self) -> Result<OwnedFd, Error> {
        self.above.make()
    }

    /// For messages to people.
    pub(crate) fn path(&self) -> PathBuf {
        self.above.path().join(&self.name)
    }

    fn open(&self) -> Result<Option<Opened>, Error> {
        let (path, name) = (self.path(), self.name.clone());
        let Some(folder) = self.above.open()? else { return Ok(None) };
        let for_writing = open_file(&folder, &name, OFlags::RDWR);
        let writable = for_writing.is_ok();
        let opened = match for_writing {
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => open_file(&folder, &name, OFlags::RDONLY),
            opened => opened,
        };
        let Some(file) = place::existing(opened.map_err(io::Error::from), "open", &path)? else {
            return Ok(None);
        };
        let status = rustix::fs::fstat(&file).map_err(|error| failed("examine", &path)(error.into()))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(Error::Strange { place: path, what: "not a file" });
        }
        if status.st_nlink > 1 {
            // The other name may be somebody else's mailbox.
            return Err(Error::Strange { place: path, what: "a file that has another name too" });
        }
        Ok(Some(Opened { folder, file, path, format: self.indexes.format(), name, writable }))
    }
}

impl Opened {
    pub(crate) fn stamp(&self) -> Result<Stamp, Error> {
        Stamp::of(&self.file).map_err(failed("examine", &self.path))
    }

    /// Whether a message is where the index has it.
    pub(crate) fn has(&self, entry: &Entry) -> Result<bool, Error> {
        is_there(self.format, &self.file, self.stamp()?.size(), entry).map_err(failed("read", &self.path))
    }

    /// A copy of a message.
    pub(super) fn copy(&self, entry: &Entry) -> Result<Message, Error> {
        self.format.copy(self, entry)
    }

    /// Something is in the file that is no message.
    pub(crate) fn damaged(&self, at: u64) -> Error {
        Error::Damaged { place: self.path.clone(), at }
    }

    pub(crate) fn journal(&self) -> Journal<'_> {
        Journal::of(&self.folder, &self.name, &self.path)
    }

    /// Locks the file; `None` where another has taken its place meanwhile.
    fn lock(&self, purpose: Purpose) -> Result<Option<Lock<'_>>, Error> {
        if purpose != Purpose::Read && !self.writable {
            let refused = io::Error::from(io::ErrorKind::PermissionDenied);
            return Err(failed("write", &self.path)(refused));
        }
        let lock =
            Lock::take(&self.file, (&self.folder, &self.name), &self.path, self.format.locked(), purpose)?;
        let there = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let here =
            rustix::fs::fstat(&self.file).map_err(|error| failed("examine", &self.path)(error.into()))?;
        let same = there.is_ok_and(|there| (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino));
        Ok(same.then_some(lock))
    }
}

fn open_file(folder: &OwnedFd, name: &OsStr, access: OFlags) -> Result<File, Errno> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map(File::from)
}
