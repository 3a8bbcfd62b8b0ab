//! mbox: all messages in one file, each behind a `From ` line, as in the spool file of UNIX.
//!
//! mboxo, mboxrd and `Content-Length` are read, mboxrd is written.

use std::{fs::File, path::PathBuf, sync::Arc};

use tokio::io::AsyncRead;

pub use crate::one_file::Snapshot;
use crate::{
    Error, FolderName, Message, Postbox,
    draft::Draft,
    lock::Manner,
    one_file::{self, Entry, Files, Indexes, Opened, Spot},
    place::Place,
};

mod copy;
mod delivery;
mod envelope;
mod quoting;
mod scanner;

/// An account whose mail is in an mbox.
#[derive(Debug, Clone)]
pub struct Mbox(Files);

impl Mbox {
    /// The mbox at `path`; links on the way to it are followed, but it is none itself. Nothing is made before
    /// a delivery.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()), Self::indexes())
    }

    /// The mbox at a place.
    pub(crate) fn at(inbox: Place, indexes: Arc<Indexes>) -> Self {
        Self(Files::new(inbox, indexes))
    }

    /// For several accounts to share.
    pub(crate) fn indexes() -> Arc<Indexes> {
        Indexes::new(&Format)
    }
}

impl Postbox for Mbox {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        self.0.select(folder).await
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        self.0.folders().await
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        self.0.deliver(folder, message).await
    }
}

/// How an mbox is written.
#[derive(Debug)]
struct Format;

impl one_file::Format for Format {
    fn is_none(&self) -> &'static str {
        "no mbox, for it does not begin with a From line"
    }

    fn locked(&self) -> Manner {
        Manner::Dotlock
    }

    fn scanner<'a>(&self, file: &'a File, size: u64) -> Box<dyn one_file::Scanner + 'a> {
        Box::new(scanner::Scanner::new(file, size))
    }

    fn copy(&self, opened: &Opened, entry: &Entry) -> Result<Message, Error> {
        copy::copy(opened, entry)
    }

    fn draft(&self, spot: Spot) -> Result<Box<dyn Draft>, Error> {
        Ok(Box::new(delivery::Draft::begin(spot)?))
    }
}
