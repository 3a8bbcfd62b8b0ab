//! Any kind of store that a configuration may name, behind the same two traits.

use std::num::NonZeroU32;

use tokio::io::AsyncRead;

use crate::{
    Error, FolderName, Mailbox, Marks, Message, Postbox, Released,
    maildir::{self, Maildir},
    mbox::{self, Mbox},
    memory::{self, Memory},
    mh::{self, Mh},
    mtx::{self, Mtx},
};

/// An account's folders in one store of any kind.
#[derive(Debug)]
pub enum Store {
    /// In memory.
    Memory(Memory),
    /// In a Maildir and the Maildir++ folders below it.
    Maildir(Maildir),
    /// In an mbox, with files for folders beside it.
    Mbox(Mbox),
    /// In an MH mail directory.
    Mh(Mh),
    /// In a TOPS-20 mail file.
    Mtx(Mtx),
}

/// A folder of a [`Store`], selected.
#[derive(Debug)]
pub enum Selected {
    /// In memory.
    Memory(memory::Snapshot),
    /// In a Maildir.
    Maildir(maildir::Snapshot),
    /// In an mbox.
    Mbox(mbox::Snapshot),
    /// In an MH folder.
    Mh(mh::Snapshot),
    /// In a TOPS-20 mail file.
    Mtx(mtx::Snapshot),
}

impl Postbox for Store {
    type Mailbox = Selected;

    async fn select(&self, folder: &FolderName) -> Result<Selected, Error> {
        match self {
            Self::Memory(memory) => memory.select(folder).await.map(Selected::Memory),
            Self::Maildir(maildir) => maildir.select(folder).await.map(Selected::Maildir),
            Self::Mbox(mbox) => mbox.select(folder).await.map(Selected::Mbox),
            Self::Mh(mh) => mh.select(folder).await.map(Selected::Mh),
            Self::Mtx(mtx) => mtx.select(folder).await.map(Selected::Mtx),
        }
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        match self {
            Self::Memory(memory) => memory.folders().await,
            Self::Maildir(maildir) => maildir.folders().await,
            Self::Mbox(mbox) => mbox.folders().await,
            Self::Mh(mh) => mh.folders().await,
            Self::Mtx(mtx) => mtx.folders().await,
        }
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        match self {
            Self::Memory(memory) => memory.deliver(folder, message).await,
            Self::Maildir(maildir) => maildir.deliver(folder, message).await,
            Self::Mbox(mbox) => mbox.deliver(folder, message).await,
            Self::Mh(mh) => mh.deliver(folder, message).await,
            Self::Mtx(mtx) => mtx.deliver(folder, message).await,
        }
    }
}

impl Mailbox for Selected {
    fn count(&self) -> u32 {
        match self {
            Self::Memory(snapshot) => snapshot.count(),
            Self::Maildir(snapshot) => snapshot.count(),
            Self::Mbox(snapshot) => snapshot.count(),
            Self::Mh(snapshot) => snapshot.count(),
            Self::Mtx(snapshot) => snapshot.count(),
        }
    }

    async fn size(&mut self) -> Result<u64, Error> {
        match self {
            Self::Memory(snapshot) => snapshot.size().await,
            Self::Maildir(snapshot) => snapshot.size().await,
            Self::Mbox(snapshot) => snapshot.size().await,
            Self::Mh(snapshot) => snapshot.size().await,
            Self::Mtx(snapshot) => snapshot.size().await,
        }
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        match self {
            Self::Memory(snapshot) => snapshot.message(number).await,
            Self::Maildir(snapshot) => snapshot.message(number).await,
            Self::Mbox(snapshot) => snapshot.message(number).await,
            Self::Mh(snapshot) => snapshot.message(number).await,
            Self::Mtx(snapshot) => snapshot.message(number).await,
        }
    }

    async fn release(self, marks: &Marks) -> Released {
        match self {
            Self::Memory(snapshot) => snapshot.release(marks).await,
            Self::Maildir(snapshot) => snapshot.release(marks).await,
            Self::Mbox(snapshot) => snapshot.release(marks).await,
            Self::Mh(snapshot) => snapshot.release(marks).await,
            Self::Mtx(snapshot) => snapshot.release(marks).await,
        }
    }
}
