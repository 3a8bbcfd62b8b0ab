//! An mbox file. Mail is appended to it in mboxrd form.
//!
//! A message is whole before the file is touched, and a write that fails is taken back. Only a kill or a power
//! cut in the moment of the append itself can leave a part of a message: it is not acknowledged then, so it
//! comes again, and the next message begins on a line of its own. A Maildir has no such moment.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    folder_of,
    lock::{Dotlock, lock},
    spool::Spool,
};
use postbox::letter::Letter;

use crate::{Exit, Failure};

/// An mbox, which need not exist yet.
#[derive(Debug)]
pub struct Mbox {
    path: PathBuf,
}

impl Mbox {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Appends a message.
    pub(super) async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        let folder = folder_of(&self.path);
        let mut spool = Spool::fill(Some(folder), letter).await.map_err(|error| self.failure(&error))?;
        self.append(&mut spool).await.map_err(|error| self.failure(&error))
    }

    async fn append(&self, spool: &mut Spool) -> io::Result<()> {
        let _dotlock = Dotlock::take(&self.path).await?;
        let mut file = self.open_locked().await?;
        let separator = missing_separator(&file)?;
        spool.append_to(&mut file, separator)?;
        // The file may be new: its name is to be there after a crash as well.
        File::open(folder_of(&self.path))?.sync_all()
    }

    /// The file, locked. Whoever had it locked before may have put another file in its place: then that one.
    async fn open_locked(&self) -> io::Result<File> {
        loop {
            let file =
                OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            lock(&file).await?;
            let (ours, there) = (file.metadata()?, fs::metadata(&self.path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(file);
            }
        }
    }

    fn failure(&self, error: &io::Error) -> Failure {
        use io::ErrorKind::{
            IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, WouldBlock,
        };
        let (exit, remedy) = match error.kind() {
            WouldBlock => (Exit::Temporary, "try again when no other program uses it"),
            PermissionDenied | NotFound | NotADirectory | IsADirectory | ReadOnlyFilesystem => {
                (Exit::CannotCreate, "check the path and its permissions")
            }
            _ => (Exit::Io, "nothing of the message was left there"),
        };
        Failure::new(exit, format!("cannot append to {}: {error}; {remedy}", self.path.display()))
    }
}

/// What is wanting at the end of an mbox that some program left without a line end or a blank line: without
/// it the next `From ` line would not be seen.
fn missing_separator(file: &File) -> io::Result<&'static [u8]> {
    let length = file.metadata()?.len();
    let mut end = [b'\n'; 2];
    let [_, last] = &mut end;
    match length {
        0 => {}
        1 => file.read_exact_at(std::slice::from_mut(last), 0)?,
        _ => file.read_exact_at(&mut end, length - 2)?,
    }
    Ok(match end {
        [b'\n', b'\n'] => b"",
        [_, b'\n'] => b"\n",
        _ => b"\n\n",
    })
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt,
        time::{Duration, SystemTime},
    };

    use super::*;
    use postbox::letter;

    async fn deliver(path: &Path, wire: &[u8]) -> Result<(), Failure> {
        let (mut feed, letter) = letter::channel();
        let put = async {
            feed.put(wire).await;
            feed.end().await;
        };
        let mut mbox = Mbox::new(path);
        tokio::join!(put, mbox.deliver(letter)).1
    }

    /// The mbox without its `From ` lines' times.
    fn content(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| line.split_once("DAEMON ").map_or(line, |(from, _time)| from));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    #[tokio::test]
    async fn messages_are_appended_and_the_file_is_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        deliver(&path, b"Subject: 1\r\n\r\nFrom me\r\n").await.unwrap();
        deliver(&path, b"Subject: 2\r\n").await.unwrap();
        assert_eq!(content(&path), "From MAILER-\nSubject: 1\n\n>From me\n\nFrom MAILER-\nSubject: 2\n\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock is left");
    }

    #[tokio::test]
    async fn a_file_that_ends_badly_is_mended_before_a_message_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        for (before, between) in
            [("", ""), ("\n", ""), ("x", "\n\n"), ("From x", "\n\n"), ("x\n", "\n"), ("x\n\n", "")]
        {
            let path = folder.path().join("mbox");
            fs::write(&path, before).unwrap();
            deliver(&path, b"x\r\n").await.unwrap();
            assert_eq!(content(&path), format!("{before}{between}From MAILER-\nx\n\n"), "{before:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        fs::write(&path, "before\n\n").unwrap();
        let (mut feed, letter) = letter::channel();
        feed.put(b"Subject: bone\r\n").await;
        drop(feed);
        assert!(Mbox::new(&path).deliver(letter).await.is_err());
        assert_eq!(content(&path), "before\n\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dotlock_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lock) = (folder.path().join("mbox"), folder.path().join("mbox.lock"));
        fs::write(&lock, "").unwrap();
        assert_eq!(deliver(&path, b"x\r\n").await.unwrap_err().exit, Exit::Temporary);
        assert!(lock.exists() && !path.exists(), "another's lock is left alone");

        let let_go = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            fs::remove_file(&lock).unwrap();
        };
        tokio::join!(let_go, deliver(&path, b"x\r\n")).1.unwrap();
        assert_eq!(content(&path), "From MAILER-\nx\n\n");
    }

    #[tokio::test]
    async fn a_dotlock_that_was_left_behind_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lock) = (folder.path().join("mbox"), folder.path().join("mbox.lock"));
        let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
        File::create(&lock).unwrap().set_modified(an_hour_ago).unwrap();
        deliver(&path, b"x\r\n").await.unwrap();
        assert!(path.exists() && !lock.exists());
    }
}
