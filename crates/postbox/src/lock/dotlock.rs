//! The file `NAME.lock` beside a file, as most mail programs make it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::{disk, name};

/// How old a dotlock is that a program must have left behind.
const STALE: Duration = Duration::from_mins(5);

/// `NAME.lock`, until it is dropped.
#[derive(Debug)]
pub(super) struct Dotlock<'a> {
    folder: &'a OwnedFd,
    name: OsString,
}

pub(super) enum Taken<'a> {
    Ours(Dotlock<'a>),
    Theirs,
    /// The folder does not let us, as is usual below `/var/mail`: the other lock must do.
    Forbidden,
}

impl<'a> Dotlock<'a> {
    pub(super) fn take(folder: &'a OwnedFd, name: &OsStr) -> io::Result<Taken<'a>> {
        let mut lock = name.to_owned();
        lock.push(".lock");
        match make(folder, &lock) {
            Ok(()) => Ok(Taken::Ours(Self { folder, name: lock })),
            Err(error) if is_forbidden(&error) => Ok(Taken::Forbidden),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => {
                if is_stale(folder, &lock) {
                    tracing::warn!(lock = ?lock, "broke a lock that was left behind");
                    // Should another program break it too and make its own in this moment, ours takes that one
                    // away: then the lock on the file itself still keeps us apart.
                    disk::unlink(folder, &lock)?;
                }
                Ok(Taken::Theirs)
            }
        }
    }
}

impl Drop for Dotlock<'_> {
    fn drop(&mut self) {
        // One that cannot be removed goes stale.
        let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
    }
}

/// Makes the file. It appears with what it says, so that a kill leaves none that nobody can tell to be stale.
fn make(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    // The number of the process first, as other programs write and read it.
    let text = format!("{} {}\n", std::process::id(), *BOOT);
    match disk::make_file_with(folder, name, text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Some file systems cannot, and some processes may not use /proc.
        Err(_) => make_by_renaming(folder, name, text.as_bytes()),
        Ok(()) => Ok(()),
    }
}

/// The same by way of another name, which a kill in between leaves behind.
fn make_by_renaming(folder: &OwnedFd, name: &OsStr, text: &[u8]) -> io::Result<()> {
    let fresh = OsString::from(format!(".doghouse-{}", name::fresh()));
    let made = disk::make_file(folder, &fresh).and_then(|mut file| {
        file.write_all(text)?;
        disk::rename(folder, &fresh, folder, name)
    });
    made.inspect_err(|_| {
        let _ = rustix::fs::unlinkat(folder, &fresh, AtFlags::empty());
    })
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Whether whoever made the dotlock must be gone: it is old, or one of ours whose process has ended.
fn is_stale(folder: &OwnedFd, lock: &OsStr) -> bool {
    let Ok(status) = rustix::fs::statat(folder, lock, AtFlags::SYMLINK_NOFOLLOW) else { return false };
    let made = u64::try_from(status.st_mtime).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now.saturating_sub(made) > STALE.as_secs() || maker(folder, lock).is_some_and(has_ended)
}

/// The process that made the dotlock, where it was one of ours since this machine was started.
fn maker(folder: impl AsFd, lock: &OsStr) -> Option<u32> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = rustix::fs::openat(folder, lock, flags, Mode::empty()).ok()?.into();
    let mut text = String::new();
    file.take(200).read_to_string(&mut text).ok()?;
    let (process, boot) = text.trim_end().split_once(' ')?;
    if boot == *BOOT && !BOOT.is_empty() { process.parse().ok() } else { None }
}

fn has_ended(process: u32) -> bool {
    // Not by looking into /proc, which may hide the processes of others (hidepid).
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
}

/// What tells this run of this machine from every other; empty where it cannot be known.
pub(super) static BOOT: LazyLock<String> = LazyLock::new(|| {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() { boot } else { format!("{} {}", boot.trim(), space.display()) }
});

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_dotlock_can_be_made_without_proc() {
        let folder = tempfile::tempdir().unwrap();
        let at = disk::open_base(folder.path()).unwrap();
        make_by_renaming(&at, "mbox.lock".as_ref(), b"1\n").unwrap();
        let again = make_by_renaming(&at, "mbox.lock".as_ref(), b"2\n").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(folder.path().join("mbox.lock")).unwrap(), "1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn who_is_at_work_is_told_from_who_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(has_ended(child.id()));
        assert!(!has_ended(std::process::id()));
        assert!(!has_ended(1), "somebody else's");
        assert!(!has_ended(0), "nobody's");
    }

    #[test]
    fn a_dotlock_whose_maker_may_be_at_work_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = disk::open_base(folder.path()).unwrap();
        let lock = folder.path().join("mbox.lock");
        for content in
            [String::new(), "999999999\n".to_owned(), format!("{} {}\n", std::process::id(), *BOOT)]
        {
            fs::write(&lock, content).unwrap();
            assert!(matches!(Dotlock::take(&at, "mbox".as_ref()), Ok(Taken::Theirs)));
            assert!(lock.exists());
        }
    }
}
