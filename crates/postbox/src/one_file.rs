//! What stores share that keep all messages of a folder in one file.
//!
//! INBOX is the file itself; the other folders are files in the folder `NAME.folders` beside it, named as people
//! write them. Others may use a file at the same time: it is locked as they lock it, only while the disk works,
//! and never renamed or replaced. A message is known by its content, so it is found again after others have
//! rewritten the file.

use std::{fmt, fs::File, io, path::PathBuf, sync::Arc};

use tokio::io::AsyncRead;

use crate::{
    Error, FolderName, Message, Postbox,
    blocking::blocking,
    disk,
    draft::{self, Draft},
    folder::with_inbox,
    lock::Manner,
    mbox, mtx,
    place::{self, Place},
};

mod expunge;
mod index;
mod kept;
mod opened;
mod snapshot;
mod window;

#[cfg(test)]
pub(crate) use index::Index;
pub(crate) use index::{Entry, SEED, Scanner};
pub(crate) use kept::Indexes;
pub(crate) use opened::{Opened, Spot};
pub use snapshot::Snapshot;
pub(crate) use window::{Window, first_line};

/// How much of a message is taken at a time, in octets.
pub(crate) const PIECE: usize = 64 * 1024;

/// How messages lie in a file.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// What the file is not that lacks what a file of this format begins with.
    fn is_none(&self) -> &'static str;

    /// How programs that know the format lock a file of it.
    fn locked(&self) -> Manner;

    /// What finds the messages in the first `size` octets of a file.
    fn scanner<'a>(&self, file: &'a File, size: u64) -> Box<dyn Scanner + 'a>;

    /// A copy of a message, as it was when it was delivered: others may rewrite the file while it is held.
    fn copy(&self, opened: &Opened, entry: &Entry) -> Result<Message, Error>;

    /// Begins a delivery.
    fn draft(&self, spot: Spot) -> Result<Box<dyn Draft>, Error>;
}

/// An account whose folders are a file each.
#[derive(Debug, Clone)]
pub struct MailFile {
    inbox: Place,
    indexes: Arc<Indexes>,
}

impl MailFile {
    /// The mbox at `path`; links on the way to it are followed, but it is none itself. Nothing is made before
    /// a delivery.
    pub fn mbox(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()), Indexes::new(&mbox::Format))
    }

    /// The same of a TOPS-20 mail file.
    pub fn mtx(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()), Indexes::new(&mtx::Format))
    }

    /// The file at a place, with indexes that are shared by several accounts.
    pub(crate) fn at(inbox: Place, indexes: Arc<Indexes>) -> Self {
        Self { inbox, indexes }
    }

    fn spot(&self, folder: &FolderName) -> Result<Spot, Error> {
        let reserved = || Error::Reserved { place: self.inbox.path(), folder: folder.to_string() };
        let (above, name) = self.inbox.split().ok_or_else(reserved)?;
        if is_lock(name.as_encoded_bytes()) {
            return Err(reserved());
        }
        if folder.is_inbox() {
            return Ok(Spot::new(above, name, Arc::clone(&self.indexes)));
        }
        let (mut folders, file) = (name, folder.parts().join("."));
        folders.push(".folders");
        if is_lock(file.as_bytes()) {
            return Err(reserved());
        }
        Ok(Spot::new(above.join(folders), file.into(), Arc::clone(&self.indexes)))
    }
}

impl Postbox for MailFile {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let Ok(spot) = self.spot(folder) else { return Ok(Snapshot::default()) };
        blocking(move || Snapshot::take(spot)).await
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        let Some((above, mut name)) = self.inbox.split() else { return Ok(vec![FolderName::inbox()]) };
        name.push(".folders");
        let place = above.join(name);
        blocking(move || {
            let mut found = Vec::new();
            if let Some(folder) = place.open()? {
                place::each_name(&folder, &place.path(), |name| {
                    let is_file = |name| disk::is_file(&folder, name);
                    found.extend(FolderName::stored(name.to_bytes()).filter(|_| is_file(name)));
                })?;
            }
            found.retain(|name| !is_lock(name.to_string().as_bytes()));
            Ok(with_inbox(found.into_iter()))
        })
        .await
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        let spot = self.spot(folder)?;
        let format = self.indexes.format();
        draft::deliver(move || format.draft(spot), message).await
    }
}

/// Whether a file of that name would be taken for the dotlock of another.
fn is_lock(name: &[u8]) -> bool {
    name.ends_with(b".lock")
}

/// Whether the message that `entry` says is where it says.
fn is_there(format: &dyn Format, file: &File, size: u64, entry: &Entry) -> io::Result<bool> {
    Ok(entry.end <= size && format.scanner(file, size).entry(entry.start)? == Some(*entry))
}
