//! fcntl's lock on an open file.

use std::{fs::File, io};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::Purpose;

/// The lock, until this is dropped. Unlike fcntl's older kind it belongs to this opening of the file, and not to
/// the process.
#[derive(Debug)]
pub(super) struct Range<'a>(&'a File);

impl<'a> Range<'a> {
    /// Locks a file; `None` where another program has a lock that does not go with it.
    pub(super) fn take(file: &'a File, purpose: Purpose) -> io::Result<Option<Self>> {
        let kind = match purpose {
            Purpose::Read => libc::F_RDLCK,
            Purpose::Append | Purpose::Write => libc::F_WRLCK,
        };
        Ok(set(file, kind)?.then_some(Self(file)))
    }
}

impl Drop for Range<'_> {
    fn drop(&mut self) {
        // Should this fail, closing the file lets go of it.
        let _ = set(self.0, libc::F_UNLCK);
    }
}

/// Sets or clears the lock; false where another program has one that does not go with it.
fn set(file: &File, kind: i32) -> io::Result<bool> {
    let lock = libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
