//! The workstation's local copy of mail: a Maildir with Maildir++ folders, which other programs use at the same time.
//!
//! - [`Local`] is the Maildir, [`Folder`] one folder of it, [`Entry`] a message of that;
//! - [`Folder::mark`], [`Folder::purge`] and the like change it, each an [`Outcome`];
//! - [`Sort`], [`Filter`] and [`threads`] give orders of entries, which stay where they are;
//! - [`Summary`] is what a header says, [`header`] the plainest way to find it.
//!
//! Nothing here knows a terminal or waits for anything but the disk. docs/design/local-copy.md has the reasons.

mod change;
mod deliver;
mod error;
mod file_name;
mod folder;
pub mod header;
mod index;
mod listing;
mod name;
mod order;
mod summary;
mod threads;

use std::{
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use postbox::disk;

pub use change::Outcome;
pub use error::Error;
pub use file_name::Flags;
pub use folder::{Entry, Folder, Refreshed};
pub use listing::Place;
pub use name::Name;
pub use order::{Filter, Sort};
pub use summary::Summary;
pub use threads::{Threaded, threads};

use error::{existing, failed};
use listing::Parts;

/// What makes a summary of a header.
type Summarise = dyn Fn(&[u8]) -> Summary + Send + Sync;

/// A Maildir that is on this machine. It is cheap to clone.
#[derive(Clone)]
pub struct Local {
    path: PathBuf,
    root: Arc<OwnedFd>,
    summarise: Arc<Summarise>,
    maker: u32,
}

/// How many messages are in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The folder.
    pub name: Name,
    /// All messages.
    pub all: usize,
    /// Those in `new`: no program has shown them yet.
    pub new: usize,
    /// Those without the mark that the user has seen them; the new ones are among them.
    pub unseen: usize,
}

impl Local {
    /// Opens the Maildir at `path`, whose links are followed; below it none is.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let root = existing(disk::open_base(&path)).map_err(failed("open", &path))?;
        let Some(root) = root else { return Err(Error::NoMaildir { place: path }) };
        let parts = Parts::open(&root, &path)?;
        if parts.new.is_none() && parts.cur.is_none() {
            return Err(Error::NoMaildir { place: path });
        }
        Ok(Self { path, root: Arc::new(root), summarise: Arc::new(header::summary), maker: 0 })
    }

    /// Has summaries made by `summarise`, from a header with its line ends, of at most 64 KiB. `version`, from 1 on,
    /// is another one whenever other summaries come out: what an index has of other versions is not believed.
    #[must_use]
    pub fn summarised_by(
        mut self,
        version: u32,
        summarise: impl Fn(&[u8]) -> Summary + Send + Sync + 'static,
    ) -> Self {
        (self.maker, self.summarise) = (version, Arc::new(summarise));
        self
    }

    /// Where it is, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folders by their names, the inbox first, with what is in them. No message is opened.
    pub fn folders(&self) -> Result<Vec<Counts>, Error> {
        let mut names = vec![Name::inbox()];
        listing::each_folder(&self.root, |name| names.extend(Name::of_folder(name)))
            .map_err(failed("read", &self.path))?;
        names.sort_unstable();
        let mut folders = Vec::new();
        for name in names {
            match self.count(&name) {
                Ok(counts) => folders.extend(counts),
                Err(fault) if name.is_inbox() => return Err(fault),
                // One that is strange does not hide the others; opening it says what is wrong.
                Err(_) => {}
            }
        }
        Ok(folders)
    }

    /// Opens a folder. Messages that its index does not know are read now; `progress` is told how many are, and how
    /// many will be.
    pub fn folder(&self, name: &Name, progress: impl FnMut(usize, usize)) -> Result<Folder, Error> {
        let (handle, path) = self.existing(name)?;
        Folder::open(self.clone(), name.clone(), handle, path, progress)
    }

    /// Makes a folder; one that is there already is left as it is.
    pub fn make_folder(&self, name: &Name) -> Result<(), Error> {
        let Some(file_name) = name.file_name() else { return Ok(()) };
        let path = self.path.join(file_name);
        let fail = |error: std::io::Error| failed("make", &path)(error);
        let folder = disk::make_folder(&*self.root, file_name).map_err(fail)?;
        for part in ["tmp", "new", "cur"] {
            disk::make_folder(&folder, part).map_err(fail)?;
        }
        // By this other programs know that it belongs to the Maildir above.
        match disk::make_file(&folder, "maildirfolder") {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(fail(error)),
            _ => Ok(()),
        }
    }

    /// What is in a folder; `None` where it does not exist, or begins with a dot and is no folder of mail.
    fn count(&self, name: &Name) -> Result<Option<Counts>, Error> {
        let Some((handle, path)) = self.handle(name)? else { return Ok(None) };
        let parts = Parts::open(&handle, &path)?;
        let mut counts = Counts { name: name.clone(), all: 0, new: 0, unseen: 0 };
        for (part, is_new) in [(&parts.new, true), (&parts.cur, false)] {
            let Some(part) = part else { continue };
            let take = |name: &[u8], _| {
                counts.all += 1;
                counts.new += usize::from(is_new);
                counts.unseen += usize::from(is_new || !Flags::of(name).has(Flags::SEEN));
            };
            listing::each_file(part, take).map_err(failed("read", &path))?;
        }
        Ok((name.is_inbox() || parts.cur.is_some()).then_some(counts))
    }

    fn existing(&self, name: &Name) -> Result<(OwnedFd, PathBuf), Error> {
        let missing = || Error::NoFolder { place: self.path.clone(), folder: name.to_string() };
        self.handle(name)?.ok_or_else(missing)
    }

    /// A folder and where it is, for messages to people; `None` where it does not exist.
    fn handle(&self, name: &Name) -> Result<Option<(OwnedFd, PathBuf)>, Error> {
        let Some(file_name) = name.file_name() else {
            let root = self.root.try_clone().map_err(failed("open", &self.path))?;
            return Ok(Some((root, self.path.clone())));
        };
        let path = self.path.join(file_name);
        let handle = existing(disk::open_folder(&*self.root, file_name)).map_err(failed("open", &path))?;
        Ok(handle.map(|handle| (handle, path)))
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{index::Known, *};

    /// A message that is nowhere.
    pub(super) fn entry(name: &str, summary: Summary) -> Entry {
        let received = i64::try_from(postbox::name::seconds(name.as_bytes())).unwrap();
        let known = Known { inode: 1, size: name.len() as u64, received, summary };
        Entry { name: name.as_bytes().into(), place: Place::Cur, known }
    }
}
