//! [`Memory`] on the disk.

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use blake2::{Blake2s256, Digest as _};

use super::{
    Fingerprint, Memory,
    format::{Event, Known, hex},
};
use crate::{Exit, Failure};

/// The most characters of a file's name that are for people.
const READABLE: usize = 60;

/// Which folder a record is of, and where its mail goes. Each of them differing makes another record.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    /// The user and the server, such as `fred@dog-house:109`.
    pub account: &'a str,
    /// The folder; the default mailbox, where there is none.
    pub folder: Option<&'a str>,
    /// Where its mail goes, such as `maildir:/home/fred/Maildir`: absolute, so that it is one place.
    pub target: &'a OsStr,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.unwrap_or("the default mailbox");
        write!(f, "{folder} of {} to {}", self.account, self.target.display())
    }
}

impl Name<'_> {
    /// A file name for it: a part for people, and a digest of all of it.
    fn file(&self) -> String {
        let mut hash = Blake2s256::new();
        let folder = self.folder.map(str::as_bytes);
        for part in [Some(self.account.as_bytes()), folder, Some(self.target.as_bytes())] {
            // With its length, so that no two names are one row of octets.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        let readable = [self.account, self.folder.unwrap_or_default()].join("-");
        let safe = |c: char| if c.is_ascii_alphanumeric() || "@._-".contains(c) { c } else { '_' };
        let readable: String = readable.trim_start_matches('.').chars().map(safe).take(READABLE).collect();
        format!("{readable}-{}", hex(&hash.finalize()))
    }
}

/// Why there is no record, or nothing can be put on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another session has it.
    #[error("another fido is fetching {0}; try again when it has ended")]
    Busy(String),
    /// It cannot be read.
    #[error(
        "{}: the record of what has been fetched is damaged: {what}; \
         remove the file, and all messages that are on the server are fetched again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system failed.
    #[error("{}: cannot keep the record of what has been fetched: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::Busy(_) => Exit::Temporary,
            Error::Damaged { .. } | Error::Io { .. } => Exit::Io,
        };
        Self::new(exit, error.to_string())
    }
}

/// What is known of a folder, on the disk; nobody else has it until this is dropped.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    name: String,
    file: File,
    /// How many octets of the file count.
    length: u64,
    known: Known,
    /// What is locked: a file that is never replaced.
    _lock: File,
}

impl Record {
    /// Opens the record below the folder `state`, which is made where it does not exist; so is the record.
    pub fn open(state: &Path, name: &Name<'_>) -> Result<Self, Error> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(at(state))?;
        let (file, name) = (name.file(), name.to_string());
        let lock = state.join(format!("{file}.lock"));
        let locked =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&lock).map_err(at(&lock))?;
        match locked.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(name)),
            Err(TryLockError::Error(source)) => return Err(Error::Io { path: lock, source }),
        }
        let path = state.join(format!("{file}.jsonl"));
        let read = match fs::read(&path) {
            Ok(octets) => Some(octets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(Error::Io { path, source }),
        };
        let Some(octets) = read else {
            let known = Known::default();
            let (file, length) = create(&path, &known, &name).map_err(at(&path))?;
            return Ok(Self { path, name, file, length, known, _lock: locked });
        };
        let (known, length) =
            Known::read(&octets, &name).map_err(|what| Error::Damaged { path: path.clone(), what })?;
        let mut file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
        let length = length as u64;
        // What was being written is not to be the start of what is written next.
        cut(&mut file, length).map_err(at(&path))?;
        Ok(Self { path, name, file, length, known, _lock: locked })
    }

    /// What is known, with all that was stored up to now.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.known.memory
    }

    /// The messages that were about to be stored when a session was cut off. They may be here or not: look, and
    /// say so with [`Record::stored`] or [`Record::dropped`]. Until then they count as not here.
    #[must_use]
    pub fn doubts(&self) -> &[Fingerprint] {
        &self.known.doubts
    }

    /// The message has come whole and is about to be stored.
    pub fn intent(&mut self, message: Fingerprint) -> Result<(), Error> {
        self.append(Event::Intent(message))
    }

    /// The message is safe here.
    pub fn stored(&mut self, message: Fingerprint) -> Result<(), Error> {
        self.append(Event::Stored(message))
    }

    /// The message is not here: storing it failed, and left nothing.
    pub fn dropped(&mut self, message: Fingerprint) -> Result<(), Error> {
        self.append(Event::Dropped(message))
    }

    /// Puts what is known after a complete session in the place of what was known.
    pub fn replace(&mut self, memory: Memory) -> Result<(), Error> {
        let known = Known { memory, doubts: self.known.doubts.clone() };
        (self.file, self.length) =
            create(&self.path, &known, &self.name).map_err(|source| self.failed(source))?;
        self.known = known;
        Ok(())
    }

    fn append(&mut self, event: Event) -> Result<(), Error> {
        let line = event.line().map_err(|error| self.failed(error.into()))?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a line would spoil the next. Where this fails too, it is ignored as long as it is the last.
            let _ = cut(&mut self.file, self.length);
            return Err(self.failed(source));
        }
        self.length += line.len() as u64;
        self.known.happen(event);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

/// Writes a record beside `path`, and puts it there when it is on the disk.
fn create(path: &Path, known: &Known, name: &str) -> io::Result<(File, u64)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let text = known.write(name)?;
    let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    let file = new.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok((file, text.len() as u64))
}

fn cut(file: &mut File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name<'a>(account: &'a str, folder: Option<&'a str>, target: &'a str) -> Name<'a> {
        Name { account, folder, target: target.as_ref() }
    }

    fn fred() -> Name<'static> {
        name("fred@dog-house", None, "mh:/x")
    }

    fn message(octet: u8) -> Fingerprint {
        Fingerprint { size: octet.into(), digest: [octet; 32] }
    }

    #[test]
    fn a_name_is_safe_and_differs_where_anything_does() {
        let names = [
            name("fred@host", None, "mh:x"),
            name("fred@host", Some(""), "mh:x"),
            name("fred@hos", Some("t"), "mh:x"),
            name("fred@host", None, "mh:y"),
            name("../../etc/\u{e9}\0", Some("a/b"), "mh:x"),
        ];
        let files: std::collections::BTreeSet<_> = names.iter().map(Name::file).collect();
        assert_eq!(files.len(), names.len());
        for file in files {
            assert!(file.chars().all(|c| c.is_ascii_alphanumeric() || "@._-".contains(c)), "{file}");
            assert!(!file.starts_with('.') && file.len() < 200, "{file}");
        }
    }

    #[test]
    fn what_was_stored_is_known_after_a_kill_and_what_was_about_to_be_is_in_doubt() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path().join("state/fido");
        let mut record = Record::open(&state, &fred()).unwrap();
        assert!(record.memory().is_empty());
        record.intent(message(1)).unwrap();
        record.stored(message(1)).unwrap();
        record.intent(message(2)).unwrap();
        drop(record);
        let mut record = Record::open(&state, &fred()).unwrap();
        assert_eq!(
            (record.memory().here.as_slice(), record.doubts()),
            (&[message(1)][..], &[message(2)][..])
        );
        record.replace(Memory { here: vec![message(3)], ..Memory::default() }).unwrap();
        record.intent(message(4)).unwrap();
        record.dropped(message(2)).unwrap();
        drop(record);
        let record = Record::open(&state, &fred()).unwrap();
        assert_eq!(
            (record.memory().here.as_slice(), record.doubts()),
            (&[message(3)][..], &[message(4)][..])
        );
        let left = fs::read_dir(&state).unwrap().count();
        assert_eq!(left, 2, "the record and its lock");
    }

    #[test]
    fn a_torn_line_is_ignored_and_does_not_spoil_the_next() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path(), &fred()).unwrap();
        record.stored(message(1)).unwrap();
        record.file.write_all(b"{\"stored\":{\"size\":2,").unwrap();
        drop(record);
        for count in 1..3 {
            let mut record = Record::open(state.path(), &fred()).unwrap();
            assert_eq!(record.memory().here, vec![message(1); count]);
            record.stored(message(1)).unwrap();
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_with_the_file_and_the_remedy() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path(), &fred()).unwrap();
        record.stored(message(1)).unwrap();
        record.stored(message(2)).unwrap();
        let path = record.path.clone();
        drop(record);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [String::new(), text.replacen("\"stored\"", "\"sto", 1), text.replace("turn", "tern")]
        {
            fs::write(&path, damaged).unwrap();
            let error = Record::open(state.path(), &fred()).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()) && error.contains("remove the file"), "{error}");
        }
    }

    #[test]
    fn a_second_fetch_of_one_folder_is_told_so() {
        let state = tempfile::tempdir().unwrap();
        let first = Record::open(state.path(), &fred()).unwrap();
        let error = Record::open(state.path(), &fred()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "another fido is fetching the default mailbox of fred@dog-house to mh:/x; try again when it has ended"
        );
        let other = Name { folder: Some("lists"), ..fred() };
        Record::open(state.path(), &other).unwrap();
        drop(first);
        Record::open(state.path(), &fred()).unwrap();
    }

    #[test]
    fn the_record_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let record = Record::open(&state, &fred()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&record.path)), (0o700, 0o600));
    }
}
