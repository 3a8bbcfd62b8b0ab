//! Any kind of store that a configuration may name, behind the same two traits.

use std::num::NonZeroU32;

use tokio::io::AsyncRead;

#[cfg(feature = "postgres")]
use crate::postgres::{self, Postgres};
use crate::{
    Error, FolderName, Mailbox, Marks, Message, Postbox, Released, Terms, Undelivered, Usage,
    maildir::{self, Maildir},
    memory::{self, Memory},
    mh::{self, Mh},
    one_file::{self, MailFile},
    quota,
};

/// An account's folders in one store of any kind.
#[derive(Debug, Clone)]
pub enum Store {
    /// In memory.
    Memory(Memory),
    /// In a Maildir and the Maildir++ folders below it.
    Maildir(Maildir),
    /// In an mbox or a TOPS-20 mail file, with files for folders beside it.
    MailFile(MailFile),
    /// In an MH mail directory.
    Mh(Mh),
    /// In a database.
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

/// A folder of a [`Store`], selected.
#[derive(Debug)]
pub enum Selected {
    /// In memory.
    Memory(memory::Snapshot),
    /// In a Maildir.
    Maildir(maildir::Snapshot),
    /// In an mbox or a TOPS-20 mail file.
    MailFile(one_file::Snapshot),
    /// In an MH folder.
    Mh(mh::Snapshot),
    /// In a database.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Snapshot),
}

impl Postbox for Store {
    type Mailbox = Selected;

    async fn select(&self, folder: &FolderName) -> Result<Selected, Error> {
        match self {
            Self::Memory(memory) => memory.select(folder).await.map(Selected::Memory),
            Self::Maildir(maildir) => maildir.select(folder).await.map(Selected::Maildir),
            Self::MailFile(file) => file.select(folder).await.map(Selected::MailFile),
            Self::Mh(mh) => mh.select(folder).await.map(Selected::Mh),
            #[cfg(feature = "postgres")]
            Self::Postgres(mail) => mail.select(folder).await.map(Selected::Postgres),
        }
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        match self {
            Self::Memory(memory) => memory.folders().await,
            Self::Maildir(maildir) => maildir.folders().await,
            Self::MailFile(file) => file.folders().await,
            Self::Mh(mh) => mh.folders().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(mail) => mail.folders().await,
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
            Self::MailFile(file) => file.deliver(folder, message).await,
            Self::Mh(mh) => mh.deliver(folder, message).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(mail) => mail.deliver(folder, message).await,
        }
    }

    async fn usage(&self) -> Result<Usage, Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(mail) => mail.usage().await,
            _ => quota::usage(self).await,
        }
    }

    async fn deliver_within<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
        terms: Terms<'_>,
    ) -> Result<(), Undelivered> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(mail) => mail.deliver_within(folder, message, terms).await,
            _ => quota::deliver(self, folder, message, terms.quota).await,
        }
    }
}

impl Mailbox for Selected {
    fn count(&self) -> u32 {
        match self {
            Self::Memory(snapshot) => snapshot.count(),
            Self::Maildir(snapshot) => snapshot.count(),
            Self::MailFile(snapshot) => snapshot.count(),
            Self::Mh(snapshot) => snapshot.count(),
            #[cfg(feature = "postgres")]
            Self::Postgres(snapshot) => snapshot.count(),
        }
    }

    async fn size(&mut self) -> Result<u64, Error> {
        match self {
            Self::Memory(snapshot) => snapshot.size().await,
            Self::Maildir(snapshot) => snapshot.size().await,
            Self::MailFile(snapshot) => snapshot.size().await,
            Self::Mh(snapshot) => snapshot.size().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(snapshot) => snapshot.size().await,
        }
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        match self {
            Self::Memory(snapshot) => snapshot.message(number).await,
            Self::Maildir(snapshot) => snapshot.message(number).await,
            Self::MailFile(snapshot) => snapshot.message(number).await,
            Self::Mh(snapshot) => snapshot.message(number).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(snapshot) => snapshot.message(number).await,
        }
    }

    async fn release(self, marks: &Marks) -> Released {
        match self {
            Self::Memory(snapshot) => snapshot.release(marks).await,
            Self::Maildir(snapshot) => snapshot.release(marks).await,
            Self::MailFile(snapshot) => snapshot.release(marks).await,
            Self::Mh(snapshot) => snapshot.release(marks).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(snapshot) => snapshot.release(marks).await,
        }
    }
}
