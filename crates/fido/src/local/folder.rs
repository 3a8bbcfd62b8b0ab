//! One folder: its messages in memory, kept in step with the disk.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use memchr::memmem;
use postbox::name;
use rustix::fs::{FileType, Mode, OFlags};

use super::{
    Error, Flags, Local, Name, Place, Summary,
    error::failed,
    index::{self, Index, Known},
    listing::{self, Item, Listing, Parts, Stamp},
};

/// At most so much of a header is read, in octets.
const MOST_HEADER: u64 = 64 * 1024;
/// What nearly all headers fit in, in octets.
const PIECE: u64 = 4 * 1024;
/// An index is written at once when so many messages had to be read for it; else when the folder is left.
const MANY: usize = 256;

/// A message of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) place: Place,
    pub(super) known: Known,
}

impl Entry {
    /// The part of its file's name that stays when flags change; no two messages of a folder have the same.
    #[must_use]
    pub fn unique(&self) -> &[u8] {
        name::unique(&self.name)
    }

    /// Its file's name when the folder was last looked at.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        &self.name
    }

    /// Where it lay then.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Its flags then.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags::of(&self.name)
    }

    /// Its size in octets, as it is stored.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.known.size
    }

    /// When it was delivered, in seconds since 1970: from its name, else its file's time of modification.
    #[must_use]
    pub fn received(&self) -> i64 {
        self.known.received
    }

    /// What its header says; an empty one where the message cannot be read.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.known.summary
    }
}

/// What a refresh has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refreshed {
    /// Messages that are new to the folder; they are behind the others, in the order of delivery.
    pub added: usize,
    /// Messages that are gone; those behind them have moved up.
    pub removed: usize,
    /// Messages whose flags, place or file are not what they were.
    pub changed: usize,
}

/// An open folder. Its messages have positions, from 0, in the order in which they came: first all by their delivery,
/// later what each refresh has added. Dropping it writes its index.
#[derive(Debug)]
pub struct Folder {
    pub(super) local: Local,
    name: Name,
    pub(super) handle: OwnedFd,
    pub(super) path: PathBuf,
    pub(super) parts: Parts,
    pub(super) entries: Vec<Entry>,
    /// The state on the disk that the entries are surely all of.
    stamp: Option<Stamp>,
    /// Whether the index on the disk lacks something, or has too much.
    pub(super) is_unsaved: bool,
}

impl Folder {
    pub(super) fn open(
        local: Local,
        name: Name,
        handle: OwnedFd,
        path: PathBuf,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let parts = Parts::open(&handle, &path)?;
        let (octets, maker) = (index::load(&handle), local.maker);
        let mut folder =
            Self { local, name, handle, path, parts, entries: Vec::new(), stamp: None, is_unsaved: false };
        let index = index::decode(&octets, maker).unwrap_or_default();
        let (known, listing) = (index.len(), Listing::read(&folder.parts, &folder.path)?);
        let read = folder.take_in(listing, index, progress).1;
        folder.is_unsaved = read > 0 || known != folder.entries.len();
        if read >= MANY {
            // Where it cannot be written, as in a folder that is read-only, the reader works without.
            let _ = folder.save();
        }
        Ok(folder)
    }

    /// Which folder it is.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its messages, by their positions.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where a message is now among the entries, by its unique name.
    #[must_use]
    pub fn position(&self, unique: &[u8]) -> Option<usize> {
        self.entries.iter().position(|entry| entry.unique() == unique)
    }

    /// Takes in what has changed on the disk: cheap when nothing has. Entries that stay keep their order.
    /// `progress` is told how many new messages are read, and how many will be.
    pub fn refresh(&mut self, progress: impl FnMut(usize, usize)) -> Result<Refreshed, Error> {
        self.parts = Parts::open(&self.handle, &self.path)?;
        let now = self.parts.stamp().map_err(failed("examine", &self.path))?;
        if self.stamp == Some(now) {
            return Ok(Refreshed::default());
        }
        let listing = Listing::read(&self.parts, &self.path)?;
        let (refreshed, read) = self.take_in(listing, Index::new(), progress);
        self.is_unsaved |= read > 0 || refreshed.removed > 0;
        Ok(refreshed)
    }

    /// Writes the index if it lacks something. Nobody needs to call this: dropping the folder does it, too.
    pub fn save(&mut self) -> Result<(), Error> {
        if self.is_unsaved {
            let octets = index::encode(self.entries.iter(), self.local.maker);
            index::save(&self.handle, &octets).map_err(failed("write", &self.path.join(index::FILE)))?;
            self.is_unsaved = false;
        }
        Ok(())
    }

    /// Makes the entries those of a listing; says how many of those that are new to it were read as well.
    fn take_in(
        &mut self,
        listing: Listing,
        mut index: Index<'_>,
        mut progress: impl FnMut(usize, usize),
    ) -> (Refreshed, usize) {
        let Listing { mut items, stamp } = listing;
        self.stamp = stamp;
        let (mut refreshed, before) = (Refreshed::default(), self.entries.len());
        if before > 0 {
            items = self.keep(items, &mut refreshed);
            refreshed.removed = before - self.entries.len();
        }
        let mut known_of = |item: &Item| {
            let known = index.remove(item.unique())?;
            // A file that has taken another's name has another inode.
            (known.inode == item.inode).then_some(known)
        };
        let known: Vec<Option<Known>> = items.iter().map(&mut known_of).collect();
        let total = known.iter().filter(|known| known.is_none()).count();
        let mut read = 0;
        self.entries.reserve_exact(items.len());
        for (item, known) in items.into_iter().zip(known) {
            let known = known.or_else(|| {
                read += 1;
                progress(read, total);
                self.read(&item)
            });
            if let Some(known) = known {
                self.entries.push(Entry { name: item.name, place: item.place, known });
                refreshed.added += 1;
            }
        }
        (refreshed, read)
    }

    /// Keeps the entries that are among the items, as these have them; gives the items that are new.
    fn keep(&mut self, items: Vec<Item>, refreshed: &mut Refreshed) -> Vec<Item> {
        let places: HashMap<&[u8], usize> =
            items.iter().enumerate().map(|(at, item)| (item.unique(), at)).collect();
        let mut is_known = vec![false; items.len()];
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain_mut(|entry| {
            let found =
                places.get(entry.unique()).and_then(|&at| Some((items.get(at)?, is_known.get_mut(at)?)));
            let Some((item, is_known)) = found else { return false };
            *is_known = true;
            let is_same_file = entry.known.inode == item.inode;
            if is_same_file && entry.name == item.name && entry.place == item.place {
                return true;
            }
            refreshed.changed += 1;
            (entry.name, entry.place) = (item.name.clone(), item.place);
            if !is_same_file {
                self.is_unsaved = true;
                match self.read(item) {
                    Some(known) => entry.known = known,
                    None => return false,
                }
            }
            true
        });
        self.entries = entries;
        items.into_iter().zip(is_known).filter(|(_, is_known)| !is_known).map(|(item, _)| item).collect()
    }

    /// Reads a message's header; `None` where the message is gone, or is no plain file.
    pub(super) fn read(&self, item: &Item) -> Option<Known> {
        let part = self.parts.get(item.place).ok()?;
        let seconds = i64::try_from(name::seconds(&item.name)).unwrap_or(0);
        let received = |modified| if seconds > 0 { seconds } else { modified };
        match open_file(part, &item.name).and_then(|file| Ok((header(&file)?, file.metadata()?))) {
            Ok((header, status)) => {
                use std::os::unix::fs::MetadataExt;
                Some(Known {
                    inode: status.ino(),
                    size: status.len(),
                    received: received(status.mtime()),
                    summary: (self.local.summarise)(&header),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // One that may not be read is there all the same; it is tried again next time.
            Err(_) => {
                let status = listing::status(part, &item.name).ok()?;
                let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
                let size = u64::try_from(status.st_size).unwrap_or(0);
                let known = Known {
                    inode: 0,
                    size,
                    received: received(status.st_mtime),
                    summary: Summary::default(),
                };
                is_file.then_some(known)
            }
        }
    }

    /// Looks where messages are now that are not where they were. Nothing is added or removed, and the next
    /// refresh looks for itself.
    ///
    /// Gives whether messages that are not in the listing, which the second value has, are surely gone.
    pub(super) fn look_again(&mut self) -> Result<(bool, Vec<bool>), Error> {
        self.parts = Parts::open(&self.handle, &self.path)?;
        let Listing { items, stamp } = Listing::read(&self.parts, &self.path)?;
        let places: HashMap<&[u8], &Item> = items.iter().map(|item| (item.unique(), item)).collect();
        let there = self.entries.iter_mut().map(|entry| {
            let Some(item) = places.get(entry.unique()) else { return false };
            (entry.name, entry.place) = (item.name.clone(), item.place);
            true
        });
        Ok((stamp.is_some(), there.collect()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The index only saves time.
        let _ = self.save();
    }
}

/// Opens a message for reading, following no link and waiting for no pipe's writer.
pub(super) fn open_file(part: &OwnedFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = rustix::fs::openat(part, OsStr::from_bytes(name), flags, Mode::empty())?.into();
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a plain file")) }
}

/// The header with its line ends, without the empty line behind it.
fn header(file: &File) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    for most in [PIECE, MOST_HEADER] {
        let wanted = most - octets.len() as u64;
        let read = file.take(wanted).read_to_end(&mut octets)? as u64;
        let ends = [memmem::find(&octets, b"\n\n"), memmem::find(&octets, b"\n\r\n")];
        if let Some(end) = ends.into_iter().flatten().min() {
            octets.truncate(end + 1);
            break;
        }
        if read < wanted {
            break;
        }
    }
    Ok(octets)
}

/// Where a message is, for errors.
pub(super) fn place_of(path: &Path, entry: &Entry) -> PathBuf {
    let part = if entry.place == Place::New { "new" } else { "cur" };
    path.join(part).join(OsStr::from_bytes(&entry.name))
}
