//! Mail of many machines: accounts, folders and messages in PostgreSQL, large messages in an object store.
//!
//! Any number of processes may use one [`Database`] at the same time, and each may die at any moment. What holds the
//! mail together:
//! - A message is there once the one transaction is committed that adds its row and counts it; its octets are stored
//!   before that, and stay when the row goes. [`Database::sweep`] removes octets without a row once they are old.
//! - Numbers of messages ([`message.id`]) grow within a folder in the order of their transactions, and are never used
//!   again. A session's snapshot is a list of them, so that a deletion is one statement that may be said twice.
//! - A delivery that is tried again, by this program or by its sender, is known again by its id.
//!
//! The SQL is what PostgreSQL, `CockroachDB` and `YugabyteDB` have in common.
//!
//! [`message.id`]: https://www.rfc-editor.org/rfc/rfc3501#section-2.3.1.1

use crate::{Error, FolderName, Postbox, Terms, Undelivered, Usage, folder::with_inbox};
use tokio::io::AsyncRead;

mod connection;
mod database;
mod delivery;
mod listing;
mod migrations;
mod object;
mod objects;
mod ownership;
mod settings;
mod snapshot;
mod sweep;
mod tls;

pub use connection::{Connection, Parameter};
pub use database::Database;
pub use migrations::{MIGRATIONS, Migration};
pub(crate) use object::{Object, Reading};
pub use objects::Objects;
pub use settings::{ObjectsAt, S3, Settings, SettingsError};
pub use snapshot::Snapshot;
pub use sweep::Swept;

/// An account's mail in a database.
#[derive(Debug, Clone)]
pub struct Postgres {
    database: Database,
    owner: String,
}

impl Postgres {
    /// The mail of one account; there need not be any.
    #[must_use]
    pub fn new(database: Database, owner: impl Into<String>) -> Self {
        Self { database, owner: owner.into() }
    }
}

impl Postbox for Postgres {
    type Mailbox = Snapshot;

    async fn select(&self, folder: &FolderName) -> Result<Snapshot, Error> {
        let name = folder.to_string();
        self.database.persist(|| snapshot::select(&self.database, &self.owner, &name)).await
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        const SQL: &str = "SELECT folder.name FROM folder JOIN postbox ON postbox.id = folder.postbox WHERE postbox.owner = $1";
        let names = self
            .database
            .persist(|| async {
                let connection = self.database.connection().await?;
                let rows = connection.rows("list folders", SQL, &[&self.owner]).await?;
                rows.iter().map(|row| connection.value::<String>(row, 0)).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        Ok(with_inbox(names.iter().filter_map(|name| FolderName::stored(name.as_bytes()))))
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        match self.deliver_within(folder, message, Terms::default()).await {
            Ok(()) => Ok(()),
            Err(Undelivered::Store(error)) => Err(error),
            // There is no limit that it could have met.
            Err(full @ (Undelivered::Full | Undelivered::TooLarge(_))) => {
                Err(self.database.failed("deliver", full))
            }
        }
    }

    async fn usage(&self) -> Result<Usage, Error> {
        self.database
            .persist(|| async {
                const SQL: &str = "SELECT octets, messages FROM postbox WHERE owner = $1";
                let connection = self.database.connection().await?;
                let rows = connection.rows("count mail", SQL, &[&self.owner]).await?;
                let Some(row) = rows.first() else { return Ok(Usage::default()) };
                let count = |column| connection.count(row, column);
                Ok(Usage { octets: count(0)?, messages: count(1)? })
            })
            .await
    }

    async fn deliver_within<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
        terms: Terms<'_>,
    ) -> Result<(), Undelivered> {
        delivery::deliver(&self.database, &self.owner, folder, message, terms).await
    }
}

/// A step at which a test may kill the process, or have it fail.
#[cfg(feature = "faults")]
fn step(place: &str) -> Result<(), Error> {
    crate::faults::step().map_err(|source| Error::Io { action: "ask", place: place.into(), source })
}

#[cfg(not(feature = "faults"))]
#[allow(clippy::unnecessary_wraps)] // it fails where a test wants it to
fn step(_place: &str) -> Result<(), Error> {
    Ok(())
}
