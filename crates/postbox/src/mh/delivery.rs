//! Durable delivery: written under a name that MH does not see, synced, then given the next number.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::fs::AtFlags;

use super::{listing, sequences};
use crate::{
    Error, disk, draft,
    error::failed,
    lock::FolderLock,
    name,
    place::{Place, each_name},
};

/// What the names of messages begin with that are not whole yet.
const DRAFT: &str = ".doghouse-";

/// Nobody still writes a file that is this old.
const AGE: Duration = Duration::from_hours(36);

/// A message that is being delivered. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    folder: OwnedFd,
    file: File,
    name: String,
    place: PathBuf,
    drafted: bool,
}

impl Draft {
    /// Opens a file in the folder, which is made where it is missing.
    pub(super) fn begin(place: &Place) -> Result<Self, Error> {
        let path = place.path();
        let folder = place.make()?;
        sweep(&folder, &path);
        let name = format!("{DRAFT}{}", name::fresh());
        let file = disk::make_file(&folder, &name).map_err(failed("write a message in", &path))?;
        Ok(Self { folder, file, name, place: path, drafted: true })
    }

    fn take_number(&self) -> Result<u32, Error> {
        let fail = failed("write a message in", &self.place);
        let mut number = listing::highest(&self.folder, &self.place)?;
        loop {
            number = number
                .checked_add(1)
                .ok_or_else(|| fail(io::Error::other("no number is left; renumber it with folder -pack")))?;
            let visible = number.to_string();
            match disk::rename(&self.folder, OsStr::new(&self.name), &self.folder, OsStr::new(&visible)) {
                // Another delivery was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                renamed => return renamed.map(|()| number).map_err(fail),
            }
        }
    }
}

impl draft::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        disk::write(&mut self.file, octets).map_err(failed("write a message in", &self.place))
    }

    /// Makes the message durable and then visible, under a number above all others.
    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        let fail = failed("write a message in", &self.place);
        disk::sync(&self.file).map_err(&fail)?;
        let lock = FolderLock::take(&self.folder, &self.place)?;
        let number = self.take_number()?;
        drop(lock);
        self.drafted = false;
        if let Err(error) = disk::sync(&self.folder) {
            // Its sender will be told that it failed, and will send it again.
            let _ = disk::unlink(&self.folder, OsStr::new(&number.to_string()));
            return Err(fail(error));
        }
        sequences::added(&self.folder, &self.place, number);
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.drafted {
            // What cannot be removed now is swept later.
            let _ = disk::unlink(&self.folder, OsStr::new(&self.name));
        }
    }
}

/// Removes what deliveries that were cut off have left, once it is old.
fn sweep(folder: &OwnedFd, place: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let Ok(limit) = i64::try_from(now.saturating_sub(AGE).as_secs()) else { return };
    let mut old = Vec::new();
    let read = each_name(folder, place, |name| {
        let is_draft = name.to_bytes().starts_with(DRAFT.as_bytes());
        let status = || rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        if is_draft && status().is_ok_and(|status| status.st_mtime < limit) {
            old.push(name.to_owned());
        }
    });
    for name in read.map(|()| old).unwrap_or_default() {
        // It is housekeeping: what cannot be removed now is left for the next time.
        let _ = disk::unlink(folder, OsStr::from_bytes(name.to_bytes()));
    }
}
