//! Removing what no message needs any more.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use futures_util::StreamExt;
use object_store::ObjectMeta;

use super::{Database, delivery::FRESH};
use crate::{Error, error::Remote};

/// How many objects are asked about at a time.
const AT_ONCE: usize = 1_000;

/// How long deliveries are known again, in days: longer than any mail server keeps trying.
const DELIVERIES: i32 = 30;

/// What a sweep has found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that there were.
    pub objects: u64,
    /// Those that no message needed, and that were old enough, and so were removed.
    pub removed: u64,
    /// Their octets.
    pub octets: u64,
    /// Notes of deliveries that were forgotten.
    pub deliveries: u64,
}

impl Database {
    /// Removes objects that no message has and that are older than `age`, which is an hour at least and whose usual value
    /// is a day; with `only_look` it only counts them. Others may use the database meanwhile: an object gets its message
    /// within the hour, or never, and a session has so long to read what another deletes.
    pub async fn sweep(&self, age: Duration, only_look: bool) -> Result<Swept, Error> {
        self.look_whose_objects().await?;
        let age = age.max(2 * FRESH);
        let (mut swept, mut batch) = (Swept::default(), Vec::with_capacity(AT_ONCE));
        let objects = self.objects()?;
        let mut all = objects.all();
        let oldest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        while let Some(found) = all.next().await {
            let object = found.map_err(|error| objects.failed("list objects", Remote(error)))?;
            swept.objects += 1;
            if SystemTime::from(object.last_modified) < oldest {
                batch.push(object);
            }
            if batch.len() >= AT_ONCE {
                self.sweep_some(&mut batch, age, only_look, &mut swept).await?;
            }
        }
        self.sweep_some(&mut batch, age, only_look, &mut swept).await?;
        if !only_look {
            const DELIVERED: &str = "DELETE FROM delivery WHERE at < now() - $1::integer * INTERVAL '1 day'";
            const DISCARDED: &str =
                "DELETE FROM discarded WHERE at < now() - $1::bigint * INTERVAL '1 second'";
            let forget = || async {
                let connection = self.connection().await?;
                connection.change("forget deletions", DISCARDED, &[&seconds(age)]).await?;
                connection.change("forget deliveries", DELIVERED, &[&DELIVERIES]).await
            };
            swept.deliveries = self.persist(forget).await?;
        }
        Ok(swept)
    }

    async fn sweep_some(
        &self,
        batch: &mut Vec<ObjectMeta>,
        age: Duration,
        only_look: bool,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        const NEEDED: &str = "SELECT object FROM message WHERE object = ANY ($1)
            UNION SELECT object FROM discarded WHERE object = ANY ($1) AND at > now() - $2::bigint * INTERVAL '1 second'";
        let keys: Vec<String> = batch.iter().map(|object| object.location.to_string()).collect();
        let needed = || async {
            let connection = self.connection().await?;
            let rows = connection.rows("look for messages", NEEDED, &[&keys, &seconds(age)]).await?;
            rows.iter().map(|row| connection.value::<String>(row, 0)).collect::<Result<Vec<_>, _>>()
        };
        let needed: HashSet<String> =
            if keys.is_empty() { HashSet::new() } else { self.persist(needed).await?.into_iter().collect() };
        for object in batch.drain(..) {
            let key = object.location.to_string();
            if needed.contains(&key) {
                continue;
            }
            if !only_look {
                self.objects()?.delete(&key).await?;
            }
            swept.removed += 1;
            swept.octets += object.size;
        }
        Ok(())
    }
}

fn seconds(age: Duration) -> i64 {
    i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
}
