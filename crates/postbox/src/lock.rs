//! The locks under which mail programs write a file of several messages: a lock on the open file itself, and a
//! file `NAME.lock` beside it. Programs differ in which one they look at, so both are taken, in the order of
//! Debian's policy (11.6): fcntl first. Neither is waited for while the other is held, so nobody is kept waiting
//! in a circle.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};
use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags, flock},
    io::Errno,
};

use crate::{Error, disk, error::failed};

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How old a dotlock is that a program must have left behind.
const STALE: Duration = Duration::from_mins(5);

/// How long a lock is left alone before it is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(1);
const LONG_PAUSE: Duration = Duration::from_millis(50);

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Others may read at the same time.
    Read,
    /// Nobody else may do anything.
    Write,
}

/// Both locks on a file, until this is dropped. The file may be opened and closed elsewhere meanwhile: the
/// lock belongs to this opening of it and not, as fcntl's older kind, to the whole process.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    file: &'a File,
    dotlock: Option<Dotlock<'a>>,
}

impl<'a> Lock<'a> {
    /// Locks `file`, which is `name` in `folder`, after whoever has it locked; `path` is for messages. For
    /// [`Purpose::Write`] it has to be open for writing. This waits, at most 30 seconds.
    pub(crate) fn take(
        file: &'a File,
        folder: &'a OwnedFd,
        name: &OsStr,
        path: &Path,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        let fail = failed("lock", path);
        let mut patience = Patience::new();
        loop {
            if set(file, purpose.fcntl()).map_err(&fail)? {
                // From here on dropping it lets go of the lock again.
                let mut lock = Self { file, dotlock: None };
                match Dotlock::take(folder, name).map_err(&fail)? {
                    Taken::Ours(dotlock) => {
                        lock.dotlock = Some(dotlock);
                        return Ok(lock);
                    }
                    Taken::Forbidden => return Ok(lock),
                    Taken::Theirs => {}
                }
            }
            patience.wait().map_err(&fail)?;
        }
    }
}

/// A lock on a folder that only we know of, until this is dropped: it keeps our own sessions apart, in this
/// process and in others.
#[derive(Debug)]
pub(crate) struct FolderLock<'a>(&'a OwnedFd);

impl<'a> FolderLock<'a> {
    /// Locks a folder. This waits, at most 30 seconds.
    pub(crate) fn take(folder: &'a OwnedFd, path: &Path) -> Result<Self, Error> {
        let fail = failed("lock", path);
        let mut patience = Patience::new();
        loop {
            match flock(folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(folder)),
                Err(Errno::WOULDBLOCK) => patience.wait().map_err(&fail)?,
                Err(error) => return Err(fail(error.into())),
            }
        }
    }
}

impl Drop for FolderLock<'_> {
    fn drop(&mut self) {
        // Should this fail, closing the folder lets go of it.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// How long a lock is still waited for.
struct Patience {
    give_up: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self { give_up: Instant::now() + PATIENCE, pause: PAUSE }
    }

    fn wait(&mut self) -> io::Result<()> {
        if Instant::now() >= self.give_up {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another program has it locked"));
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONG_PAUSE);
        Ok(())
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // The dotlock goes first, as it came last. Should this fail, closing the file lets go of it.
        self.dotlock = None;
        let _ = set(self.file, libc::F_UNLCK);
    }
}

impl Purpose {
    fn fcntl(self) -> i32 {
        match self {
            Self::Read => libc::F_RDLCK,
            Self::Write => libc::F_WRLCK,
        }
    }
}

/// Sets or clears the lock on the open file; false where another program has one that does not go with it.
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

/// `NAME.lock`, until it is dropped.
#[derive(Debug)]
struct Dotlock<'a> {
    folder: &'a OwnedFd,
    name: OsString,
}

enum Taken<'a> {
    Ours(Dotlock<'a>),
    Theirs,
    /// The folder does not let us, as is usual below `/var/mail`: the other lock must do.
    Forbidden,
}

impl<'a> Dotlock<'a> {
    fn take(folder: &'a OwnedFd, name: &OsStr) -> io::Result<Taken<'a>> {
        let mut lock = name.to_owned();
        lock.push(".lock");
        match disk::make_file(folder, &lock) {
            Ok(mut file) => {
                let dotlock = Self { folder, name: lock };
                // The number of the process first, as other programs write and read it.
                writeln!(file, "{} {}", std::process::id(), *BOOT)?;
                Ok(Taken::Ours(dotlock))
            }
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
    !Path::new("/proc").join(process.to_string()).exists() && Path::new("/proc/self").exists()
}

/// What tells this run of this machine from every other; empty where it cannot be known.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() { boot } else { format!("{} {}", boot.trim(), space.display()) }
});

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::OwnedFd, path::PathBuf, process::Command, sync::mpsc, thread};

    use super::*;

    fn mbox(folder: &Path) -> (File, OwnedFd, PathBuf) {
        let path = folder.join("mbox");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        (file, disk::open_base(folder).unwrap(), path)
    }

    #[test]
    fn a_writer_is_alone_and_readers_are_not_while_the_dotlock_is_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, at, path) = mbox(folder.path());
        let lock = Lock::take(&file, &at, "mbox".as_ref(), &path, Purpose::Write).unwrap();
        assert!(folder.path().join("mbox.lock").exists());
        let (other, ..) = mbox(folder.path());
        assert!(!set(&other, libc::F_WRLCK).unwrap(), "in the same process too");
        // Closing another opening of the file does not let go of it.
        drop(other);
        let (told, tell) = mpsc::channel();
        let waiter = thread::spawn({
            let folder = folder.path().to_owned();
            move || {
                let (file, at, path) = mbox(&folder);
                let _lock = Lock::take(&file, &at, "mbox".as_ref(), &path, Purpose::Read).unwrap();
                told.send(()).unwrap();
            }
        });
        assert!(tell.recv_timeout(Duration::from_millis(200)).is_err(), "it waits");
        drop(lock);
        tell.recv().unwrap();
        waiter.join().unwrap();
        assert!(!folder.path().join("mbox.lock").exists());
    }

    #[test]
    fn a_dotlock_that_was_left_behind_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let (file, at, path) = mbox(folder.path());
        let lock = folder.path().join("mbox.lock");
        let take = || Lock::take(&file, &at, "mbox".as_ref(), &path, Purpose::Write).map(|_| ());

        fs::write(&lock, "1\n").unwrap();
        let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(&lock).unwrap().set_modified(an_hour_ago).unwrap();
        take().unwrap();
        assert!(!lock.exists());

        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        fs::write(&lock, format!("{} {}\n", ended.id(), *BOOT)).unwrap();
        take().unwrap();
        assert!(!lock.exists());
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
