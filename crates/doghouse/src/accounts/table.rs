//! One version of the users file, ready for logins.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pop2::Secret;
use subtle::{Choice, ConstantTimeEq as _};

use super::edit;
use super::error::Error;
use super::keyed::{Key, Mac};
use super::passwd_file::Warning;
use super::scheme::Hash;

/// The accounts of one version of the users file, with the passwords that were right since it was read.
pub(super) struct Table {
    pub(super) version: Version,
    /// In the order of the file.
    pub(super) names: Vec<String>,
    pub(super) warnings: Vec<Warning>,
    /// `None` for an account that is locked.
    accounts: HashMap<String, Option<Arc<Credential>>>,
    usable: Vec<Arc<Credential>>,
}

/// What a login is checked against.
pub(super) struct Credential {
    hash: Hash,
    /// It goes with the table, so a changed file forgets every password.
    remembered: Mutex<Option<Remembered>>,
}

struct Remembered {
    login: Mac,
    since: Instant,
}

impl Table {
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let (octets, metadata) = edit::open(path).map_err(edit::io_error("read", path))?;
        let file = edit::parse(path, &octets)?;
        let warnings = file.warnings().collect();
        let (mut names, mut accounts, mut usable) = (Vec::new(), HashMap::new(), Vec::new());
        for (name, hash) in file.into_accounts() {
            let credential = hash.ok().map(|hash| Arc::new(Credential::new(hash)));
            usable.extend(credential.clone());
            names.push(name.clone());
            accounts.insert(name, credential);
        }
        Ok(Self { version: Version::from(&metadata), names, warnings, accounts, usable })
    }

    pub(super) fn contains(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    /// What the user's password is checked against, if the user is known and not locked.
    pub(super) fn credential(&self, user: &str) -> Option<&Arc<Credential>> {
        self.accounts.get(user)?.as_ref()
    }

    /// What the password of an unknown or locked user is checked against, so that this takes the time that it takes
    /// for another: the same account's for the same name, and so every scheme as often as the real users have it.
    /// `None` if no account of the file is usable.
    pub(super) fn stand_in(&self, user: &str, key: &Key) -> Option<&Arc<Credential>> {
        self.usable.get(key.pick(user, self.usable.len()))
    }
}

impl Credential {
    pub(super) fn new(hash: Hash) -> Self {
        Self { hash, remembered: Mutex::new(None) }
    }

    /// Which of the passwords is right, by number. All are checked, so that the time does not tell which one.
    pub(super) fn verify(&self, candidates: &[Secret]) -> Option<usize> {
        let mut right = None;
        for (number, candidate) in candidates.iter().enumerate() {
            if self.hash.verify(candidate) {
                right = Some(number);
            }
        }
        right
    }

    /// Whether one of these logins succeeded less than `lifetime` ago.
    pub(super) fn remembers(&self, logins: &[Mac], lifetime: Duration) -> bool {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.as_ref().is_some_and(|remembered| remembered.since.elapsed() >= lifetime) {
            *remembered = None;
        }
        let known = remembered.as_ref().map_or(Mac::default(), |remembered| remembered.login);
        let same = logins.iter().fold(Choice::from(0), |same, login| same | login.ct_eq(&known));
        remembered.is_some() && bool::from(same)
    }

    /// Keeps this login, in place of an earlier one.
    pub(super) fn remember(&self, login: Mac) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Some(Remembered { login, since: Instant::now() });
    }
}

/// What tells one version of a file from the next.
///
/// A file that is written in place twice within one tick of the file system's clock, with the same size, looks the
/// same; one that is replaced, as [`edit`](super::edit()) and most programs do it, has another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Of the inode: unlike the time of modification nobody can set it, and a change of permissions moves it.
    changed: (i64, i64),
}

impl Version {
    /// `None` if there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::from)
    }
}

impl From<&fs::Metadata> for Version {
    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
