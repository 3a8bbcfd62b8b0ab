//! One version of the users file and of the devices file, ready for logins.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, fs};

use pop2::Secret;

use super::devices;
use super::edit;
use super::error::Error;
use super::fields::Fields;
use super::found::Lookup;
use super::keyed::{Key, Mac};
use super::passwd_file::{self, Warning};
use super::remembered::Remembered;
use super::scheme::Hash;

/// The accounts of one version of the users file, with the passwords that were right since it was read.
pub(super) struct Table {
    pub(super) version: Versions,
    /// In the order of the file.
    pub(super) names: Vec<String>,
    pub(super) warnings: Vec<Warning>,
    accounts: HashMap<String, Account>,
    /// Of those that are not locked.
    usable: Vec<Arc<Credential>>,
    pub(super) devices: devices::Index,
}

struct Account {
    /// `None` for an account that is locked.
    credential: Option<Arc<Credential>>,
    /// `None` where they are not understood.
    fields: Option<Fields>,
}

/// The files that a table is read from.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) users: PathBuf,
    /// It need not be there.
    pub(super) devices: PathBuf,
}

/// A version of each.
pub(super) type Versions = (Option<Version>, Option<Version>);

impl Files {
    pub(super) fn versions(&self) -> Versions {
        (Version::of(&self.users), Version::of(&self.devices))
    }
}

/// What a login is checked against.
pub(super) struct Credential {
    hash: Hash,
    /// It goes with the table, so a changed file forgets every password.
    remembered: Mutex<Option<Remembered>>,
}

impl Table {
    pub(super) fn load(files: &Files) -> Result<Self, Error> {
        // What changes while it is read is read again at the next login.
        let version = files.versions();
        let (octets, _) = edit::open(&files.users).map_err(edit::io_error("read", &files.users))?;
        let file = edit::parse(&files.users, &octets)?;
        let devices = devices::Index::of(edit::read_devices(&files.devices)?);
        let warnings = file.warnings().collect();
        let (mut names, mut accounts, mut usable) = (Vec::new(), HashMap::new(), Vec::new());
        for (name, passwd_file::Account { hash, fields }) in file.into_accounts() {
            let credential = hash.ok().map(|hash| Arc::new(Credential::new(hash)));
            usable.extend(credential.clone());
            names.push(name.clone());
            accounts.insert(name, Account { credential, fields });
        }
        Ok(Self { version, names, warnings, accounts, usable, devices })
    }

    /// What is known of an account, `None` where there is none or it is not understood.
    pub(super) fn fields(&self, user: &str) -> Option<&Fields> {
        self.accounts.get(user)?.fields.as_ref()
    }

    pub(super) fn contains(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    pub(super) fn look_up(&self, user: &str) -> Lookup {
        match self.accounts.get(user) {
            None => Lookup::Nobody,
            Some(Account { fields: None, .. }) => Lookup::Unclear,
            Some(Account { fields: Some(fields), .. }) => Lookup::Fields(fields.clone()),
        }
    }

    /// Of those accounts whose fields are understood.
    pub(super) fn all_fields(&self) -> impl Iterator<Item = &Fields> {
        self.accounts.values().filter_map(|account| account.fields.as_ref())
    }

    /// What the user's password is checked against, if the user is known and not locked.
    pub(super) fn credential(&self, user: &str) -> Option<&Arc<Credential>> {
        self.accounts.get(user)?.credential.as_ref()
    }

    /// What the password of an unknown or locked user is checked against, so that this takes the time that it takes
    /// for another: the same account's for the same name, and so every scheme as often as the real users have it.
    /// `None` if no account of the file is usable.
    pub(super) fn stand_in(&self, user: &str, key: &Key) -> Option<&Arc<Credential>> {
        self.usable.get(key.pick(user, self.usable.len()))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} accounts)", self.names.len())
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
        *remembered = remembered.filter(|remembered| !remembered.is_older_than(lifetime));
        Remembered::is_one_of(*remembered, logins)
    }

    /// Keeps this login, in place of an earlier one.
    pub(super) fn remember(&self, login: Mac) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Some(Remembered::now(login));
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
