//! Where mail goes: into a store of any kind, to a delivery command, or to standard output. It takes one message at a time, whole or not
//! at all, and has it on the disk when it says so.

mod command;
mod stdout;

use std::{
    ffi::{OsStr, OsString},
    fmt, fs, io,
    num::NonZeroU32,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use postbox::{Error, FolderName, Mailbox, Postbox, Store, letter::Letter};

use crate::{
    Exit, Failure,
    known::{Digester, Fingerprint},
};

/// `--to`: where mail is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `KIND:PATH`
    Store {
        /// Such as `maildir`.
        kind: OsString,
        /// The Maildir, the file or the mail directory.
        path: PathBuf,
    },
    /// `--mda`: a shell command that gets each message on its standard input.
    Command(String),
    /// `-`
    Stdout,
}

impl Target {
    /// Reads `--to`.
    pub fn parse(text: &OsStr) -> Result<Self, &'static str> {
        let octets = text.as_bytes();
        let colon = octets.iter().position(|&octet| octet == b':');
        match colon.and_then(|colon| octets.split_at_checked(colon)) {
            _ if octets == b"-" => Ok(Self::Stdout),
            Some((kind, path)) if Store::parse(text, Path::new("")).is_ok() => {
                let (kind, path) = (OsStr::from_bytes(kind), path.get(1..).unwrap_or_default());
                Ok(Self::Store { kind: kind.to_owned(), path: OsStr::from_bytes(path).into() })
            }
            _ => Err("mail goes to maildir:PATH, mbox:PATH, mh:PATH, mtx:PATH or -"),
        }
    }
}

impl Target {
    /// What tells it from every other place, wherever fido is run.
    #[must_use]
    pub fn identity(&self) -> OsString {
        match self {
            Self::Store { kind, path } => {
                let path = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
                let mut identity = kind.clone();
                identity.push(":");
                identity.push(path.as_deref().unwrap_or(Path::new("")));
                identity
            }
            Self::Command(command) => format!("| {command}").into(),
            Self::Stdout => "-".into(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { kind, path } => write!(f, "{}:{}", kind.display(), path.display()),
            Self::Command(command) => write!(f, "the command {command}"),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

/// A [`Target`] that is ready to take mail.
#[derive(Debug)]
pub enum Sink {
    /// The default mailbox of a store.
    Store(Store),
    /// A delivery command.
    Command(String),
    /// An mbox stream on standard output.
    Stdout(stdout::Stdout),
}

impl Sink {
    /// Sees to it that `target` can take mail, as far as that shows before any has come.
    pub fn open(target: &Target) -> Result<Self, Failure> {
        let (kind, path) = match target {
            Target::Store { kind, path } => (kind, path),
            Target::Command(command) => return Ok(Self::Command(command.clone())),
            Target::Stdout => return stdout::Stdout::open().map(Self::Stdout),
        };
        let store = |path: &Path| {
            let mut text = kind.clone();
            text.push(":");
            text.push(path);
            Store::parse(text, Path::new("")).map_err(|error| cannot_create(path, &error.to_string()))
        };
        match store(path)? {
            Store::MailFile(_) => check_place(path, "that is a plain file", fs::Metadata::is_file)?,
            _ => check_place(path, "that is a folder", fs::Metadata::is_dir)?,
        }
        // A store follows no link in its own place; this one is the user's own.
        store(&fs::canonicalize(path).unwrap_or_else(|_| path.clone())).map(Self::Store)
    }

    /// Whether a message is here, as far as that can be seen: a store is looked through from its end, and of what has
    /// gone to a command or to standard output nothing is known.
    pub async fn holds(&self, message: &Fingerprint) -> Result<bool, Failure> {
        let Self::Store(store) = self else { return Ok(false) };
        let failure =
            |error: Error| Failure::new(exit_of(&error), format!("cannot look for a message: {error}"));
        let mut mailbox = store.select(&FolderName::inbox()).await.map_err(failure)?;
        for number in (1..=mailbox.count()).rev().filter_map(NonZeroU32::new) {
            let Some(there) = mailbox.message(number).await.map_err(failure)? else { continue };
            if there.length() != message.size {
                continue;
            }
            let (mut digester, mut octets, mut wire) = (Digester::default(), there.octets(), Vec::new());
            while octets.next(&mut wire).await.map_err(failure)? {
                digester.update(&wire);
                wire.clear();
            }
            if digester.finish() == *message {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a message; it is safe when this returns. Where it fails, nothing of the message is left.
    pub async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        match self {
            Self::Store(store) => {
                let delivered = store.deliver(&FolderName::inbox(), letter).await;
                delivered.map_err(|error| Failure::new(exit_of(&error), format!("cannot deliver: {error}")))
            }
            Self::Command(command) => command::deliver(command, letter).await,
            Self::Stdout(stdout) => stdout.deliver(letter).await,
        }
    }
}

/// The exit code of a store's error.
pub(crate) fn exit_of(error: &Error) -> Exit {
    use io::ErrorKind::{
        IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, WouldBlock,
    };
    match error {
        Error::Strange { .. } => Exit::CannotCreate,
        Error::Io { source, .. } => match source.kind() {
            WouldBlock => Exit::Temporary,
            IsADirectory | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem => {
                Exit::CannotCreate
            }
            _ => Exit::Io,
        },
        _ => Exit::Io,
    }
}

/// Whether mail can be put at `path`: what is there is of the right kind, or it can be made there.
fn check_place(path: &Path, kind: &str, fits: fn(&fs::Metadata) -> bool) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(found) if fits(&found) => Ok(()),
        Ok(_) => Err(cannot_create(path, &format!("{kind}, and this is something else"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata(folder_of(path)) {
            Ok(folder) if folder.is_dir() => Ok(()),
            _ => Err(cannot_create(path, "the folder that it is to be in does not exist; make it first")),
        },
        Err(error) => Err(cannot_create(path, &error.to_string())),
    }
}

fn cannot_create(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::CannotCreate, format!("cannot put mail in {}: {why}", path.display()))
}

/// The folder that `path` is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use postbox::letter;

    use super::*;

    fn target(text: &OsStr) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn targets_are_read_and_shown() {
        assert_eq!(target("-".as_ref()), Target::Stdout);
        for (text, kind, path) in
            [("maildir:/m:x", "maildir", "/m:x"), ("mbox:box", "mbox", "box"), ("mh:Mail", "mh", "Mail")]
        {
            let store = Target::Store { kind: kind.into(), path: path.into() };
            assert_eq!(target(text.as_ref()), store);
            assert_eq!(store.to_string(), text);
        }
        assert!(Target::parse(OsStr::from_bytes(b"mbox:\xff")).is_ok());
        for text in ["", "maildir:", "mbox:", "imap:x", "/tmp/x", "--", "memory:x"] {
            assert!(Target::parse(text.as_ref()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_place_of_the_wrong_kind_is_found_before_any_mail_comes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let open = |kind: &str, path: &Path| {
            let target = Target::Store { kind: kind.into(), path: path.into() };
            Sink::open(&target).map_err(|failure| failure.exit).map(|_| ())
        };
        let new = folder.path().join("new");
        for (kind, path) in [("mbox", &file), ("mtx", &file), ("mbox", &new), ("maildir", &new), ("mh", &new)]
        {
            assert_eq!(open(kind, path), Ok(()), "{kind} {}", path.display());
        }
        let (no, behind) = (folder.path().join("no/box"), file.join("box"));
        let other = folder.path().to_owned();
        for (kind, path) in
            [("maildir", &file), ("mh", &file), ("mbox", &other), ("mbox", &no), ("mbox", &behind)]
        {
            assert_eq!(open(kind, path), Err(Exit::CannotCreate), "{kind} {}", path.display());
        }
        assert_eq!(folder_of(Path::new("box")), Path::new("."));
    }

    #[tokio::test]
    async fn a_link_of_the_users_own_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("box"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut sink = Sink::open(&Target::Store { kind: "mbox".into(), path: link }).unwrap();
        let (mut feed, letter) = letter::channel();
        let put = async {
            feed.put(b"Subject: 1\r\n").await;
            feed.end().await;
        };
        tokio::join!(put, sink.deliver(letter)).1.unwrap();
        assert!(fs::read_to_string(&file).unwrap().ends_with("\nSubject: 1\n\n"));
    }
}
