//! The messages of a folder in the order of their numbers, in a few tens of octets each.

use std::{cmp::Ordering, io, num::NonZeroU32, os::fd::OwnedFd, path::Path};

use rustix::fs::{FileType, RawDir};

use super::open_part;
use crate::{Error, error::failed, name, strange::Strange};

/// How much of a folder is read at once, in octets: some thousand names.
const PIECE: usize = 256 * 1024;

/// How often a folder is read again that changes while it is read.
const TRIES: u32 = 3;

/// Which of a Maildir's two folders of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    New,
    Cur,
}

impl Part {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// File names, all in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// What lies there and is no message.
    strange: Strange,
}

/// Where a name is, and what it is sorted by: names are compared many times, and read once.
#[derive(Debug, Clone, Copy)]
struct Entry {
    seconds: u64,
    start: u32,
    length: u8,
    /// How long the part of the name is that stays.
    unique: u8,
    part: Part,
}

impl Listing {
    /// Reads `new` and then `cur`: a message that moves from one to the other meanwhile is met at least once.
    pub(super) fn read(folder: &OwnedFd, place: &Path) -> Result<Self, Error> {
        let new = open_part(folder, Part::New.as_str(), place)?;
        let cur = open_part(folder, Part::Cur.as_str(), place)?;
        let fail = failed("read", place);
        for attempt in 1.. {
            let mut listing = Self::default();
            if let Some(new) = &new {
                listing.add(new, Part::New).map_err(&fail)?;
            }
            if let Some(cur) = &cur {
                // A file that is renamed while its folder is read may be met twice, or not at all.
                let before = changed_at(cur).map_err(&fail)?;
                listing.add(cur, Part::Cur).map_err(&fail)?;
                if changed_at(cur).map_err(&fail)? != before && attempt < TRIES {
                    continue;
                }
            }
            listing.order();
            std::mem::take(&mut listing.strange).tell(place);
            return Ok(listing);
        }
        Ok(Self::default())
    }

    fn add(&mut self, folder: &OwnedFd, part: Part) -> io::Result<()> {
        let mut buffer: Vec<u8> = Vec::with_capacity(PIECE);
        rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0))?;
        let mut names = RawDir::new(folder, buffer.spare_capacity_mut());
        while let Some(entry) = names.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name.starts_with(b".") {
                continue;
            }
            if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
                self.strange.note(entry.file_name());
                continue;
            }
            let too_many = |_| io::Error::other("more file names than can be numbered");
            let start = u32::try_from(self.names.len()).map_err(too_many)?;
            let length = u8::try_from(name.len()).map_err(too_many)?;
            let unique = u8::try_from(name::unique(name).len()).map_err(too_many)?;
            self.names.extend_from_slice(name);
            self.entries.push(Entry { seconds: name::seconds(name), start, length, unique, part });
        }
        Ok(())
    }

    fn order(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.entries.sort_unstable_by(|a, b| order(&names, a, b).then(a.part.cmp(&b.part)));
        // Of a message met in both places, the later one is where it went.
        self.entries.reverse();
        self.entries.dedup_by(|a, b| order(&names, a, b).is_eq());
        self.entries.reverse();
        self.entries.shrink_to_fit();
        self.names = names;
        self.names.shrink_to_fit();
    }

    /// How much memory it takes, in octets.
    pub(super) fn weight(&self) -> usize {
        self.names.len() + size_of_val(self.entries.as_slice())
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, number: NonZeroU32) -> Option<(Part, &[u8])> {
        let entry = self.entries.get(number.get() as usize - 1)?;
        Some((entry.part, name_in(&self.names, *entry)))
    }

    /// The message whose name is that up to its flags.
    pub(super) fn find(&self, unique: &[u8]) -> Option<(Part, &[u8])> {
        let key = (name::seconds(unique), unique);
        let of = |entry: &Entry| (entry.seconds, unique_in(&self.names, entry));
        let at = self.entries.binary_search_by(|entry| of(entry).cmp(&key)).ok()?;
        self.entries.get(at).map(|entry| (entry.part, name_in(&self.names, *entry)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Part, &[u8])> {
        self.entries.iter().map(|entry| (entry.part, name_in(&self.names, *entry)))
    }
}

fn name_in(names: &[u8], entry: Entry) -> &[u8] {
    let start = entry.start as usize;
    names.get(start..start + usize::from(entry.length)).unwrap_or_default()
}

fn unique_in<'a>(names: &'a [u8], entry: &Entry) -> &'a [u8] {
    let start = entry.start as usize;
    names.get(start..start + usize::from(entry.unique)).unwrap_or_default()
}

/// The order of two messages, but for where they are.
fn order(names: &[u8], a: &Entry, b: &Entry) -> Ordering {
    a.seconds.cmp(&b.seconds).then_with(|| unique_in(names, a).cmp(unique_in(names, b)))
}

fn changed_at(folder: &OwnedFd) -> io::Result<(i64, u64)> {
    let status = rustix::fs::fstat(folder)?;
    Ok((status.st_mtime, status.st_mtime_nsec))
}
