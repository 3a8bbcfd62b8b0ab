//! Who may log in: where accounts are kept, their password schemes and the check of a login.
//!
//! - [`Accounts`]: the accounts as a running server uses them, in a users file or in a database.
//! - [`passwd_file`]: reads the file and changes it in memory.
//! - [`edit()`], [`edit_devices()`]: change the files on disk. [`Rows`]: changes the rows of the database.
//! - [`devices`]: passwords of devices. [`Fields`]: what is known beside the password.
//! - [`LastUse`], [`Known`]: when each device was used last.

mod checks;
mod database;
pub mod devices;
mod edit;
mod error;
mod fields;
mod files;
mod found;
mod keyed;
mod last_use;
pub mod passwd_file;
mod remembered;
mod rows;
mod scheme;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use pop2::Secret;
use postbox::postgres::Database;
use thiserror::Error;
use tokio::time::Instant;

use self::database::DatabaseAccounts;
pub use self::devices::Devices;
pub use self::edit::{edit, edit_devices, read_devices};
pub use self::error::Error;
pub(crate) use self::fields::network;
pub use self::fields::{Fields, Networks};
use self::files::FileAccounts;
pub use self::found::{Found, Lookup, Names};
pub use self::last_use::{Known, LastUse, Use};
pub use self::passwd_file::{PasswdFile, Warning};
pub use self::rows::{DeviceRow, Listed, Rows};
pub use self::scheme::Locked;
use crate::peer::Peer;

/// The accounts of a server. A clone is the same accounts.
///
/// Whatever changes them, the change holds from the next login on.
#[derive(Clone)]
pub struct Accounts(Source);

#[derive(Clone)]
enum Source {
    /// A users file, which is in memory: there is nothing to wait for, and nothing fails.
    Files(FileAccounts),
    Database(DatabaseAccounts),
}

/// A user whose password was right. Nothing but [`Accounts::check`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    user: String,
    device: Option<String>,
    read_only: bool,
    fields: Fields,
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

    /// What is known of the account beside its password.
    #[must_use]
    pub fn into_fields(self) -> Fields {
        self.fields
    }
}

/// A login that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is wrong. It does not say why, because nobody may be told.
    #[error("login refused")]
    Wrong,
    /// Whether it is right could not be found out; the log says why.
    #[error("the login cannot be checked now")]
    Unchecked,
}

impl Accounts {
    /// Reads a users file and the passwords of `devices`, a file that need not be there, and remembers right passwords
    /// for `remember`; zero is never.
    ///
    /// What is remembered is a keyed hash in memory, one a user, that is gone with the process and with any change
    /// of the file. It saves a client that logs in often the cost of the password's own hash.
    pub fn load(path: &Path, devices: &Path, remember: Duration) -> Result<Self, Error> {
        FileAccounts::load(path, devices, remember).map(|files| Self(Source::Files(files)))
    }

    /// The accounts in a database, which need not answer yet. What is remembered is gone with the process, and where
    /// the stored password is another.
    ///
    /// # Errors
    /// Where the system gives no random octets.
    pub fn in_database(database: Database, remember: Duration) -> Result<Self, Error> {
        DatabaseAccounts::new(database, remember).map(|accounts| Self(Source::Database(accounts)))
    }

    /// Checks a login of a client: whether one of the passwords is the user's, or that of a device of his.
    ///
    /// The passwords are what one line from the client may mean, and together they are one attempt. A wrong
    /// password, an unknown user and a locked account get the same answer after the same work, done on threads that
    /// may block. It takes no longer than `until`, but for the work on a hash.
    pub async fn check(
        &self,
        user: &str,
        candidates: &[Secret],
        client: Peer,
        until: Instant,
    ) -> Result<Verified, Refused> {
        match &self.0 {
            Source::Files(files) => files.check(user, candidates, client).await,
            // Boxed, so that the other is no larger for it.
            Source::Database(accounts) => Box::pin(accounts.check(user, candidates, client, until)).await,
        }
    }

    /// The accounts that a mistake in the file locks, in the order of the file. Those of every later version of the
    /// file are logged when it is read. Of a database, in which there may be any number, none is told here.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        match &self.0 {
            Source::Files(files) => files.warnings(),
            Source::Database(_) => Vec::new(),
        }
    }

    /// How many accounts there are, locked ones included.
    ///
    /// # Errors
    /// Where the database cannot be asked; so it is with all that follow.
    pub async fn count(&self) -> Result<u64, Error> {
        match &self.0 {
            Source::Files(files) => Ok(files.table().names.len() as u64),
            Source::Database(accounts) => accounts.count().await,
        }
    }

    /// The users' names: in the order of the file, or in that of the alphabet.
    #[must_use]
    pub fn names(&self) -> Names {
        match &self.0 {
            Source::Files(files) => files.table().names.clone().into(),
            Source::Database(accounts) => Names::in_database(accounts.rows()),
        }
    }

    /// Whether there is an account of this name, locked or not.
    pub async fn contains(&self, user: &str) -> Result<bool, Error> {
        match &self.0 {
            Source::Files(files) => Ok(files.table().contains(user)),
            Source::Database(accounts) => Ok(!matches!(accounts.find(user).await?, Lookup::Nobody)),
        }
    }

    /// What is known of an account beside its password.
    pub async fn look_up(&self, user: &str) -> Result<Lookup, Error> {
        match &self.0 {
            Source::Files(files) => Ok(files.table().look_up(user)),
            Source::Database(accounts) => accounts.find(user).await,
        }
    }

    /// What `question` makes of the accounts that there are, which it asks for by their names; and what was found of
    /// those. It may be called several times, and has to ask for the same names where it gets the same answers.
    pub async fn answer<T>(
        &self,
        question: impl Fn(&dyn Fn(&str) -> bool) -> T,
    ) -> Result<(T, Found), Error> {
        match &self.0 {
            Source::Files(files) => {
                let table = files.table();
                Ok((question(&|user| table.contains(user)), Found::in_table(table)))
            }
            Source::Database(accounts) => accounts.answer(question).await,
        }
    }

    /// The fields of all accounts, of a users file; of a database, in which there may be any number, none.
    #[must_use]
    pub fn fields_at_hand(&self) -> Vec<Fields> {
        match &self.0 {
            Source::Files(files) => files.table().all_fields().cloned().collect(),
            Source::Database(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Files(files) => write!(f, "Accounts({files:?})"),
            Source::Database(accounts) => write!(f, "Accounts({accounts:?})"),
        }
    }
}
