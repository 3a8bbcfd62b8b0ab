//! The two locks that mail programs hold while they write an mbox: a file `PATH.lock`, and a lock on the mbox
//! itself (fcntl). Programs differ in which one they look at, so both are taken, the dotlock first as others do.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, fcntl_lock};
use tokio::time::{Instant, sleep};

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How old a dotlock is that a program must have left behind.
const STALE: Duration = Duration::from_mins(5);

/// How often a lock is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// `PATH.lock`, until it is dropped.
#[derive(Debug)]
pub(super) struct Dotlock(PathBuf);

impl Dotlock {
    /// Makes the dotlock of `mbox`, after whoever has it; `None` where its folder does not let us, as is
    /// usual below `/var/mail`, where the other lock must do.
    pub(super) async fn take(mbox: &Path) -> io::Result<Option<Self>> {
        let mut name = OsString::from(mbox);
        name.push(".lock");
        let path = PathBuf::from(name);
        let give_up = Instant::now() + PATIENCE;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_file) => return Ok(Some(Self(path))),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                // Should another program break the same stale lock and make its own in this moment, ours takes
                // that one away: then the lock on the mbox itself still keeps us apart.
                Err(_) if is_stale(&path) => fs::remove_file(&path).or_else(unless_gone)?,
                Err(_) => wait(give_up).await?,
            }
        }
    }
}

impl Drop for Dotlock {
    fn drop(&mut self) {
        // A lock that cannot be removed goes stale.
        let _ = fs::remove_file(&self.0);
    }
}

/// Locks the open mbox itself, after whoever has it locked, until `file` is closed.
pub(super) async fn lock(file: &File) -> io::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
            Ok(()) => return Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => wait(give_up).await?,
                _ => return Err(error),
            },
        }
    }
}

async fn wait(give_up: Instant) -> io::Result<()> {
    if Instant::now() >= give_up {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "another program has it locked"));
    }
    sleep(PAUSE).await;
    Ok(())
}

fn is_stale(path: &Path) -> bool {
    let made = fs::metadata(path).and_then(|metadata| metadata.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > STALE))
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
