//! Durable delivery: written in `tmp`, synced, renamed into `new`, and the folder synced.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use pop2::wire;

use super::tmp;
use crate::{
    Error, disk, draft,
    error::failed,
    name::{self, Claim},
    place::{self, Place},
};

/// A message that is being delivered. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    tmp: OwnedFd,
    new: OwnedFd,
    file: File,
    name: String,
    size: u64,
    with_crlf: wire::Counter,
    place: PathBuf,
    /// Whether the file is still in `tmp`.
    drafted: bool,
}

impl Draft {
    /// Opens a file in `tmp`; makes the Maildir where it is missing. `is_folder` says that it is one of
    /// Maildir++'s below another, which bears a mark.
    pub(super) fn begin(place: &Place, is_folder: bool) -> Result<Self, Error> {
        let path = place.path();
        let folder = place.make()?;
        let part = |part: &str| {
            disk::make_folder(&folder, part)
                .map_err(|error| place::strange_or(error, "make", &path.join(part)))
        };
        let (tmp, new, _cur) = (part("tmp")?, part("new")?, part("cur")?);
        if is_folder {
            mark_as_folder(&folder, &path)?;
        }
        tmp::sweep(&folder, &path);
        let name = name::fresh();
        let file = disk::make_file(&tmp, &name).map_err(failed("write a message in", &path.join("tmp")))?;
        let with_crlf = wire::Counter::default();
        Ok(Self { tmp, new, file, name, size: 0, with_crlf, place: path, drafted: true })
    }
}

impl draft::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        disk::write(&mut self.file, octets).map_err(failed("write a message in", &self.place.join("tmp")))?;
        self.size += octets.len() as u64;
        self.with_crlf.count(octets);
        Ok(())
    }

    /// Makes the message durable and then visible, with its sizes in its name.
    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        let with_crlf = if self.size == 0 { 0 } else { self.with_crlf.length() };
        let visible = name::visible(&self.name, Claim { stored: self.size, with_crlf });
        let fail = failed("write a message in", &self.place);
        disk::sync(&self.file).map_err(&fail)?;
        disk::rename(&self.tmp, OsStr::new(&self.name), &self.new, &visible).map_err(&fail)?;
        self.drafted = false;
        if let Err(error) = disk::sync(&self.new) {
            // Its sender will be told that it failed, and will send it again.
            let _ = disk::unlink(&self.new, &visible);
            return Err(fail(error));
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.drafted {
            // What cannot be removed now is swept later.
            let _ = disk::unlink(&self.tmp, OsStr::new(&self.name));
        }
    }
}

/// Maildir++ marks its folders with an empty file, so that other programs find the Maildir above.
fn mark_as_folder(folder: &OwnedFd, place: &Path) -> Result<(), Error> {
    match disk::make_file(folder, "maildirfolder") {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(failed("write maildirfolder in", place)(error))
        }
        _ => Ok(()),
    }
}
