//! Where mail lives.
//!
//! - [`Postbox`] is one account's folders, [`Mailbox`] one selected folder: a snapshot whose messages keep
//!   their numbers until it is released. [`Message`] is one of them, held open.
//! - [`maildir`], [`one_file`] ([`mbox`] and MTX), [`mh`] and [`memory`] are stores; [`chain`] is several in order,
//!   taken for one.
//! - `postgres` (a feature) is for mail of many machines.
//! - [`disk`], [`name`] and [`quiet`] are what a program needs that works in a Maildir itself, as fido's reader does.
//! - [`Location`] is what a configuration says of where mail lives, and [`Store`] any of the kinds it may name.
//!
//! Every store passes the same battery of tests, in `tests/battery`.
#![forbid(unsafe_code)]

use std::{collections::BTreeSet, future::Future, num::NonZeroU32};

use tokio::io::AsyncRead;

mod blocking;
pub mod chain;
mod date;
pub mod disk;
mod draft;
mod error;
#[cfg(feature = "faults")]
pub mod faults;
mod folder;
mod journal;
pub mod letter;
mod location;
mod lock;
pub mod maildir;
pub mod mbox;
pub mod memory;
mod message;
pub mod mh;
mod mtx;
pub mod name;
pub mod one_file;
mod place;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod quiet;
mod quota;
mod spool;
mod store;
mod strange;

pub use error::Error;
pub use folder::{FolderName, FolderNameError};
pub use location::{HOME, Location, LocationError, USER};
pub use message::{Digest, Message, Octets};
pub use quota::{Quota, Terms, Undelivered, Usage};
pub use store::{Selected, Store};

/// Finds out what a process can no longer that has shut itself off from others; to be called before that, where it
/// is done. Without it a lock that a killed process has left is waited for until it is old.
pub fn before_sandbox() {
    lock::know_this_machine();
}

/// The numbers of messages to be deleted.
pub type Marks = BTreeSet<NonZeroU32>;

/// One account's folders.
pub trait Postbox: Send + Sync {
    /// What selecting gives.
    type Mailbox: Mailbox;

    /// Selects a folder: a snapshot of what it holds now. One that does not exist is empty, and is not made.
    fn select(&self, folder: &FolderName) -> impl Future<Output = Result<Self::Mailbox, Error>> + Send;

    /// The folders that there are by their names, the default mailbox first, which is always there. One whose
    /// name no [`FolderName`] can be is left out.
    fn folders(&self) -> impl Future<Output = Result<Vec<FolderName>, Error>> + Send;

    /// Delivers a message into a folder, which is made where it does not exist. The message is durable when
    /// this returns: written and synced, with its place. Where it fails, or is dropped, nothing is visible.
    fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// How much mail there is in all folders together.
    fn usage(&self) -> impl Future<Output = Result<Usage, Error>> + Send {
        async { quota::usage(self).await }
    }

    /// Delivers a message on terms, as [`deliver`](Self::deliver) does otherwise.
    fn deliver_within<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
        terms: Terms<'_>,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send
    where
        Self: Sized,
    {
        async move { quota::deliver(self, folder, message, terms.quota).await }
    }
}

/// One selected folder. Others may select it at the same time, and deliver into it, and delete from it: its
/// numbers stay what they are. Dropping it without [`release`](Mailbox::release) changes nothing.
pub trait Mailbox: Send {
    /// The messages that it had when it was selected; they are numbered from 1.
    fn count(&self) -> u32;

    /// How many octets its messages have as they are stored; not those that are gone already.
    fn size(&mut self) -> impl Future<Output = Result<u64, Error>> + Send;

    /// A message, held so that its length and its octets stay what they are whatever happens in the folder;
    /// `None` where it is gone.
    fn message(&mut self, number: NonZeroU32) -> impl Future<Output = Result<Option<Message>, Error>> + Send;

    /// Deletes what is marked and lets go of the folder. What is gone already counts as deleted.
    fn release(self, marks: &Marks) -> impl Future<Output = Released> + Send;
}

/// How a release went.
#[derive(Debug, Default)]
pub struct Released {
    /// How many marked messages could not be deleted and are still there.
    pub kept: usize,
    /// Why; several messages may share a fault.
    pub faults: Vec<Error>,
}

impl Released {
    fn keep(&mut self, fault: Error) {
        self.kept += 1;
        self.faults.push(fault);
    }

    fn all_kept(marks: &Marks, fault: Error) -> Self {
        Self { kept: marks.len(), faults: vec![fault] }
    }
}
