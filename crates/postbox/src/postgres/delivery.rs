//! How a message gets into a database: its octets, then its row, its counts and the delivery's id in one transaction.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncRead;

use super::{Database, objects::Stored};
use crate::{Error, FolderName, Quota, Terms, Undelivered};

/// How long after its octets were put into the object store a message may get its row. [`Database::sweep`] never removes
/// octets that are younger than a multiple of it.
pub(super) const FRESH: Duration = Duration::from_hours(1);

/// Delivers a message; it is durable when this returns.
pub(super) async fn deliver<R: AsyncRead + Unpin + Send>(
    database: &Database,
    owner: &str,
    folder: &FolderName,
    message: R,
    terms: Terms<'_>,
) -> Result<(), Undelivered> {
    let most = terms.quota.octets;
    let objects = database.objects()?;
    // Boxed, since it is rarely needed, and large.
    let allowed = Box::pin(database.owns_objects());
    let Some(stored) = objects.take_in(message, database.inline(), most, allowed).await? else {
        return Err(Undelivered::TooLarge(most.unwrap_or_default()));
    };
    let folder = folder.to_string();
    let id = delivery_id(owner, &folder, terms.id)?;
    let entry = Entry { owner, folder: &folder, stored: &stored, id: &id, quota: terms.quota };
    // An attempt whose answer was lost may have entered the message, and then these octets are its own.
    let may_be_entered = AtomicBool::new(false);
    let entered = database.persist(|| async {
        let entered = entry.enter(database).await;
        may_be_entered.fetch_or(entered.is_err(), Relaxed);
        entered
    });
    match entered.await? {
        Entered::Now => Ok(()),
        // If they are nobody's, a sweep finds that out.
        Entered::Before if may_be_entered.load(Relaxed) => Ok(()),
        Entered::Before => {
            objects.forget(&stored).await;
            Ok(())
        }
        Entered::Full => {
            objects.forget(&stored).await;
            Err(Undelivered::Full)
        }
    }
}

/// What a delivery is known by when it is tried again: by the sender's name for it, in this folder. Without such a name
/// it is known to this attempt alone.
fn delivery_id(owner: &str, folder: &str, name: Option<&str>) -> Result<Vec<u8>, Error> {
    let Some(name) = name else {
        let mut id = vec![0; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Source(std::io::Error::other(error)))?;
        return Ok(id);
    };
    let mut hash = Sha256::new();
    for part in [name, owner, folder] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().to_vec())
}

/// How it went.
enum Entered {
    Now,
    /// By an earlier attempt.
    Before,
    Full,
}

/// A message whose octets are stored.
struct Entry<'a> {
    owner: &'a str,
    folder: &'a str,
    stored: &'a Stored,
    id: &'a [u8],
    quota: Quota,
}

impl Entry<'_> {
    /// Enters the message. It may be done again where it is not known whether it was done.
    async fn enter(&self, database: &Database) -> Result<Entered, Error> {
        // An attempt that is at work at the same time is waited for here.
        const IS_LATE: &str = "SELECT $1::timestamptz < now() - $2::bigint * INTERVAL '1 second'";
        const NOTE: &str = "INSERT INTO delivery (id) VALUES ($1) ON CONFLICT DO NOTHING";
        const HOLD: &str = "SELECT id FROM delivery WHERE id = $1 FOR UPDATE";
        const MAKE: &str = "INSERT INTO postbox (owner) VALUES ($1) ON CONFLICT DO NOTHING";
        const ROOM: &str = "UPDATE postbox SET messages = messages + 1, octets = octets + $2
            WHERE owner = $1 AND messages < $3 AND octets + $2 <= $4 RETURNING id";
        const ENTER: &str = "
            WITH place AS (
                INSERT INTO folder (postbox, name, messages, newest) VALUES ($1, $2, 1, $8)
                ON CONFLICT (postbox, name) DO UPDATE SET
                    messages = folder.messages + 1, newest = greatest(folder.newest + 1, excluded.newest)
                RETURNING id, newest
            ), entered AS (
                INSERT INTO message (folder, id, size, wire, digest, object)
                SELECT id, newest, $3, $4, $5, $6 FROM place RETURNING folder, id
            )
            INSERT INTO body (folder, id, octets)
            SELECT folder, id, $7 FROM entered WHERE $7::bytea IS NOT NULL";
        let most =
            |limit: Option<u64>| limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let (messages, octets) = (most(self.quota.messages), most(self.quota.octets));
        let Stored { size, wire, digest, .. } = self.stored;
        let (size, wire) = (most(Some(*size)), most(Some(*wire)));

        let mut connection = database.connection().await?;
        connection.begin("deliver").await?;
        // From here on the database ends what is halted. It is asked by its own clock, since that of a machine that was
        // halted as a whole stands still.
        if let Some(put) = self.stored.put() {
            let fresh = most(Some(FRESH.as_secs()));
            let rows = connection.rows("deliver", IS_LATE, &[&put, &fresh]).await?;
            if rows.first().map(|row| connection.value(row, 0)).transpose()? != Some(false) {
                let late = "its octets were put into the object store more than an hour ago; where that cannot be, set \
                    the clocks of both";
                return Err(database.failed("deliver", late));
            }
        }
        if connection.change("deliver", NOTE, &[&self.id]).await? == 0 {
            // It is in the tables, and after a restart perhaps not yet at the stand-by server, which a transaction that
            // changes nothing does not wait for. This one locks a row, and so does.
            connection.rows("deliver", HOLD, &[&self.id]).await?;
            connection.commit("deliver").await?;
            return Ok(Entered::Before);
        }
        let take_room: [super::Parameter<'_>; 4] = [&self.owner, &size, &messages, &octets];
        let mut room = connection.rows("deliver", ROOM, &take_room).await?;
        if room.is_empty() {
            // It is full, or not there yet.
            connection.change("deliver", MAKE, &[&self.owner]).await?;
            room = connection.rows("deliver", ROOM, &take_room).await?;
        }
        let Some(row) = room.first() else {
            connection.roll_back().await?;
            return Ok(Entered::Full);
        };
        let postbox: i64 = connection.value(row, 0)?;
        let (object, octets) = (self.stored.object(), self.stored.octets());
        let floor = database.floor();
        let parameters: [super::Parameter<'_>; 8] =
            [&postbox, &self.folder, &size, &wire, digest, &object, &octets, &floor];
        connection.change("deliver", ENTER, &parameters).await?;
        connection.commit("deliver").await?;
        Ok(Entered::Now)
    }
}
