//! The file in `/tmp` with which c-client's programs take turns at reading and appending to a mailbox. It is
//! named by the mailbox's device and inode, and locked with flock.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock},
    io::Errno,
};

use super::Purpose;
use crate::name;

/// Where c-client makes it, whatever the environment says of temporary files.
const FOLDER: &str = "/tmp";

/// How often it is tried again to lock a file that others remove meanwhile.
const TRIES: usize = 8;

/// The lock, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    file: File,
    path: PathBuf,
}

impl Turn {
    /// Takes a turn at `mailbox`, alone unless it is for reading; `None` where that is not to be had now.
    pub(super) fn take(mailbox: &File, purpose: Purpose) -> io::Result<Option<Self>> {
        let status = rustix::fs::fstat(mailbox)?;
        let path = PathBuf::from(FOLDER).join(format!(".{:x}.{:x}", status.st_dev, status.st_ino));
        let operation = match purpose {
            Purpose::Read => FlockOperation::NonBlockingLockShared,
            Purpose::Append | Purpose::Write => FlockOperation::NonBlockingLockExclusive,
        };
        for _ in 0..TRIES {
            let Some(file) = open(&path)? else { continue };
            match flock(&file, operation) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            let turn = Self { file, path: path.clone() };
            if turn.is_there()? {
                return Ok(Some(turn));
            }
        }
        Ok(None)
    }

    /// Whether it is still this file that others would lock.
    fn is_there(&self) -> io::Result<bool> {
        let own = rustix::fs::fstat(&self.file)?;
        match rustix::fs::lstat(&self.path) {
            Ok(there) => Ok((own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Only whoever has it alone may remove it. What is left behind is no lock without its holder.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && self.is_there().is_ok_and(|is| is)
        {
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

/// Opens the file, made where there is none; `None` where others have made or removed it meanwhile.
fn open(path: &Path) -> io::Result<Option<File>> {
    // Without leave to make it: systems forbid that for files of others in such a folder.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT) => return make(path),
        Err(Errno::LOOP) => return Err(strange(path)),
        Err(error) => return Err(error.into()),
    };
    let status = rustix::fs::fstat(&file)?;
    let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
    if is_file { Ok(Some(file)) } else { Err(strange(path)) }
}

/// Makes the file, unless others have meanwhile. It appears with the mode that it has to have: others give up
/// where they cannot open it.
fn make(path: &Path) -> io::Result<Option<File>> {
    let fresh = path.with_file_name(format!(".doghouse-{}", name::fresh()));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(&fresh, flags, Mode::RUSR | Mode::WUSR)?.into();
    let moved = rustix::fs::fchmod(&file, Mode::from_raw_mode(0o666))
        .and_then(|()| rustix::fs::renameat_with(CWD, &fresh, CWD, path, RenameFlags::NOREPLACE));
    match moved {
        Ok(()) => Ok(Some(file)),
        Err(error) => {
            let _ = rustix::fs::unlink(&fresh);
            if error == Errno::EXIST { Ok(None) } else { Err(error.into()) }
        }
    }
}

fn strange(path: &Path) -> io::Error {
    io::Error::other(format!("{} is in the way: remove it, for it is no file to lock", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mailbox() -> (tempfile::NamedTempFile, PathBuf) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let status = rustix::fs::fstat(&file).unwrap();
        let path = format!("/tmp/.{:x}.{:x}", status.st_dev, status.st_ino).into();
        (file, path)
    }

    #[test]
    fn whoever_appends_is_alone_and_readers_are_not() {
        let (mailbox, path) = mailbox();
        let take = |purpose| Turn::take(mailbox.as_file(), purpose).unwrap();
        let first = take(Purpose::Read).unwrap();
        let second = take(Purpose::Read).unwrap();
        assert!(take(Purpose::Append).is_none());
        drop(first);
        assert!(path.exists(), "the second still has it");
        drop(second);
        assert!(!path.exists());
        let writer = take(Purpose::Write).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o666, "others can lock it too");
        assert!(take(Purpose::Read).is_none());
        drop(writer);
        assert!(take(Purpose::Append).is_some());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let (mailbox, path) = mailbox();
        let target = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(target.path(), &path).unwrap();
        let error = Turn::take(mailbox.as_file(), Purpose::Write).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("is in the way"), "{error}");
    }
}
