//! Where mail goes. Each kind takes one message at a time, whole or not at all, and has it on the disk when it
//! says so.

mod lock;
mod maildir;
mod mbox;
mod mboxrd;
mod spool;
mod stdout;

use std::{
    ffi::OsStr,
    fmt, fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use postbox::letter::Letter;

use crate::{Exit, Failure};

/// `--to`: where mail is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `maildir:PATH`
    Maildir(PathBuf),
    /// `mbox:PATH`
    Mbox(PathBuf),
    /// `-`
    Stdout,
}

impl Target {
    /// Reads `--to`.
    pub fn parse(text: &OsStr) -> Result<Self, &'static str> {
        let octets = text.as_bytes();
        let path = |octets: &[u8]| PathBuf::from(OsStr::from_bytes(octets));
        match (octets.strip_prefix(b"maildir:"), octets.strip_prefix(b"mbox:")) {
            _ if octets == b"-" => Ok(Self::Stdout),
            (Some(rest), _) if !rest.is_empty() => Ok(Self::Maildir(path(rest))),
            (_, Some(rest)) if !rest.is_empty() => Ok(Self::Mbox(path(rest))),
            _ => Err("mail goes to maildir:PATH, mbox:PATH or -"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maildir(path) => write!(f, "maildir:{}", path.display()),
            Self::Mbox(path) => write!(f, "mbox:{}", path.display()),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

/// A [`Target`] that is ready to take mail.
#[derive(Debug)]
pub enum Sink {
    /// A Maildir.
    Maildir(maildir::Maildir),
    /// An mbox file.
    Mbox(mbox::Mbox),
    /// An mbox stream on standard output.
    Stdout(stdout::Stdout),
}

impl Sink {
    /// Sees to it that `target` can take mail, as far as that shows before any has come.
    pub fn open(target: &Target) -> Result<Self, Failure> {
        match target {
            Target::Maildir(path) => {
                check_place(path, "a Maildir is a folder", fs::Metadata::is_dir)?;
                Ok(Self::Maildir(maildir::Maildir::new(path)))
            }
            Target::Mbox(path) => {
                check_place(path, "an mbox is a plain file", fs::Metadata::is_file)?;
                Ok(Self::Mbox(mbox::Mbox::new(path)))
            }
            Target::Stdout => stdout::Stdout::open().map(Self::Stdout),
        }
    }

    /// Takes a message; it is safe when this returns. Where it fails, nothing of the message is left.
    pub async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        match self {
            Self::Maildir(maildir) => maildir.deliver(letter).await,
            Self::Mbox(mbox) => mbox.deliver(letter).await,
            Self::Stdout(stdout) => stdout.deliver(letter).await,
        }
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
    use super::*;

    #[test]
    fn targets_are_read_and_shown() {
        let parse = |text: &str| Target::parse(text.as_ref());
        assert_eq!(parse("-"), Ok(Target::Stdout));
        assert_eq!(parse("maildir:/m:x"), Ok(Target::Maildir("/m:x".into())));
        assert_eq!(parse("mbox:box"), Ok(Target::Mbox("box".into())));
        for text in ["", "maildir:", "mbox:", "mh:x", "/tmp/x", "--"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("mbox:box").unwrap().to_string(), "mbox:box");
    }

    #[test]
    fn a_place_of_the_wrong_kind_is_found_before_any_mail_comes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let open = |target: Target| Sink::open(&target).map_err(|failure| failure.exit).map(|_| ());
        assert_eq!(open(Target::Mbox(file.clone())), Ok(()));
        assert_eq!(open(Target::Mbox(folder.path().join("new"))), Ok(()));
        assert_eq!(open(Target::Maildir(folder.path().join("new"))), Ok(()));
        assert_eq!(open(Target::Maildir(file.clone())), Err(Exit::CannotCreate));
        assert_eq!(open(Target::Mbox(folder.path().into())), Err(Exit::CannotCreate));
        assert_eq!(open(Target::Mbox(folder.path().join("no/box"))), Err(Exit::CannotCreate));
        assert_eq!(open(Target::Mbox(file.join("box"))), Err(Exit::CannotCreate));
        assert_eq!(folder_of(Path::new("box")), Path::new("."));
    }
}
