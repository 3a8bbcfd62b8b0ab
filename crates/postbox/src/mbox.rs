//! mbox: all messages in one file, each behind a `From ` line.
//!
//! INBOX is the file itself, the spool file of UNIX; the other folders are files in the folder `NAME.folders`
//! beside it, named as people write them. mboxo, mboxrd and `Content-Length` are read, mboxrd is written.
//! Others may use the file at the same time: it is locked as they lock it, only while the disk works, and never
//! renamed or replaced. A message is known by its content, so it is found again after others have rewritten
//! the file.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, FolderName, Postbox, blocking::blocking, place::Place};

mod copy;
mod delivery;
mod envelope;
mod expunge;
mod index;
mod kept;
mod opened;
mod quoting;
mod snapshot;
mod window;

use delivery::Draft;
pub(crate) use kept::Indexes;
use opened::Spot;
pub use snapshot::Snapshot;

/// How much of a message is taken from its source at a time, in octets.
const PIECE: usize = 64 * 1024;

/// An account whose mail is in an mbox.
#[derive(Debug, Clone)]
pub struct Mbox {
    inbox: Place,
    indexes: Arc<Indexes>,
}

impl Mbox {
    /// The mbox at `path`; links on the way to it are followed, but it is none itself. Nothing is made before
    /// a delivery.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()), Arc::default())
    }

    /// The mbox at a place.
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

/// Whether a file of that name would be taken for the dotlock of another.
fn is_lock(name: &[u8]) -> bool {
    name.ends_with(b".lock")
}

impl Postbox for Mbox {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let Ok(spot) = self.spot(folder) else { return Ok(Snapshot::default()) };
        blocking(move || Snapshot::take(spot)).await
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        mut message: R,
    ) -> Result<(), Error> {
        let spot = self.spot(folder)?;
        let mut draft = blocking(move || Draft::begin(spot)).await?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = message.read(&mut piece).await.map_err(Error::Source)?;
            if count == 0 {
                break;
            }
            draft.write(piece.get(..count).unwrap_or_default())?;
        }
        blocking(move || draft.commit(SystemTime::now())).await
    }
}
