//! A message comes into a folder: written in `tmp`, synced, and renamed to where it belongs.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
};

use pop2::wire;
use postbox::{
    disk,
    name::{self, Claim},
};

use super::{Error, Flags, Place, error::failed, file_name::with_flags};

/// A folder that messages can be put into.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    tmp: OwnedFd,
    new: OwnedFd,
    cur: OwnedFd,
}

impl Target {
    /// Opens a folder's parts, and makes those that are missing.
    pub(super) fn open(folder: &OwnedFd, path: &Path) -> Result<Self, Error> {
        let part = |part: &str| disk::make_folder(folder, part).map_err(failed("make", &path.join(part)));
        Ok(Self { path: path.to_owned(), tmp: part("tmp")?, new: part("new")?, cur: part("cur")? })
    }

    pub(super) fn part(&self, place: Place) -> &OwnedFd {
        match place {
            Place::New => &self.new,
            Place::Cur => &self.cur,
        }
    }

    /// Puts a message into the folder under a new name, which it gives. Its octets are on the disk when this returns;
    /// its name is once [`sync`](Self::sync) has returned. Where it fails, nothing of it is left.
    pub(super) fn put(&self, message: impl Read, place: Place, flags: Flags) -> io::Result<Box<[u8]>> {
        let fresh = name::fresh();
        let put = self.write(&fresh, message).and_then(|claim| {
            let mut visible = name::visible(&fresh, claim).into_vec();
            if place == Place::Cur {
                visible = with_flags(&visible, flags);
            }
            let visible = OsString::from_vec(visible);
            disk::rename(&self.tmp, OsStr::new(&fresh), self.part(place), &visible)?;
            Ok(visible.into_vec().into())
        });
        if put.is_err() {
            // What cannot be removed now is swept later.
            let _ = disk::unlink(&self.tmp, OsStr::new(&fresh));
        }
        put
    }

    fn write(&self, fresh: &str, mut message: impl Read) -> io::Result<Claim> {
        let mut file = disk::make_file(&self.tmp, fresh)?;
        let (mut stored, mut counter) = (0, wire::Counter::default());
        let mut piece = vec![0; 64 * 1024];
        loop {
            let octets = match message.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => piece.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            file.write_all(octets)?;
            stored += octets.len() as u64;
            counter.count(octets);
        }
        disk::sync(&file)?;
        Ok(Claim { stored, with_crlf: if stored == 0 { 0 } else { counter.length() } })
    }

    /// Waits until the names are on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let sync = |part| disk::sync(part).map_err(failed("write", &self.path));
        sync(&self.new)?;
        sync(&self.cur)
    }
}
