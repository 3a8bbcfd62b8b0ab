//! A folder in a database, selected.

use std::{num::NonZeroU32, sync::Arc};

use super::{
    Database, Object,
    listing::{Listing, State},
};
use crate::{Error, Mailbox, Marks, Message, Released};

/// A folder as it was when it was selected: the ids of its messages.
#[derive(Debug)]
pub struct Snapshot {
    database: Database,
    /// `None` where there is no such folder.
    listing: Option<Listing>,
}

const STATE: &str = "SELECT folder.id, folder.messages, folder.newest, folder.removals
    FROM folder JOIN postbox ON postbox.id = folder.postbox
    WHERE postbox.owner = $1 AND folder.name = $2";

/// Selects a folder: looks how it is, and sees to it that its ids are read.
pub(super) async fn select(database: &Database, owner: &str, name: &str) -> Result<Snapshot, Error> {
    let mut connection = database.connection().await?;
    let snapshot = |listing| Snapshot { database: database.clone(), listing };
    let Some(state) = look(&connection, owner, name).await? else { return Ok(snapshot(None)) };
    if state.messages == 0 {
        return Ok(snapshot(Some(Listing::empty(state))));
    }
    if let Some(listing) = database.kept().of(state) {
        return Ok(snapshot(Some(listing)));
    }
    // Now the count and the ids have to be of the same moment.
    connection.begin_to_look("select a folder").await?;
    let Some(state) = look(&connection, owner, name).await? else { return Ok(snapshot(None)) };
    let known = database.kept().beginning(state);
    let listing = Listing::read(state, known.as_ref(), connection);
    database.kept().keep(listing.clone());
    Ok(snapshot(Some(listing)))
}

async fn look(connection: &super::Connection, owner: &str, name: &str) -> Result<Option<State>, Error> {
    let rows = connection.rows("select a folder", STATE, &[&owner, &name]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let messages = u32::try_from(connection.count(row, 1)?).unwrap_or(u32::MAX);
    let (folder, newest) = (connection.value(row, 0)?, connection.value(row, 2)?);
    Ok(Some(State { folder, messages, newest, removals: connection.value(row, 3)? }))
}

impl Mailbox for Snapshot {
    fn count(&self) -> u32 {
        self.listing.as_ref().map_or(0, |listing| listing.state.messages)
    }

    async fn size(&mut self) -> Result<u64, Error> {
        const SQL: &str = "SELECT coalesce(sum(size), 0)::bigint FROM message WHERE folder = $1 AND id <= $2";
        let Some(listing) = &self.listing else { return Ok(0) };
        let State { folder, newest, .. } = listing.state;
        self.database
            .persist(|| async {
                let connection = self.database.connection().await?;
                let rows = connection.rows("add up sizes", SQL, &[&folder, &newest]).await?;
                rows.first().map_or(Ok(0), |row| connection.count(row, 0))
            })
            .await
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let Some(listing) = &self.listing else { return Ok(None) };
        let Some(id) = listing.id(number.get() - 1).await? else { return Ok(None) };
        let folder = listing.state.folder;
        self.database.persist(|| fetch(&self.database, folder, id)).await
    }

    async fn release(self, marks: &Marks) -> Released {
        let Some(listing) = &self.listing else { return Released::default() };
        let mut ids = Vec::with_capacity(marks.len());
        for number in marks {
            match listing.id(number.get() - 1).await {
                Ok(id) => ids.extend(id),
                Err(error) => return Released::all_kept(marks, error),
            }
        }
        if ids.is_empty() {
            return Released::default();
        }
        let removed = self.database.persist(|| remove(&self.database, listing.state.folder, &ids)).await;
        removed.map_or_else(|error| Released::all_kept(marks, error), |()| Released::default())
    }
}

/// A message with its octets, or with where to get them; `None` where it is gone.
async fn fetch(database: &Database, folder: i64, id: i64) -> Result<Option<Message>, Error> {
    const SQL: &str = "SELECT message.size, message.wire, message.digest, message.object, body.octets
        FROM message LEFT JOIN body ON body.folder = message.folder AND body.id = message.id
        WHERE message.folder = $1 AND message.id = $2";
    let connection = database.connection().await?;
    let rows = connection.rows("read a message", SQL, &[&folder, &id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (size, wire) = (connection.count(row, 0)?, connection.count(row, 1)?);
    if let Some(key) = connection.value::<Option<String>>(row, 3)? {
        let digest = connection.value(row, 2)?;
        let object = Object::new(database.objects()?.clone(), key, size, digest);
        return Ok(Some(Message::from_object(Arc::new(object), wire)));
    }
    let octets: &[u8] = row.try_get::<_, Option<&[u8]>>(4).ok().flatten().unwrap_or_default();
    let message = Message::from_bytes(octets.to_vec().into());
    if octets.len() as u64 != size || message.length() != wire {
        let place = format!("message {id} of folder {folder}");
        return Err(Error::Changed { place, promised: wire, found: message.length() });
    }
    Ok(Some(message))
}

/// Removes messages, all or none. What is gone already counts for nothing, so that this may be done twice.
async fn remove(database: &Database, folder: i64, ids: &[i64]) -> Result<(), Error> {
    // Whoever changes an account's mail takes the account's row first: so nobody waits in a circle.
    const LOCK: &str = "SELECT postbox.id FROM postbox WHERE postbox.id = (SELECT postbox FROM folder WHERE id = $1) FOR UPDATE";
    const REMOVE: &str = "
        WITH gone AS (
            DELETE FROM message WHERE folder = $1 AND id = ANY ($2) RETURNING id, size, object
        ), emptied AS (
            DELETE FROM body WHERE folder = $1 AND id IN (SELECT id FROM gone) RETURNING id
        ), discarded AS (
            INSERT INTO discarded (object) SELECT object FROM gone WHERE object IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING object
        ), counted AS (
            UPDATE folder SET messages = messages - (SELECT count(*) FROM gone), removals = removals + 1
            WHERE id = $1 AND EXISTS (SELECT id FROM gone) RETURNING postbox
        )
        UPDATE postbox SET
            messages = messages - (SELECT count(*) FROM gone),
            octets = octets - (SELECT coalesce(sum(size), 0)::bigint FROM gone)
        WHERE id IN (SELECT postbox FROM counted)";
    let mut connection = database.connection().await?;
    connection.begin("delete messages").await?;
    connection.rows("delete messages", LOCK, &[&folder]).await?;
    connection.change("delete messages", REMOVE, &[&folder, &ids]).await?;
    connection.commit("delete messages").await
}
