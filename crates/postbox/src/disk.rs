//! The calls that change a disk, each a step at which a test may kill the process or have the call fail. None follows
//! a link below the folder that it is given; errors are the system's.

use std::{
    ffi::{CStr, OsStr},
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags},
    io::Errno,
};

/// Opens a folder in `parent`, following no link.
pub fn open_folder(parent: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name.as_ref(), flags, Mode::empty())?)
}

/// Opens a folder where no part of the path is a link. Kernels before 5.6 and some sandboxes cannot.
pub(crate) fn open_without_links(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Whether a plain file has that name.
pub(crate) fn is_file(folder: impl AsFd, name: &CStr) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::RegularFile)
}

/// Opens a folder by a path that the operator has given, whose links are the operator's.
pub fn open_base(path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Makes a folder in `parent` where there is none, durably, for its owner alone; and opens it.
pub fn make_folder(parent: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    step()?;
    match rustix::fs::mkdirat(&parent, name.as_ref(), Mode::RWXU) {
        Ok(()) => sync(&parent)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    open_folder(parent, name)
}

/// Makes a file that did not exist, for its owner alone.
pub fn make_file(folder: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<File> {
    step()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name.as_ref(), flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Makes a file that did not exist and that appears with its content, for its owner alone.
pub(crate) fn make_file_with(folder: impl AsFd, name: impl AsRef<OsStr>, content: &[u8]) -> io::Result<()> {
    step()?;
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mut file: File = rustix::fs::openat(&folder, ".", flags, Mode::RUSR | Mode::WUSR)?.into();
    file.write_all(content)?;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, unnamed, folder, name.as_ref(), AtFlags::SYMLINK_FOLLOW)?)
}

/// Makes a file without a name, in `folder` where that can be, else where temporary files go.
pub(crate) fn make_unnamed(folder: Option<&OwnedFd>) -> io::Result<File> {
    step()?;
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let there = folder.map(|folder| rustix::fs::openat(folder, ".", flags, mode));
    match there {
        Some(Ok(file)) => Ok(file.into()),
        _ => Ok(rustix::fs::open(std::env::temp_dir(), flags, mode)?.into()),
    }
}

pub(crate) fn write(file: &mut File, octets: &[u8]) -> io::Result<()> {
    #[cfg(feature = "faults")]
    if let Some(short) = crate::faults::short_write(octets) {
        file.write_all(short)?;
        return Err(Errno::NOSPC.into());
    }
    step()?;
    file.write_all(octets)
}

/// Writes octets at an offset.
pub(crate) fn write_at(file: &File, octets: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(feature = "faults")]
    if let Some(short) = crate::faults::short_write(octets) {
        file.write_all_at(short, offset)?;
        return Err(Errno::NOSPC.into());
    }
    step()?;
    file.write_all_at(octets, offset)
}

/// Makes a file shorter.
pub(crate) fn set_length(file: &File, length: u64) -> io::Result<()> {
    step()?;
    file.set_len(length)
}

/// Waits until a file's octets, or a folder's names, are on the disk.
pub fn sync(what: impl AsFd) -> io::Result<()> {
    step()?;
    Ok(rustix::fs::fsync(what)?)
}

/// Gives a file another place, where nothing is.
pub fn rename(from: impl AsFd, old: &OsStr, to: impl AsFd, new: &OsStr) -> io::Result<()> {
    step()?;
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        // Some file systems know no flags here.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(&from, old, to, new, AtFlags::empty())?;
            step()?;
            Ok(rustix::fs::unlinkat(from, old, AtFlags::empty())?)
        }
        result => Ok(result?),
    }
}

/// Gives a file the place of another in its folder.
pub(crate) fn replace(folder: impl AsFd, old: &OsStr, new: &OsStr) -> io::Result<()> {
    step()?;
    Ok(rustix::fs::renameat(&folder, old, &folder, new)?)
}

/// Removes a file; false where it was gone.
pub fn unlink(folder: impl AsFd, name: &OsStr) -> io::Result<bool> {
    step()?;
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(feature = "faults")]
fn step() -> io::Result<()> {
    crate::faults::step()
}

#[cfg(not(feature = "faults"))]
#[allow(clippy::unnecessary_wraps)] // it fails where a test wants it to
fn step() -> io::Result<()> {
    Ok(())
}
