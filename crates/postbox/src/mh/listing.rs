//! The messages of a folder in the order of their numbers.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::Path,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use xxhash_rust::xxh3::Xxh3;

use crate::{Error, place::each_name, quiet, strange::Strange};

/// A file, whatever its number: renaming it changes none of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    inode: u64,
    size: i64,
    modified: (i64, u64),
}

impl Identity {
    /// The file's size in octets.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or_default()
    }

    /// `None` for what is no plain file.
    pub(super) fn of(status: &Stat) -> Option<Self> {
        let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
        is_file.then_some(Self {
            inode: status.st_ino,
            size: status.st_size,
            modified: (status.st_mtime, status.st_mtime_nsec),
        })
    }
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// As MH counts.
    pub(super) number: u32,
    pub(super) identity: Identity,
    /// The hash of its content, where it was so new that another could have come to look the same since: in the
    /// same moment, of the same size, in the place on the disk that the first one left.
    content: Option<u64>,
}

impl Entry {
    /// Opens the file of that number, without following a link, if it is this message.
    pub(super) fn open_as(&self, folder: &OwnedFd, number: u32) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match rustix::fs::openat(folder, number.to_string(), flags, Mode::empty()) {
            Ok(file) => file.into(),
            // A link in its place is another thing.
            Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let is_it = Identity::of(&rustix::fs::fstat(&file)?).as_ref() == Some(&self.identity)
            && (self.content.is_none() || self.content == Some(hash(&file)?));
        Ok(is_it.then_some(file))
    }

    /// Whether the file of that number is this message.
    pub(super) fn is_at(&self, folder: &OwnedFd, number: u32) -> bool {
        let status = rustix::fs::statat(folder, number.to_string(), AtFlags::SYMLINK_NOFOLLOW);
        status.is_ok_and(|status| Identity::of(&status).as_ref() == Some(&self.identity))
            && (self.content.is_none() || matches!(self.open_as(folder, number), Ok(Some(_))))
    }
}

fn hash(file: &File) -> io::Result<u64> {
    let (mut hash, mut piece, mut offset) = (Xxh3::new(), vec![0; 16 * 1024], 0);
    loop {
        match file.read_at(&mut piece, offset)? {
            0 => return Ok(hash.digest()),
            count => {
                hash.update(piece.get(..count).unwrap_or_default());
                offset += count as u64;
            }
        }
    }
}

/// What a folder holds, by MH's number.
pub(super) fn read(folder: &OwnedFd, place: &Path) -> Result<Vec<Entry>, Error> {
    let (mut entries, mut strange) = (Vec::new(), Strange::default());
    each_name(folder, place, |name| {
        let Some(number) = message_number(name.to_bytes()) else { return };
        // A message that goes meanwhile is one that is not there.
        let status = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let Ok(status) = status else { return };
        if let Some(identity) = Identity::of(&status) {
            let mut entry = Entry { number, identity, content: None };
            if !quiet::is_quiet(quiet::times(&status)) {
                let Ok(Some(file)) = entry.open_as(folder, number) else { return };
                let Ok(content) = hash(&file) else { return };
                entry.content = Some(content);
            }
            entries.push(entry);
        } else {
            strange.note(name);
        }
    })?;
    strange.tell(place);
    entries.sort_unstable_by_key(|entry| entry.number);
    Ok(entries)
}

/// The same, to find files by what they are.
pub(super) fn by_identity(folder: &OwnedFd, place: &Path) -> Result<HashMap<Identity, u32>, Error> {
    Ok(read(folder, place)?.into_iter().map(|entry| (entry.identity, entry.number)).collect())
}

/// The highest number that a message, or whatever else, has.
pub(super) fn highest(folder: &OwnedFd, place: &Path) -> Result<u32, Error> {
    let mut highest = 0;
    each_name(folder, place, |name| highest = highest.max(message_number(name.to_bytes()).unwrap_or(0)))?;
    Ok(highest)
}

/// The number that a file name is: decimal, from 1 on, without leading zeros.
pub(super) fn message_number(name: &[u8]) -> Option<u32> {
    if name.first()? == &b'0' || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_messages() {
        assert_eq!(message_number(b"1"), Some(1));
        assert_eq!(message_number(b"4294967295"), Some(u32::MAX));
        for name in ["", "0", "01", "-1", "+1", "1a", ",1", ".1", "4294967296", "99999999999999999999"] {
            assert_eq!(message_number(name.as_bytes()), None, "{name}");
        }
    }
}
