//! Where a folder is: a base that the operator has named, and parts below it that follow no link.

use std::{
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::failed;
use crate::{Error, disk};

/// A folder that may or may not exist.
#[derive(Debug, Clone)]
pub(super) struct Place {
    base: PathBuf,
    parts: Vec<OsString>,
}

impl Place {
    pub(super) fn new(base: PathBuf, parts: Vec<OsString>) -> Self {
        Self { base, parts }
    }

    pub(super) fn join(&self, part: OsString) -> Self {
        let mut place = self.clone();
        place.parts.push(part);
        place
    }

    /// For messages to people; it is never opened.
    pub(super) fn path(&self) -> PathBuf {
        let mut path = self.base.clone();
        path.extend(&self.parts);
        path
    }

    /// Opens the folder; `None` where it does not exist.
    pub(super) fn open(&self) -> Result<Option<OwnedFd>, Error> {
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
    pub(super) fn make(&self) -> Result<OwnedFd, Error> {
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

/// What was opened, or `None` where it does not exist.
pub(super) fn existing<T>(
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
pub(super) fn strange_or(error: io::Error, action: &'static str, path: &Path) -> Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Error::Strange { place: path.to_owned(), what: "a symbolic link" },
        Some(Errno::NOTDIR) => {
            Error::Strange { place: path.to_owned(), what: "a symbolic link or not a folder" }
        }
        _ => Error::Io { action, place: path.to_owned(), source: error },
    }
}
