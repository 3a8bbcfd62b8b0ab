//! The indexes of files that have not changed since, kept for the sessions to come.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    Format,
    index::{Entry, Index},
};
use crate::{Error, error::failed, quiet};

/// What all kept indexes may take together, in octets; beyond it they are forgotten together.
const MOST: usize = 64 * 1024 * 1024;

/// The first octets of a file that are compared.
const HEAD: usize = 512;

/// A file at a moment: the same stamp means the same content, once the file is quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: Duration,
    /// It can not be set back, as the other can.
    changed: Duration,
    head: u64,
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let status = rustix::fs::fstat(file)?;
        let mut head = [0; HEAD];
        let count = file.read_at(&mut head, 0)?;
        let (modified, changed) = quiet::times(&status);
        Ok(Self {
            device: status.st_dev,
            inode: status.st_ino,
            size: u64::try_from(status.st_size).unwrap_or_default(),
            modified,
            changed,
            head: xxh3_64(head.get(..count).unwrap_or_default()),
        })
    }

    /// Device and inode.
    fn file(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// The size in octets.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a change from now on will show in the times.
    fn is_quiet(&self) -> bool {
        quiet::is_quiet((self.modified, self.changed))
    }
}

/// Indexes of files of one format.
#[derive(Debug)]
pub(crate) struct Indexes {
    format: &'static dyn Format,
    /// By device and inode.
    kept: Mutex<HashMap<(u64, u64), Kept>>,
}

#[derive(Debug)]
struct Kept {
    stamp: Stamp,
    was_quiet: bool,
    index: Arc<Index>,
}

impl Indexes {
    /// None yet.
    pub(crate) fn new(format: &'static dyn Format) -> Arc<Self> {
        Arc::new(Self { format, kept: Mutex::default() })
    }

    /// How messages lie in the files.
    pub(super) fn format(&self) -> &'static dyn Format {
        self.format
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(u64, u64), Kept>> {
        // Each entry is whole, whoever panicked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index of a file that nobody has changed since.
    pub(super) fn get(&self, stamp: &Stamp) -> Option<Arc<Index>> {
        let all = self.all();
        let kept = all.get(&stamp.file())?;
        (kept.was_quiet && kept.stamp == *stamp).then(|| Arc::clone(&kept.index))
    }

    /// The message that was the last of a file before it grew, if it has only grown; it has to be looked at first.
    pub(super) fn last(&self, stamp: &Stamp) -> Option<Entry> {
        let all = self.all();
        let kept = all.get(&stamp.file())?;
        let has_grown = kept.stamp.size <= stamp.size && kept.stamp.head == stamp.head;
        kept.index.entries.last().filter(|_| has_grown).copied()
    }

    /// The index of a file that is locked, made anew as far as that shows to be needed. A message that is
    /// taken from where it says has to be looked at first.
    pub(super) fn renew(&self, file: &File, stamp: &Stamp, path: &Path) -> Result<Arc<Index>, Error> {
        let was_quiet = stamp.is_quiet();
        let mut known = None;
        if let Some(kept) = self.all().get(&stamp.file()) {
            if kept.stamp == *stamp {
                return Ok(Arc::clone(&kept.index));
            }
            if kept.stamp.size < stamp.size && kept.stamp.head == stamp.head {
                known = Some(Arc::clone(&kept.index));
            }
        }
        let fail = failed("read", path);
        let scanner = || self.format.scanner(file, stamp.size);
        let appended = match known {
            Some(index) => index.scan_appended(&mut *scanner()).map_err(&fail)?,
            None => None,
        };
        let index = match appended {
            Some(index) => index,
            None => Index::scan(&mut *scanner())
                .map_err(&fail)?
                .ok_or_else(|| Error::Strange { place: path.to_owned(), what: self.format.is_none() })?,
        };
        if let Some(octet) = index.damage {
            tracing::warn!(file = %path.display(), octet, "there is no message where one should begin; what is before it is served, and nothing is written");
        }
        let (index, stamp) = (Arc::new(index), stamp.clone());
        let mut all = self.all();
        let weight: usize = all.values().map(|kept| kept.index.weight()).sum();
        if weight + index.weight() > MOST {
            all.clear();
        }
        all.insert(stamp.file(), Kept { stamp, was_quiet, index: Arc::clone(&index) });
        Ok(index)
    }

    /// The index is wrong.
    pub(super) fn forget(&self, stamp: &Stamp) {
        self.all().remove(&stamp.file());
    }
}
