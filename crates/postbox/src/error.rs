//! What can go wrong with mail, named with its place and the remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {action} {}: {source}{}", place.display(), remedy(source))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder that it was tried on.
        place: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something lies where mail should, and is not followed or read.
    #[error("{} is {what}; it is left alone: put what belongs there in its place", place.display())]
    Strange {
        /// The thing.
        place: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file of several messages in which something is no message.
    #[error(
        "{} has no message at octet {at}, where one should begin; nothing is written to it: mend it by hand, or move it away",
        place.display()
    )]
    Damaged {
        /// The file.
        place: PathBuf,
        /// Where that begins, in octets.
        at: u64,
    },
    /// A name of that kind has another meaning in that store.
    #[error("there can be no folder {folder:?} of {}: such a name stands for something else there; choose another", place.display())]
    Reserved {
        /// The account's default mailbox.
        place: PathBuf,
        /// The folder's name.
        folder: String,
    },
    /// A message no longer has the octets that its length promised.
    #[error(
        "the message in {place} changed while it was read; {promised} octets were promised, {found} found"
    )]
    Changed {
        /// The message.
        place: String,
        /// The length on the wire that was given out.
        promised: u64,
        /// The octets that there were when it showed; there may be more.
        found: u64,
    },
    /// The message to be delivered could not be read.
    #[error("cannot read the message that is to be delivered: {0}")]
    Source(io::Error),
}

impl Error {
    /// Whether trying again later, with no change to the set-up, may help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(self, Self::Strange { .. } | Self::Damaged { .. } | Self::Reserved { .. })
    }
}

/// An error of the system at a place.
pub(crate) fn failed(action: &'static str, place: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { action, place: place.to_owned(), source }
}

/// What to do about an error of the system, after a colon; nothing where there is no good advice.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": give the user that this program runs as access to it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room on that disk",
        io::ErrorKind::ReadOnlyFilesystem => ": mount it so that it can be written",
        io::ErrorKind::NotFound => ": make it, or correct the configuration",
        _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            ": raise the limit of open files (ulimit -n)"
        }
        _ => "",
    }
}
