//! Mail in memory: for tests, here and elsewhere.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), postbox::Error> {
//! use postbox::{FolderName, Mailbox, Postbox, memory::Memory};
//!
//! let postbox = Memory::default();
//! postbox.deliver(&FolderName::inbox(), &b"Subject: bone\n\nWoof.\n"[..]).await?;
//! assert_eq!(postbox.select(&FolderName::inbox()).await?.count(), 1);
//! # Ok(())
//! # }
//! ```

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, FolderName, Mailbox, Marks, Message, Postbox, Released, folder::with_inbox};

/// An account whose mail is in memory. Clones are the same account.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Folders>>);

#[derive(Debug, Default)]
struct Folders {
    folders: BTreeMap<FolderName, BTreeMap<u64, Bytes>>,
    next: u64,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Folders> {
        // A map is whole between any two of its operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Postbox for Memory {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let ids =
            self.lock().folders.get(folder).map(|mail| mail.keys().copied().collect()).unwrap_or_default();
        Ok(Snapshot { memory: self.clone(), folder: folder.clone(), ids })
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        Ok(with_inbox(self.lock().folders.keys().cloned()))
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        mut message: R,
    ) -> Result<(), Error> {
        let mut octets = Vec::new();
        message.read_to_end(&mut octets).await.map_err(Error::Source)?;
        let mut folders = self.lock();
        folders.next += 1;
        let id = folders.next;
        folders.folders.entry(folder.clone()).or_default().insert(id, octets.into());
        Ok(())
    }
}

/// A folder as it was when it was selected.
#[derive(Debug)]
pub struct Snapshot {
    memory: Memory,
    folder: FolderName,
    ids: Vec<u64>,
}

impl Snapshot {
    fn id(&self, number: NonZeroU32) -> Option<u64> {
        self.ids.get(number.get() as usize - 1).copied()
    }
}

impl Mailbox for Snapshot {
    fn count(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    async fn size(&mut self) -> Result<u64, Error> {
        let memory = self.memory.lock();
        let Some(mail) = memory.folders.get(&self.folder) else { return Ok(0) };
        Ok(self.ids.iter().filter_map(|id| mail.get(id)).map(|octets| octets.len() as u64).sum())
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let Some(id) = self.id(number) else { return Ok(None) };
        let octets = self.memory.lock().folders.get(&self.folder).and_then(|mail| mail.get(&id).cloned());
        Ok(octets.map(Message::from_bytes))
    }

    async fn release(self, marks: &Marks) -> Released {
        if let Some(mail) = self.memory.lock().folders.get_mut(&self.folder) {
            for id in marks.iter().filter_map(|&number| self.id(number)) {
                mail.remove(&id);
            }
        }
        Released::default()
    }
}
