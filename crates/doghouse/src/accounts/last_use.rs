//! When each device was used last: noted in memory, and written now and then. Beside files that is a file of its own,
//! since the server need not be able to write the others; in a database it stands with the device.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use postbox::postgres::Database;
use serde::{Deserialize, Serialize};

use super::edit;
use crate::peer::Peer;

/// How many devices are written to a database at once.
const AT_ONCE: usize = 1_000;

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// When, in seconds since 1970.
    pub at: u64,
    /// From where.
    pub from: String,
}

/// Of each user the devices by their labels.
type Uses = BTreeMap<String, BTreeMap<String, Use>>;

/// The last use of each device, as far as it is not written yet.
#[derive(Debug, Default)]
pub struct LastUse {
    fresh: Mutex<Uses>,
}

impl LastUse {
    /// A device was logged in with, now.
    pub fn note(&self, user: &str, label: &str, from: Peer) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.fresh()
            .entry(user.to_owned())
            .or_default()
            .insert(label.to_owned(), Use { at, from: from.to_string() });
    }

    /// Writes what was noted into a file, which need not be there. It blocks.
    ///
    /// # Errors
    /// Where the file cannot be written; what was noted is written with the next attempt.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let fresh = self.fresh().clone();
        if fresh.is_empty() {
            return Ok(());
        }
        // Another process may have written since.
        let mut all = read(path);
        for (user, devices) in &fresh {
            all.entry(user.clone()).or_default().extend(devices.clone());
        }
        let text = serde_json::to_vec_pretty(&all)?;
        edit::replace(path, &text, fs::metadata(path).ok().as_ref())?;
        self.forget(&fresh);
        Ok(())
    }

    /// Writes what was noted to the devices in a database; of what several servers note, the latest stays.
    ///
    /// # Errors
    /// Where it cannot be written; what was noted is written with the next attempt.
    pub async fn write_to(&self, database: &Database) -> Result<(), postbox::Error> {
        const SQL: &str = "UPDATE device SET used_at = noted.used_at, used_from = noted.used_from
            FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
                AS noted (account, label, used_at, used_from)
            WHERE device.account = noted.account AND device.label = noted.label
                AND (device.used_at IS NULL OR device.used_at < noted.used_at)";
        let fresh = self.fresh().clone();
        let uses = fresh
            .iter()
            .flat_map(|(user, devices)| devices.iter().map(move |(label, last)| (user, label, last)));
        let uses: Vec<(&String, &String, &Use)> = uses.collect();
        for uses in uses.chunks(AT_ONCE) {
            let users: Vec<&str> = uses.iter().map(|(user, _, _)| user.as_str()).collect();
            let labels: Vec<&str> = uses.iter().map(|(_, label, _)| label.as_str()).collect();
            let times = uses.iter().map(|(_, _, last)| UNIX_EPOCH + Duration::from_secs(last.at));
            let times: Vec<SystemTime> = times.collect();
            let places: Vec<&str> = uses.iter().map(|(_, _, last)| last.from.as_str()).collect();
            let connection = database.connection().await?;
            connection.change("note the use of devices", SQL, &[&users, &labels, &times, &places]).await?;
        }
        self.forget(&fresh);
        Ok(())
    }

    /// What was written need not be kept, unless there was another use meanwhile.
    fn forget(&self, written: &Uses) {
        self.fresh().retain(|user, devices| {
            let written = written.get(user);
            devices.retain(|label, last| written.and_then(|written| written.get(label)) != Some(last));
            !devices.is_empty()
        });
    }

    fn fresh(&self) -> MutexGuard<'_, Uses> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last uses that a file knows of.
#[derive(Debug, Default)]
pub struct Known(Uses);

impl Known {
    /// Reads the file. One that is not there or not in order says nothing: it is a convenience.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        Self(read(path))
    }

    /// The last use of a device.
    #[must_use]
    pub fn of(&self, user: &str, label: &str) -> Option<&Use> {
        self.0.get(user)?.get(label)
    }
}

fn read(path: &Path) -> Uses {
    fs::read(path).ok().and_then(|octets| serde_json::from_slice(&octets).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_there_for_others_once_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-use");
        let (one, other) = (LastUse::default(), LastUse::default());
        let of = |user, label| Known::read(&path).of(user, label).map(|last| last.from.clone());
        one.note("fido", "MicroVAX", Peer::Local);
        assert_eq!(of("fido", "MicroVAX"), None);
        one.write(&path).unwrap();
        other.note("fido", "Mac", Peer::at([192, 0, 2, 9].into()));
        other.note("smith", "Mac", Peer::Local);
        other.write(&path).unwrap();
        one.write(&path).unwrap();
        assert_eq!(of("fido", "MicroVAX").as_deref(), Some("local"));
        assert_eq!(of("fido", "Mac").as_deref(), Some("192.0.2.9"));
        assert!(of("smith", "Mac").is_some() && of("smith", "MicroVAX").is_none());
        fs::write(&path, "woof").unwrap();
        assert_eq!(of("fido", "Mac"), None);
        one.note("fido", "Mac", Peer::Local);
        assert!(one.write(&folder.path().join("no/last-use")).is_err());
        one.write(&path).unwrap();
        assert_eq!(of("fido", "Mac").as_deref(), Some("local"), "it was not forgotten");
    }
}
