//! What can go wrong with the local copy, named with its place and the remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use crate::{Exit, Failure, sink};

/// Why the local copy could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused, or something lies there that is not followed.
    #[error(transparent)]
    Mail(#[from] postbox::Error),
    /// Neither `new` nor `cur` is there.
    #[error(
        "{} is not a Maildir: it has neither new nor cur; name another one, or fetch mail to it first \
         (fido fetch --to maildir:{})",
        place.display(), place.display()
    )]
    NoMaildir {
        /// What was to be opened.
        place: PathBuf,
    },
    /// There is no such folder.
    #[error("there is no folder {folder} in {}; make it first", place.display())]
    NoFolder {
        /// The Maildir.
        place: PathBuf,
        /// The folder's name, harmlessly written.
        folder: String,
    },
    /// No folder can be called that.
    #[error(
        "no folder can be called \"{name}\": a name has parts with a dot between them, none of them empty, at most \
         200 octets, and neither / nor control characters"
    )]
    Name {
        /// What was asked for, harmlessly written.
        name: String,
    },
    /// The folder was changed by another program each time that it was read.
    #[error("{} is being changed all the time by another program; try again when that is done", place.display())]
    Restless {
        /// The folder.
        place: PathBuf,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Mail(error) => sink::exit_of(error),
            Error::NoMaildir { .. } | Error::NoFolder { .. } => Exit::CannotCreate,
            Error::Name { .. } => Exit::Usage,
            Error::Restless { .. } => Exit::Temporary,
        };
        Self::new(exit, error.to_string())
    }
}

/// An error of the system at a place.
pub(super) fn failed<E: Into<io::Error>>(action: &'static str, place: &Path) -> impl Fn(E) -> Error {
    move |error| {
        let (source, place) = (error.into(), place.to_owned());
        match Errno::from_io_error(&source) {
            Some(Errno::LOOP) => postbox::Error::Strange { place, what: "a symbolic link" },
            Some(Errno::NOTDIR) => postbox::Error::Strange { place, what: "a symbolic link or not a folder" },
            _ => postbox::Error::Io { action, place, source },
        }
        .into()
    }
}

/// What was opened, or `None` where it does not exist.
pub(super) fn existing<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
