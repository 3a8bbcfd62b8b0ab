//! What fido has learnt from the messages of a folder, kept in a file so that they need not be opened again.
//!
//! A head of [`MAGIC`], the version of this form (u32), that of the summaries (u32), the number of records (u32) and
//! the checksum (u64) of all records, which follow; numbers are little-endian:
//!
//! | field | octets |
//! |---|---|
//! | inode, size, received, date | 8 each |
//! | whether there is a date | 1 |
//! | where sender, subject and id end in the text | 2 each |
//! | length of the unique name, of the text | 1, 2 |
//! | unique name, text | as many |
//!
//! It is not synced. One that is not whole, not of these versions or not sound is as none.

use std::{collections::HashMap, ffi::OsStr, fs::File, io::Read, os::fd::OwnedFd};

use postbox::{disk, name};
use rustix::fs::{Mode, OFlags};
use xxhash_rust::xxh3::xxh3_64;

use super::{Entry, Summary};

/// The file's name. It has no dot before it: in a Maildir that is the mark of a folder.
pub(super) const FILE: &str = "fido-index";

const MAGIC: &[u8; 8] = b"fidoidx\n";
const VERSION: u32 = 1;

/// An index larger than this, in octets, is not read.
const MOST: u64 = 1 << 30;

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) received: i64,
    pub(super) summary: Summary,
}

/// What is known of messages, by their unique names.
pub(super) type Index<'a> = HashMap<&'a [u8], Known>;

/// Reads the index file of a folder; nothing where there is none.
pub(super) fn load(folder: &OwnedFd) -> Vec<u8> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let read = || -> std::io::Result<Vec<u8>> {
        let file: File = rustix::fs::openat(folder, FILE, flags, Mode::empty())?.into();
        let status = file.metadata()?;
        let mut octets = Vec::new();
        if status.is_file() && status.len() <= MOST {
            octets.reserve_exact(usize::try_from(status.len()).unwrap_or(0));
            file.take(MOST).read_to_end(&mut octets)?;
        }
        Ok(octets)
    };
    read().unwrap_or_default()
}

/// Reads an index; `None` where it is not to be believed. `maker` is the version of the summaries.
pub(super) fn decode(octets: &[u8], maker: u32) -> Option<Index<'_>> {
    let mut rest = Fields(octets);
    if rest.array()? != *MAGIC || rest.u32()? != VERSION || rest.u32()? != maker {
        return None;
    }
    let count = usize::try_from(rest.u32()?).ok()?;
    if rest.u64()? != xxh3_64(rest.0) {
        return None;
    }
    let mut index = Index::with_capacity(count.min(rest.0.len() / RECORD));
    while !rest.0.is_empty() {
        let (name, known) = rest.record()?;
        index.insert(name, known);
    }
    (index.len() == count).then_some(index)
}

/// Writes an index of these messages. What could not be read of a message is not known.
pub(super) fn encode<'a>(entries: impl Iterator<Item = &'a Entry>, maker: u32) -> Vec<u8> {
    let (mut records, mut count) = (Vec::new(), 0_u32);
    for entry in entries {
        let (known, name) = (&entry.known, entry.unique());
        let text = known.summary.text();
        let lengths = (u8::try_from(name.len()), u16::try_from(text.len()));
        let (Ok(name_length), Ok(text_length), true) = (lengths.0, lengths.1, known.inode != 0) else {
            continue;
        };
        records.extend(known.inode.to_le_bytes());
        records.extend(known.size.to_le_bytes());
        records.extend(known.received.to_le_bytes());
        records.extend(known.summary.date().unwrap_or_default().to_le_bytes());
        records.push(u8::from(known.summary.date().is_some()));
        known.summary.ends().iter().for_each(|end| records.extend(end.to_le_bytes()));
        records.push(name_length);
        records.extend(text_length.to_le_bytes());
        records.extend(name);
        records.extend(text.as_bytes());
        count += 1;
    }
    let mut octets = Vec::with_capacity(records.len() + HEAD);
    octets.extend(MAGIC);
    octets.extend(VERSION.to_le_bytes());
    octets.extend(maker.to_le_bytes());
    octets.extend(count.to_le_bytes());
    octets.extend(xxh3_64(&records).to_le_bytes());
    octets.append(&mut records);
    octets
}

/// Puts an index in the place of the old one, whole: it is written in `tmp`, where what a killed process leaves is
/// removed by any program that keeps to Maildir's rules.
pub(super) fn save(folder: &OwnedFd, octets: &[u8]) -> std::io::Result<()> {
    let tmp = disk::make_folder(folder, "tmp")?;
    let fresh = name::fresh();
    let written = disk::make_file(&tmp, &fresh)
        .and_then(|mut file| std::io::Write::write_all(&mut file, octets))
        .and_then(|()| Ok(rustix::fs::renameat(&tmp, fresh.as_str(), folder, FILE)?));
    if written.is_err() {
        // Nothing more can be done about it; it is swept later.
        let _ = disk::unlink(&tmp, OsStr::new(&fresh));
    }
    written
}

const HEAD: usize = 8 + 3 * 4 + 8;
/// The least octets of a record.
const RECORD: usize = 4 * 8 + 1 + 3 * 2 + 1 + 2;

/// What is still to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn record(&mut self) -> Option<(&'a [u8], Known)> {
        let (inode, size, received, date) = (self.u64()?, self.u64()?, self.i64()?, self.i64()?);
        let [dated] = self.array()?;
        let ends = [self.u16()?, self.u16()?, self.u16()?];
        let [name_length] = self.array()?;
        let text_length = self.u16()?;
        let name = self.take(name_length.into())?;
        let text = str::from_utf8(self.take(text_length.into())?).ok()?;
        let summary = Summary::stored(text, ends, (dated == 1).then_some(date))?;
        Some((name, Known { inode, size, received, summary }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::local::tests::entry;

    fn entries() -> Vec<Entry> {
        vec![
            entry("1.a:2,S", Summary::new("Rex", "Bône", Some(-7), "1@x", &["0@x", "9@x"])),
            entry("2.b", Summary::default()),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let entries = entries();
        let octets = encode(entries.iter(), 3);
        let index = decode(&octets, 3).unwrap();
        assert_eq!(index.len(), 2);
        assert_eq!(index[&b"1.a"[..]], entries[0].known);
        assert_eq!(index[&b"2.b"[..]], entries[1].known);
        assert_eq!(decode(&octets, 4), None, "other summaries");
    }

    #[test]
    fn damage_at_any_octet_is_found() {
        let octets = encode(entries().iter(), 0);
        for at in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged, 0), None, "octet {at}");
            assert_eq!(decode(&octets[..at], 0), None, "{at} octets of it");
        }
        assert_eq!(decode(&[&octets[..], b"x"].concat(), 0), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300), count: u32) {
            let _ = decode(&octets, 0);
            // Past the checksum, where a hand that knows it could lead.
            let mut sound = [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 4], &count.to_le_bytes()].concat();
            sound.extend(xxh3_64(&octets).to_le_bytes());
            sound.extend(&octets);
            let _ = decode(&sound, 0);
        }

        #[test]
        fn any_entry_comes_back(
            name in "[a-z0-9.,=]{0,80}", sender in "\\PC{0,50}", subject in "\\PC{0,50}", date: Option<i64>,
        ) {
            let entry = entry(&name, Summary::new(&sender, &subject, date, "i@x", &["r@x"]));
            let octets = encode(std::iter::once(&entry), 9);
            let index = decode(&octets, 9).unwrap();
            prop_assert_eq!(index.get(entry.unique()), Some(&entry.known));
        }
    }
}
