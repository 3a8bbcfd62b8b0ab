//! Where a folder is: a base that the operator has named, and parts below it that follow no link.

use std::{
    ffi::{CStr, OsString},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{fs::RawDir, io::Errno};

use crate::{Error, disk, error::failed};

/// A folder that may or may not exist.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    base: PathBuf,
    parts: Vec<OsString>,
}

impl Place {
    pub(crate) fn new(base: PathBuf, parts: Vec<OsString>) -> Self {
        Self { base, parts }
    }

    pub(crate) fn join(&self, part: OsString) -> Self {
        let mut place = self.clone();
        place.parts.push(part);
        place
    }

    /// The folder that this is in, and its own name there; `None` where it has no name below the root.
    pub(crate) fn split(&self) -> Option<(Self, OsString)> {
        let mut above = self.clone();
        let name = if let Some(part) = above.parts.pop() {
            part
        } else {
            let name = above.base.file_name()?.to_owned();
            above.base.pop();
            name
        };
        Some((above, name))
    }

    /// For messages to people; it is never opened.
    pub(crate) fn path(&self) -> PathBuf {
        let mut path = self.base.clone();
        path.extend(&self.parts);
        path
    }

    /// Opens the folder; `None` where it does not exist.
    pub(crate) fn open(&self) -> Result<Option<OwnedFd>, Error> {
        // Where there is no link at all, which is the usual case, one call gets there. Else going step by step gets
        // there, or tells where it fails.
        if let Ok(folder) = disk::open_without_links(&self.path()) {
            return Ok(Some(folder));
        }
        let mut path = self.base.clone();
        let Some(mut folder) = existing(disk::open_base(&path), "open", &path)? else { return Ok(None) };
        for part in &self.parts {
            path.push(part);
            let Some(next) = existing(disk::open_folder(&folder, part), "open", &path)? else {
                return Ok(None);
            };
            folder = next;
        }
        Ok(Some(folder))
    }

    /// Opens the folder, and makes what is missing of it.
    pub(crate) fn make(&self) -> Result<OwnedFd, Error> {
        let mut path = self.base.clone();
        let mut folder = make_base(&path)?;
        for part in &self.parts {
            path.push(part);
            folder = disk::make_folder(&folder, part).map_err(|error| strange_or(error, "make", &path))?;
        }
        Ok(folder)
    }
}

fn make_base(path: &Path) -> Result<OwnedFd, Error> {
    match (disk::open_base(path), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            disk::make_folder(make_base(parent)?, name).map_err(failed("make", path))
        }
        (result, ..) => result.map_err(failed("open", path)),
    }
}

/// Hands out the names in a folder.
pub(crate) fn each_name(folder: &OwnedFd, place: &Path, mut take: impl FnMut(&CStr)) -> Result<(), Error> {
    let fail = |error: Errno| failed("read", place)(error.into());
    let mut buffer: Vec<u8> = Vec::with_capacity(32 * 1024);
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0)).map_err(fail)?;
    let mut names = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = names.next() {
        take(entry.map_err(fail)?.file_name());
    }
    Ok(())
}

/// What was opened, or `None` where it does not exist.
pub(crate) fn existing<T>(
    opened: io::Result<T>,
    action: &'static str,
    path: &Path,
) -> Result<Option<T>, Error> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(strange_or(error, action, path)),
    }
}

/// A link or something else where a folder should be says so; another error is the system's.
pub(crate) fn strange_or(error: io::Error, action: &'static str, path: &Path) -> Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Error::Strange { place: path.to_owned(), what: "a symbolic link" },
        Some(Errno::NOTDIR) => {
            Error::Strange { place: path.to_owned(), what: "a symbolic link or not a folder" }
        }
        _ => Error::Io { action, place: path.to_owned(), source: error },
    }
}
