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
    /// A database or an object store did not do what it was asked.
    #[error("cannot {action} in {place}: {cause}{}", remote_remedy(cause.as_ref()))]
    Remote {
        /// What was tried, as a verb.
        action: &'static str,
        /// Where.
        place: String,
        /// What it said.
        cause: Box<dyn std::error::Error + Send + Sync>,
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

/// An error with what its causes say, which libraries leave for others to ask.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub(crate) struct Remote<E>(pub(crate) E);

#[cfg(feature = "postgres")]
impl<E: std::error::Error> std::fmt::Display for Remote<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let more = error.to_string();
            // Some say themselves what their cause says.
            if !said.contains(&more) {
                write!(f, ": {more}")?;
            }
            (said, cause) = (more, error.source());
        }
        Ok(())
    }
}

#[cfg(feature = "postgres")]
impl<E: std::error::Error> std::error::Error for Remote<E> {}

#[cfg(feature = "postgres")]
impl Error {
    /// Whether the same may go well a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        let Self::Remote { cause, .. } = self else { return false };
        let code = sql_state(cause.as_ref());
        // Syntax and missing tables, rights, constraints and data (appendix A of PostgreSQL's manual).
        !code.is_some_and(|code| ["22", "23", "28", "3D", "42"].iter().any(|class| code.starts_with(class)))
    }
}

#[cfg(feature = "postgres")]
fn sql_state<'a>(cause: &'a (dyn std::error::Error + Send + Sync + 'static)) -> Option<&'a str> {
    let error = cause.downcast_ref::<Remote<tokio_postgres::Error>>()?;
    error.0.code().map(tokio_postgres::error::SqlState::code)
}

#[cfg(feature = "postgres")]
fn remote_remedy(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> &'static str {
    match sql_state(cause) {
        // A table, or a column of one.
        Some("42P01" | "42703") => ": run doghouse store migrate",
        // Statements that are there already, or are not.
        Some("42P05" | "26000") => {
            ": PgBouncer in transaction mode does so without max_prepared_statements (1.21); have it in session mode"
        }
        _ => "",
    }
}

#[cfg(not(feature = "postgres"))]
fn remote_remedy(_: &(dyn std::error::Error + Send + Sync + 'static)) -> &'static str {
    ""
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
