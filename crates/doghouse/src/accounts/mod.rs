//! Who may log in: the users file, its password schemes and the check of a login.
//!
//! - [`passwd_file`]: reads the file and changes it in memory.
//! - [`edit()`], [`edit_devices()`]: change the files on disk.
//! - [`devices`]: passwords of devices. [`Fields`]: what is known beside the password.
//! - [`LastUse`], [`Known`]: when each device was used last.
//! - [`Accounts`]: the file as a running server uses it.

pub mod devices;
mod edit;
mod error;
mod fields;
mod keyed;
mod last_use;
pub mod passwd_file;
mod scheme;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use pop2::Secret;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use self::devices::Devices;
pub use self::edit::{edit, edit_devices, read_devices};
pub use self::error::Error;
pub(crate) use self::fields::network;
pub use self::fields::{Fields, Networks};
use self::keyed::Key;
pub use self::last_use::{Known, LastUse, Use};
pub use self::passwd_file::{PasswdFile, Warning};
use self::scheme::Hash;
pub use self::scheme::Locked;
use self::table::{Credential, Files, Table, Versions};
use crate::peer::Peer;

/// The accounts of a users file. A clone is the same accounts.
///
/// Every login looks whether the file has changed since, by its inode, size and times, and reads it anew if so; what
/// [`edit()`] writes therefore holds from the next login on. A changed file with a fault is logged once, and the
/// accounts stay as they were.
#[derive(Clone)]
pub struct Accounts(Arc<Shared>);

struct Shared {
    files: Files,
    remember: Duration,
    key: Key,
    /// Checked against where the file has no account that could stand in for an unknown user.
    nobody: Arc<Credential>,
    /// One permit a core: more hashes at once would only make each other slow, and take their memory.
    cores: Arc<Semaphore>,
    table: RwLock<Arc<Table>>,
    /// The version of the file that a fault was logged for. Held while the file is read anew.
    refused: Mutex<Option<Versions>>,
}

/// A user whose password was right. Nothing but [`Accounts::check`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    user: String,
    device: Option<String>,
    read_only: bool,
}

impl Verified {
    /// The user's name: visible ASCII characters that can be the name of a folder.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The label of the device whose password it was, if it was one's.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Whether nothing may be deleted.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.read_only
    }
}

/// A login that was not accepted. It does not say why, because nobody may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("login refused")]
pub struct Refused;

impl Accounts {
    /// Reads a users file and the passwords of `devices`, a file that need not be there, and remembers right passwords
    /// for `remember`; zero is never.
    ///
    /// What is remembered is a keyed hash in memory, one a user, that is gone with the process and with any change
    /// of the file. It saves a client that logs in often the cost of the password's own hash.
    pub fn load(path: &Path, devices: &Path, remember: Duration) -> Result<Self, Error> {
        let files = Files { users: path.to_owned(), devices: devices.to_owned() };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self(Arc::new(Shared {
            remember,
            key: Key::random().map_err(Error::Random)?,
            nobody: Arc::new(Credential::new(Hash::of_nobody())),
            cores: Arc::new(Semaphore::new(cores)),
            table: RwLock::new(Arc::new(Table::load(&files)?)),
            files,
            refused: Mutex::new(None),
        })))
    }

    /// Checks a login of a client: whether one of the passwords is the user's, or that of a device of his.
    ///
    /// The passwords are what one line from the client may mean, and together they are one attempt. A wrong
    /// password, an unknown user and a locked account get the same answer after the same work, done on threads that
    /// may block.
    pub async fn check(&self, user: &str, candidates: &[Secret], client: Peer) -> Result<Verified, Refused> {
        let shared = &self.0;
        self.notice_change().await;
        let table = shared.table();
        let real = table.credential(user);
        let stand_in = table.stand_in(user, &shared.key).unwrap_or(&shared.nobody);
        let credential = Arc::clone(real.unwrap_or(stand_in));
        let logins: Vec<_> = candidates.iter().map(|password| shared.key.login(user, password)).collect();
        let networks = table.fields(user).and_then(|fields| fields.networks.as_ref());
        let real = real.filter(|_| networks.is_none_or(|networks| networks.contains(client)));
        let verified = Verified { user: user.to_owned(), device: None, read_only: false };
        // One look for each password, whosever it may be.
        let device = table.devices.find(user, candidates).filter(|device| device.takes(client));
        if let (Some(device), Some(_may_log_in)) = (device, real) {
            let label = Some(device.label.clone());
            return Ok(Verified { device: label, read_only: device.read_only, ..verified });
        }
        if credential.remembers(&logins, shared.remember) && real.is_some() {
            return Ok(verified);
        }
        // The permit goes with the work, which goes on when the session is gone.
        let permit = Arc::clone(&shared.cores).acquire_owned().await.map_err(|_| Refused)?;
        let work = {
            let (credential, candidates) = (Arc::clone(&credential), candidates.to_vec());
            move || {
                let right = credential.verify(&candidates);
                drop(permit);
                right
            }
        };
        match blocking(work).await.flatten() {
            Some(right) if real.is_some() => {
                if let Some(&login) = logins.get(right)
                    && !shared.remember.is_zero()
                {
                    credential.remember(login);
                }
                Ok(verified)
            }
            _ => Err(Refused),
        }
    }

    /// The accounts that a mistake in the file locks, in the order of the file. Those of every later version of the
    /// file are logged when it is read.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.table().warnings.clone()
    }

    /// How many accounts there are, locked ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.table().names.len()
    }

    /// Whether there is no account.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The users' names, in the order of the file.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.table().names.clone()
    }

    /// Whether there is an account of this name, locked or not.
    #[must_use]
    pub fn contains(&self, user: &str) -> bool {
        self.0.table().contains(user)
    }

    /// What is known of an account beside its password: `None` where there is none of that name, or where it is not
    /// understood.
    #[must_use]
    pub fn fields(&self, user: &str) -> Option<Fields> {
        self.0.table().fields(user).cloned()
    }

    /// Sees to it that a changed file is read before the next login is checked.
    async fn notice_change(&self) {
        // One look at an inode that is always in memory, which is less than changing threads for it.
        if self.0.files.versions() != self.0.table().version {
            let shared = Arc::clone(&self.0);
            blocking(move || shared.read_anew()).await;
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts({}, {} accounts)", self.0.files.users.display(), self.len())
    }
}

impl Shared {
    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn refused(&self) -> MutexGuard<'_, Option<Versions>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file if it is another version than the one in force. One that fails is tried again at the next
    /// login, since the cause may pass, but is logged once.
    fn read_anew(&self) {
        let mut refused = self.refused();
        let version = self.files.versions();
        if version == self.table().version {
            return;
        }
        match Table::load(&self.files) {
            Ok(table) => {
                *refused = None;
                self.put_in_force(table);
            }
            Err(error) if *refused != Some(version) => {
                *refused = Some(version);
                tracing::error!(%error, "the users file has changed and is refused; the accounts stay as they were");
            }
            Err(_) => {}
        }
    }

    fn put_in_force(&self, table: Table) {
        for warning in &table.warnings {
            tracing::warn!(file = %self.files.users.display(), %warning, "an account is locked");
        }
        tracing::info!(users = %self.files.users.display(), accounts = table.names.len(), "users file read");
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

/// Does the work on a thread that may block; `None` if the work panicked or the runtime is ending.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(work)
        .await
        .inspect_err(|error| tracing::error!(%error, "work on the users file came to no end"))
        .ok()
}
