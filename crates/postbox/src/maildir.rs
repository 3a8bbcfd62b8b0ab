//! Maildir, and the Maildir++ folders below it.
//!
//! A message is a file in `new` or `cur`; we rename none but our own deliveries, so it stays as other programs
//! left it. Its number comes from its place in the order of delivery: the seconds at the start of its name,
//! then the name. `,S=` in a name is the file's size and `,W=` its size with CR LF line ends; `,W=` is
//! believed only while `,S=` is true. Every path below the account's root is walked by folder handles that
//! follow no link.

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::io::AsyncRead;

use crate::{
    Error, FolderName, Postbox,
    blocking::blocking,
    disk, draft,
    folder::with_inbox,
    place::{self, Place},
};

mod delivery;
mod doubt;
mod kept;
mod listing;
mod origin;
mod snapshot;
mod tmp;

use delivery::Draft;
use doubt::Doubts;
pub(crate) use kept::Kept;
pub(crate) use origin::Origin;
pub use snapshot::Snapshot;

/// An account whose mail is in a Maildir.
#[derive(Debug, Clone)]
pub struct Maildir {
    root: Place,
    kept: Arc<Kept>,
}

impl Maildir {
    /// The Maildir at `path`, whose links are followed; below it none is. Nothing is made before a delivery.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()), Arc::default())
    }

    /// The Maildir at a place.
    pub(crate) fn at(root: Place, kept: Arc<Kept>) -> Self {
        Self { root, kept }
    }

    fn folder(&self, folder: &FolderName) -> Place {
        if folder.is_inbox() {
            self.root.clone()
        } else {
            self.root.join(format!(".{}", folder.parts().join(".")).into())
        }
    }
}

impl Postbox for Maildir {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let place = self.folder(folder);
        // Looking where we are takes less than changing threads for it.
        if let Some(snapshot) = Snapshot::unchanged(&place, &self.kept)? {
            return Ok(snapshot);
        }
        let kept = Arc::clone(&self.kept);
        blocking(move || Snapshot::take(&place, kept)).await
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        let root = self.root.clone();
        blocking(move || {
            let mut found = Vec::new();
            if let Some(folder) = root.open()? {
                place::each_name(&folder, &root.path(), |name| {
                    let is_folder = || disk::open_folder(&folder, OsStr::from_bytes(name.to_bytes())).is_ok();
                    let name = name.to_bytes().strip_prefix(b".").and_then(FolderName::stored);
                    found.extend(name.filter(|_| is_folder()));
                })?;
            }
            Ok(with_inbox(found.into_iter()))
        })
        .await
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        let (place, is_folder) = (self.folder(folder), !folder.is_inbox());
        draft::deliver(move || Ok(Box::new(Draft::begin(&place, is_folder)?)), message).await
    }
}

/// One of a Maildir's three folders, or `None` where it does not exist.
fn open_part(folder: &OwnedFd, part: &str, place: &Path) -> Result<Option<OwnedFd>, Error> {
    place::existing(disk::open_folder(folder, part), "open", &place.join(part))
}
