//! Changing the users file on disk: one change at a time, and whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::devices::Devices;
use super::error::Error;
use super::passwd_file::{self, PasswdFile};

/// What the owner alone may read and write.
const PRIVATE: u32 = 0o600;

/// Reads the users file at `path`, lets `change` change it and writes it back.
///
/// Two at once wait for each other, on a lock file beside it (the file's name with `.lock`, which stays), so that
/// neither undoes the other's change. The new file takes the old one's place whole, with its permissions, and its
/// owner where the system allows that; where it does not, only the new owner may read it. A reader sees the old
/// file or the new one. Behind a symbolic link it is the link's target that is replaced. A file that is not there
/// counts as empty and comes with mode 0600. Where `change` fails, nothing is written.
///
/// It blocks: on the lock, on the disk and, for a new password, on its hash.
pub fn edit<T>(path: &Path, change: impl FnOnce(&mut PasswdFile) -> Result<T, Error>) -> Result<T, Error> {
    edit_octets(path, |octets| {
        let mut file = parse(path, octets)?;
        let done = change(&mut file)?;
        Ok((done, file.to_octets()))
    })
}

/// The same of the devices file.
pub fn edit_devices<T>(
    path: &Path,
    change: impl FnOnce(&mut Devices) -> Result<T, Error>,
) -> Result<T, Error> {
    edit_octets(path, |octets| {
        let mut devices = parse_devices(path, octets)?;
        let done = change(&mut devices)?;
        Ok((done, Zeroizing::new(devices.to_text()?.into_bytes())))
    })
}

fn edit_octets<T>(
    path: &Path,
    change: impl FnOnce(&[u8]) -> Result<(T, Zeroizing<Vec<u8>>), Error>,
) -> Result<T, Error> {
    let path = &target(path).map_err(io_error("find", path))?;
    let _lock = lock(path)?;
    let (octets, old) = match open(path) {
        Ok((octets, metadata)) => (octets, Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Zeroizing::default(), None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let (done, octets) = change(&octets)?;
    replace(path, &octets, old.as_ref()).map_err(io_error("write", path))?;
    Ok(done)
}

/// The file's octets, and its metadata from before they were read.
pub(super) fn open(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, fs::Metadata)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut octets = Zeroizing::new(Vec::new());
    file.read_to_end(&mut octets)?;
    Ok((octets, metadata))
}

/// [`passwd_file::parse`], with the file's name in the error.
pub(super) fn parse(path: &Path, octets: &[u8]) -> Result<PasswdFile, Error> {
    passwd_file::parse(octets).map_err(|faults| Error::Syntax { path: path.to_owned(), faults })
}

/// The devices in the file's octets.
pub(super) fn parse_devices(path: &Path, octets: &[u8]) -> Result<Devices, Error> {
    let text = str::from_utf8(octets).map_err(|_| Error::Devices {
        path: path.to_owned(),
        what: "it is not in UTF-8; correct it, or remove it and make the devices anew".to_owned(),
    })?;
    Devices::parse(text, path)
}

/// The devices file as it is now; one that is not there is empty.
pub fn read_devices(path: &Path) -> Result<Devices, Error> {
    match open(path) {
        Ok((octets, _)) => parse_devices(path, &octets),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Devices::default()),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

/// Puts what was to be done, and to which file, to an error of the system.
pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::Io { what, path: path.to_owned(), cause }
}

/// The file itself, without the symbolic links on the way; a link that leads nowhere is an error.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            Ok(path.to_owned())
        }
        found => found,
    }
}

/// Waits until no other process or thread changes the file; dropping what it gives lets the next one in.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let path = Path::new(&name);
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(PRIVATE)).map(File::from);
    let locked = file.map_err(io::Error::from).and_then(|file| file.lock().map(|()| file));
    locked.map_err(io_error("lock", path))
}

/// Puts octets in the place of a file, whole and with its permissions.
pub(super) fn replace(path: &Path, octets: &[u8], old: Option<&fs::Metadata>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut new = tempfile::Builder::new()
        .prefix(".doghouse-users-")
        .permissions(Permissions::from_mode(PRIVATE))
        .tempfile_in(folder)?;
    new.write_all(octets)?;
    if let Some(old) = old {
        let (user, group) = (Some(old.uid()), Some(old.gid()));
        let kept = fchown(new.as_file(), user, group).or_else(|_| fchown(new.as_file(), None, group));
        // The old permissions mean the old group; for another one they would open the hashes.
        let mode = if kept.is_ok() { old.mode() & 0o777 } else { PRIVATE };
        new.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    new.as_file().sync_all()?;
    new.persist(path)?;
    File::open(folder)?.sync_all()
}
