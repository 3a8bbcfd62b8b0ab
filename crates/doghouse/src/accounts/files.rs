//! The accounts of a users file, as a running server uses them.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use pop2::Secret;

use super::checks::{Checks, blocking};
use super::devices::Device;
use super::error::Error;
use super::passwd_file::Warning;
use super::table::{Files, Table, Versions};
use super::{Refused, Verified};
use crate::peer::Peer;

/// The accounts of a users file. A clone is the same accounts.
///
/// Every login looks whether the file has changed since, by its inode, size and times, and reads it anew if so; what
/// [`edit()`](super::edit()) writes therefore holds from the next login on. A changed file with a fault is logged
/// once, and the accounts stay as they were.
#[derive(Clone)]
pub(super) struct FileAccounts(pub(super) Arc<Shared>);

pub(super) struct Shared {
    files: Files,
    pub(super) checks: Checks,
    table: RwLock<Arc<Table>>,
    /// The version of the file that a fault was logged for. Held while the file is read anew.
    refused: Mutex<Option<Versions>>,
}

impl FileAccounts {
    pub(super) fn load(path: &Path, devices: &Path, remember: Duration) -> Result<Self, Error> {
        let files = Files { users: path.to_owned(), devices: devices.to_owned() };
        Ok(Self(Arc::new(Shared {
            checks: Checks::new(remember)?,
            table: RwLock::new(Arc::new(Table::load(&files)?)),
            files,
            refused: Mutex::new(None),
        })))
    }

    /// See [`Accounts::check`](super::Accounts::check).
    pub(super) async fn check(
        &self,
        user: &str,
        candidates: &[Secret],
        client: Peer,
    ) -> Result<Verified, Refused> {
        self.notice_change().await;
        let checks = &self.0.checks;
        let table = self.table();
        let real = table.credential(user);
        let stand_in = table.stand_in(user, &checks.key).unwrap_or(&checks.nobody);
        let credential = Arc::clone(real.unwrap_or(stand_in));
        let logins: Vec<_> = candidates.iter().map(|password| checks.key.login(user, password)).collect();
        let fields = table.fields(user);
        let networks = fields.and_then(|fields| fields.networks.as_ref());
        let real = real.filter(|_| networks.is_none_or(|networks| networks.contains(client)));
        let verified = |device: Option<&Device>| Verified {
            user: user.to_owned(),
            device: device.map(|device| device.label.clone()),
            read_only: device.is_some_and(|device| device.read_only),
            // They are understood, or it would be locked.
            fields: fields.cloned().unwrap_or_default(),
        };
        // One look for each password, whosever it may be.
        let device = table.devices.find(user, candidates).filter(|device| device.takes(client));
        if let (Some(device), Some(_may_log_in)) = (device, real) {
            return Ok(verified(Some(device)));
        }
        if credential.remembers(&logins, checks.remember) && real.is_some() {
            return Ok(verified(None));
        }
        match checks.right(&credential, candidates).await {
            Some(right) if real.is_some() => {
                if let Some(&login) = logins.get(right)
                    && !checks.remember.is_zero()
                {
                    credential.remember(login);
                }
                Ok(verified(None))
            }
            _ => Err(Refused::Wrong),
        }
    }

    /// The version of the file in force.
    pub(super) fn table(&self) -> Arc<Table> {
        self.0.table()
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.table().warnings.clone()
    }

    /// Sees to it that a changed file is read before the next login is checked.
    async fn notice_change(&self) {
        // One look at an inode that is always in memory, which is less than changing threads for it.
        if self.0.files.versions() != self.table().version {
            let shared = Arc::clone(&self.0);
            blocking(move || shared.read_anew()).await;
        }
    }
}

impl fmt::Debug for FileAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} accounts", self.0.files.users.display(), self.table().names.len())
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
    pub(super) fn read_anew(&self) {
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
