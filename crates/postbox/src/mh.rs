//! MH: a folder of files, each message one, named by its number.
//!
//! INBOX is the folder `inbox` of the mail directory; a folder's parts are folders in one another. Numbers of
//! messages in a session are places in the order of MH's numbers, of which some are missing and which MH gives
//! again: so a message is known by its file as well, and found again where another program has renumbered.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::io::AsyncRead;

use crate::{
    Error, FolderName, Postbox,
    blocking::blocking,
    disk, draft,
    folder::with_inbox,
    place::{Place, each_name},
};

mod delivery;
mod listing;
mod sequences;
mod snapshot;

use delivery::Draft;
pub use snapshot::Snapshot;

/// The folder of new mail, as MH's `Inbox` is by default.
const INBOX: &str = "inbox";

/// An account whose mail is in an MH mail directory.
#[derive(Debug, Clone)]
pub struct Mh {
    root: Arc<Place>,
}

impl Mh {
    /// The mail directory at `path`, whose links are followed; below it none is. Nothing is made before a
    /// delivery.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::new(path.into(), Vec::new()))
    }

    /// The mail directory at a place.
    pub(crate) fn at(root: Place) -> Self {
        Self { root: Arc::new(root) }
    }

    fn folder(&self, folder: &FolderName) -> Result<Place, Error> {
        if folder.is_inbox() {
            return Ok(self.root.join(INBOX.into()));
        }
        let is_message = |part: &String| part.bytes().all(|octet| octet.is_ascii_digit());
        if folder.parts().iter().any(is_message) {
            return Err(Error::Reserved { place: self.root.path(), folder: folder.to_string() });
        }
        Ok(folder.parts().iter().fold((*self.root).clone(), |place, part| place.join(part.into())))
    }
}

impl Postbox for Mh {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let Ok(place) = self.folder(folder) else { return Ok(Snapshot::default()) };
        blocking(move || Snapshot::take(&place)).await
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            let mut found = Vec::new();
            if let Some(folder) = root.open()? {
                find_folders(&folder, &root.path(), "", &mut found)?;
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
        let place = self.folder(folder)?;
        draft::deliver(move || Ok(Box::new(Draft::begin(&place)?)), message).await
    }
}

/// Finds the folders in one of the name `above`, as deep as a name can be.
fn find_folders(
    folder: &OwnedFd,
    place: &Path,
    above: &str,
    found: &mut Vec<FolderName>,
) -> Result<(), Error> {
    let mut names = Vec::new();
    each_name(folder, place, |name| {
        let is_folder =
            |part: &&str| !part.contains('.') && listing::message_number(part.as_bytes()).is_none();
        names.extend(name.to_str().ok().filter(is_folder).map(str::to_owned));
    })?;
    for name in names {
        let whole = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let Some(own) = FolderName::stored(whole.as_bytes()).or((whole == INBOX).then(FolderName::inbox))
        else {
            continue;
        };
        // Files and links are no folders.
        let Ok(inner) = disk::open_folder(folder, &name) else { continue };
        found.push(own);
        find_folders(&inner, &place.join(&name), &whole, found)?;
    }
    Ok(())
}
