//! The locks under which programs write a file of several messages. Programs differ in which ones they look at,
//! so all that go with a format are taken, and none is waited for while another is held: so nobody is kept
//! waiting in a circle.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{Error, error::failed};

mod dotlock;
mod range;
mod turn;

use dotlock::{Dotlock, Taken};
use range::Range;
use turn::Turn;

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a lock is left alone before it is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(1);
const LONG_PAUSE: Duration = Duration::from_millis(50);

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Others may read at the same time.
    Read,
    /// Others may have the file open and use what they know of it.
    Append,
    /// Nobody else may do anything.
    Write,
}

/// How programs lock a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With fcntl and then `NAME.lock`, the order of Debian's policy (11.6).
    Dotlock,
    /// As UW's c-client does: with flock, on a file in `/tmp` by whoever reads or appends, and on the file itself
    /// too by whoever moves messages.
    Flock,
}

/// All locks on a file, until this is dropped. The file may be opened and closed elsewhere meanwhile: they
/// belong to this opening of it and not to the whole process.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    // Let go of in this order, which is that of taking them turned round.
    _dotlock: Option<Dotlock<'a>>,
    _range: Option<Range<'a>>,
    _whole: Option<Whole<'a>>,
    _turn: Option<Turn>,
}

impl<'a> Lock<'a> {
    /// Locks `file`, which is `name` in `folder`, after whoever has it locked; `path` is for messages. Unless it
    /// is for [`Purpose::Read`] it has to be open for writing. This waits, at most 30 seconds.
    pub(crate) fn take(
        file: &'a File,
        (folder, name): (&'a OwnedFd, &OsStr),
        path: &Path,
        manner: Manner,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        let fail = failed("lock", path);
        let mut patience = Patience::new();
        loop {
            let taken = match manner {
                Manner::Dotlock => Self::with_dotlock(file, folder, name, purpose),
                Manner::Flock => Self::with_flock(file, purpose),
            };
            if let Some(lock) = taken.map_err(&fail)? {
                return Ok(lock);
            }
            patience.wait().map_err(&fail)?;
        }
    }

    fn with_dotlock(
        file: &'a File,
        folder: &'a OwnedFd,
        name: &OsStr,
        purpose: Purpose,
    ) -> io::Result<Option<Self>> {
        let Some(range) = Range::take(file, purpose)? else { return Ok(None) };
        let dotlock = match Dotlock::take(folder, name)? {
            Taken::Ours(dotlock) => Some(dotlock),
            Taken::Forbidden => None,
            Taken::Theirs => return Ok(None),
        };
        Ok(Some(Self { _dotlock: dotlock, _range: Some(range), _whole: None, _turn: None }))
    }

    fn with_flock(file: &'a File, purpose: Purpose) -> io::Result<Option<Self>> {
        let Some(turn) = Turn::take(file, purpose)? else { return Ok(None) };
        let whole = match purpose {
            Purpose::Read | Purpose::Append => None,
            Purpose::Write => {
                let Some(whole) = Whole::take(file)? else { return Ok(None) };
                Some(whole)
            }
        };
        Ok(Some(Self { _dotlock: None, _range: None, _whole: whole, _turn: Some(turn) }))
    }
}

/// flock's lock on what is open, alone, until this is dropped.
#[derive(Debug)]
struct Whole<'a>(BorrowedFd<'a>);

impl<'a> Whole<'a> {
    fn take(opened: &'a impl AsFd) -> io::Result<Option<Self>> {
        match flock(opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(opened.as_fd()))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        // Should this fail, closing it lets go of it.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// A lock on a folder that only we know of, until this is dropped: it keeps our own sessions apart, in this
/// process and in others.
#[derive(Debug)]
pub(crate) struct FolderLock<'a> {
    _whole: Whole<'a>,
}

impl<'a> FolderLock<'a> {
    /// Locks a folder. This waits, at most 30 seconds.
    pub(crate) fn take(folder: &'a OwnedFd, path: &Path) -> Result<Self, Error> {
        let fail = failed("lock", path);
        let mut patience = Patience::new();
        loop {
            if let Some(whole) = Whole::take(folder).map_err(&fail)? {
                return Ok(Self { _whole: whole });
            }
            patience.wait().map_err(&fail)?;
        }
    }
}

/// Finds out what tells this run of this machine from others.
pub(crate) fn know_this_machine() {
    std::sync::LazyLock::force(&dotlock::BOOT);
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
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another program has it locked or open"));
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONG_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, process::Command, sync::mpsc, thread, time::SystemTime};

    use super::*;
    use crate::disk;

    fn mbox(folder: &Path) -> (File, OwnedFd, PathBuf) {
        let path = folder.join("mbox");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        (file, disk::open_base(folder).unwrap(), path)
    }

    fn lock<'a>(file: &'a File, at: &'a OwnedFd, path: &Path, purpose: Purpose) -> Result<Lock<'a>, Error> {
        Lock::take(file, (at, "mbox".as_ref()), path, Manner::Dotlock, purpose)
    }

    #[test]
    fn a_writer_is_alone_and_readers_are_not_while_the_dotlock_is_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, at, path) = mbox(folder.path());
        let held = lock(&file, &at, &path, Purpose::Write).unwrap();
        assert!(folder.path().join("mbox.lock").exists());
        let (other, ..) = mbox(folder.path());
        assert!(Range::take(&other, Purpose::Write).unwrap().is_none(), "in the same process too");
        // Closing another opening of the file does not let go of it.
        drop(other);
        let (told, tell) = mpsc::channel();
        let waiter = thread::spawn({
            let folder = folder.path().to_owned();
            move || {
                let (file, at, path) = mbox(&folder);
                let _lock = lock(&file, &at, &path, Purpose::Read).unwrap();
                told.send(()).unwrap();
            }
        });
        assert!(tell.recv_timeout(Duration::from_millis(200)).is_err(), "it waits");
        drop(held);
        tell.recv().unwrap();
        waiter.join().unwrap();
        assert!(!folder.path().join("mbox.lock").exists());
    }

    #[test]
    fn a_dotlock_that_was_left_behind_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let (file, at, path) = mbox(folder.path());
        let dotlock = folder.path().join("mbox.lock");
        let take = || lock(&file, &at, &path, Purpose::Write).map(|_| ());

        fs::write(&dotlock, "1\n").unwrap();
        let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(&dotlock).unwrap().set_modified(an_hour_ago).unwrap();
        take().unwrap();
        assert!(!dotlock.exists());

        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        fs::write(&dotlock, format!("{} {}\n", ended.id(), *dotlock::BOOT)).unwrap();
        take().unwrap();
        assert!(!dotlock.exists());
    }
}
