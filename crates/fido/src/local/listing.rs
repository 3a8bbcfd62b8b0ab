//! What lies in a folder's `new` and `cur` now: names, and no file is opened.

use std::{
    ffi::{CStr, OsStr},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::Duration,
};

use postbox::{disk, name, quiet};
use rustix::fs::{AtFlags, FileType, RawDir, Stat};

use super::{
    Error,
    error::{existing, failed},
};

/// How often a folder is read again that changes while it is read.
const TRIES: u32 = 3;

/// Where in a Maildir a message lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In `new`: no program has shown it to the user yet.
    New,
    /// In `cur`.
    Cur,
}

/// `new` and `cur`, as far as they exist.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) new: Option<OwnedFd>,
    pub(super) cur: Option<OwnedFd>,
}

impl Parts {
    pub(super) fn open(folder: &OwnedFd, path: &Path) -> Result<Self, Error> {
        let open =
            |part: &str| existing(disk::open_folder(folder, part)).map_err(failed("open", &path.join(part)));
        Ok(Self { new: open("new")?, cur: open("cur")? })
    }

    /// The part that is meant, or an error of the system that it is not there.
    pub(super) fn get(&self, place: Place) -> io::Result<&OwnedFd> {
        let part = match place {
            Place::New => &self.new,
            Place::Cur => &self.cur,
        };
        part.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The state of both, which differs after each change if it was quiet before.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        let state = |part: &Option<OwnedFd>| part.as_ref().map(State::of).transpose();
        Ok(Stamp([state(&self.new)?, state(&self.cur)?]))
    }
}

/// One folder at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    times: (Duration, Duration),
}

impl State {
    fn of(part: &OwnedFd) -> io::Result<Self> {
        let status = rustix::fs::fstat(part)?;
        Ok(Self { device: status.st_dev, inode: status.st_ino, times: quiet::times(&status) })
    }
}

/// `new` and `cur` at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp([Option<State>; 2]);

impl Stamp {
    /// Whether a change from now on would show.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.iter().flatten().all(|state| quiet::is_quiet(state.times))
    }
}

/// A file that is taken for a message.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: Box<[u8]>,
    pub(super) place: Place,
    pub(super) inode: u64,
    /// What sorting asks for again and again: the seconds in the name, and the length of its unique part.
    seconds: u64,
    unique: usize,
}

impl Item {
    pub(super) fn new(name: Box<[u8]>, place: Place, inode: u64) -> Self {
        let (seconds, unique) = (name::seconds(&name), name::unique(&name).len());
        Self { name, place, inode, seconds, unique }
    }

    pub(super) fn unique(&self) -> &[u8] {
        self.name.get(..self.unique).unwrap_or_default()
    }

    /// The order of delivery.
    fn key(&self) -> (u64, &[u8], Place, &[u8]) {
        (self.seconds, self.unique(), self.place, &self.name)
    }
}

/// The messages of a folder, in the order of delivery, each once.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) items: Vec<Item>,
    /// The state of the folder that this is surely all of; `None` where that cannot be told.
    pub(super) stamp: Option<Stamp>,
}

impl Listing {
    /// Reads `new` and then `cur`, since messages move that way: one that moves meanwhile is met at least once.
    pub(super) fn read(parts: &Parts, path: &Path) -> Result<Self, Error> {
        let fail = |error: io::Error| failed("read", path)(error);
        let mut left = TRIES;
        loop {
            left -= 1;
            let before = parts.stamp().map_err(fail)?;
            let was_quiet = before.is_quiet();
            let mut items = Vec::new();
            for (part, place) in [(&parts.new, Place::New), (&parts.cur, Place::Cur)] {
                if let Some(part) = part {
                    each_file(part, |name, inode| items.push(Item::new(name.into(), place, inode)))
                        .map_err(fail)?;
                }
            }
            // A file that is renamed while its folder is read may be met twice, or not at all.
            let is_still = parts.stamp().map_err(fail)? == before;
            if is_still || left == 0 {
                items.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
                // Of a message met in both, the later place is where it went.
                items.dedup_by(|later, kept| {
                    let same = later.unique() == kept.unique();
                    if same {
                        std::mem::swap(later, kept);
                    }
                    same
                });
                return Ok(Self { items, stamp: (is_still && was_quiet).then_some(before) });
            }
        }
    }
}

/// Hands out the plain files of a folder, with their inodes, but those whose names begin with a dot.
pub(super) fn each_file(folder: &OwnedFd, mut take: impl FnMut(&[u8], u64)) -> io::Result<()> {
    each(folder, |name, kind, inode| {
        let is_hidden = name.to_bytes().starts_with(b".");
        if !is_hidden && is_kind(folder, name, kind, FileType::RegularFile) {
            take(name.to_bytes(), inode);
        }
    })
}

/// Hands out the folders in a folder.
pub(super) fn each_folder(folder: &OwnedFd, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    each(folder, |name, kind, _| {
        if is_kind(folder, name, kind, FileType::Directory) {
            take(name.to_bytes());
        }
    })
}

fn each(folder: &OwnedFd, mut take: impl FnMut(&CStr, FileType, u64)) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(256 * 1024);
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0))?;
    let mut names = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = names.next() {
        let entry = entry?;
        take(entry.file_name(), entry.file_type(), entry.ino());
    }
    Ok(())
}

/// Some file systems do not say in a folder what a name stands for.
fn is_kind(folder: &OwnedFd, name: &CStr, kind: FileType, wanted: FileType) -> bool {
    let asked = || status(folder, name.to_bytes()).map(|status| FileType::from_raw_mode(status.st_mode));
    kind == wanted || (kind == FileType::Unknown && asked().is_ok_and(|kind| kind == wanted))
}

/// What the system says of a file, of a link itself where it is one.
pub(super) fn status(folder: impl AsFd, name: &[u8]) -> io::Result<Stat> {
    Ok(rustix::fs::statat(folder, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?)
}
