//! The accounts in a database, as a running server uses them: each is looked up when it is needed, and none is kept.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pop2::Secret;
use postbox::postgres::Database;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::checks::Checks;
use super::devices::{Device, Index};
use super::error::Error;
use super::fields::Fields;
use super::found::{Found, Lookup};
use super::passwd_file::check_name;
use super::remembered::Memory;
use super::rows::{Rows, usable};
use super::scheme::Locked;
use super::table::Credential;
use super::{Refused, Verified};
use crate::peer::Peer;

/// How long an account is looked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the database is not asked once it has not answered: all who wait hear so at once, where each would wait
/// for as long, one behind the other.
const BREATHER: Duration = Duration::from_secs(1);

/// Of how many users a right password is remembered.
const MOST: usize = 50_000;

/// The accounts in a database. A clone is the same accounts.
#[derive(Clone)]
pub(super) struct DatabaseAccounts(Arc<Shared>);

struct Shared {
    database: Database,
    checks: Checks,
    memory: Memory,
    /// When the database was last found not to answer, and why.
    silence: Mutex<Option<(Instant, String)>>,
}

/// An account as it is stored.
struct Row {
    password: Zeroizing<String>,
    extra: String,
    devices: Index,
}

impl DatabaseAccounts {
    pub(super) fn new(database: Database, remember: Duration) -> Result<Self, Error> {
        let (checks, memory) = (Checks::new(remember)?, Memory::of(MOST));
        Ok(Self(Arc::new(Shared { database, checks, memory, silence: Mutex::default() })))
    }

    /// See [`Accounts::check`](super::Accounts::check).
    pub(super) async fn check(
        &self,
        user: &str,
        candidates: &[Secret],
        client: Peer,
        until: Instant,
    ) -> Result<Verified, Refused> {
        let Shared { checks, memory, .. } = &*self.0;
        // Others wait behind this one until the same time.
        let patience = until.saturating_duration_since(Instant::now()) / 2;
        let row = self.row(user, patience.min(PATIENCE)).await.map_err(|error| {
            tracing::error!(?user, %error, "cannot look up an account");
            Refused::Unchecked
        })?;
        let row = row.unwrap_or_default();
        let (credential, fields) = match usable(&row.password, &row.extra) {
            Ok((hash, fields)) => (Arc::new(Credential::new(hash)), Some(fields)),
            Err(locked) => {
                if locked != Locked::OnPurpose {
                    tracing::warn!(?user, warning = %locked, "an account is locked");
                }
                (Arc::clone(&checks.nobody), None)
            }
        };
        let stored = row.password.as_bytes();
        let logins: Vec<_> =
            candidates.iter().map(|password| checks.key.stored_login(user, stored, password)).collect();
        let may_come =
            |fields: &Fields| fields.networks.as_ref().is_none_or(|networks| networks.contains(client));
        let fields = fields.filter(may_come);
        // One look for each password, whether there are devices or not.
        let device = row.devices.find(user, candidates).filter(|device| device.takes(client));
        let Some(fields) = fields else {
            checks.right(&credential, candidates).await;
            return Err(Refused::Wrong);
        };
        let user = user.to_owned();
        if let Some(device) = device {
            let (device, read_only) = (Some(device.label.clone()), device.read_only);
            return Ok(Verified { user, device, read_only, fields });
        }
        let verified = Verified { user, device: None, read_only: false, fields };
        if memory.has(&verified.user, &logins, checks.remember) {
            return Ok(verified);
        }
        let right = checks.right(&credential, candidates).await.ok_or(Refused::Wrong)?;
        if let Some(&login) = logins.get(right)
            && !checks.remember.is_zero()
        {
            memory.keep(&verified.user, login);
        }
        Ok(verified)
    }

    pub(super) async fn count(&self) -> Result<u64, Error> {
        let database = &self.0.database;
        let count = self.ask(PATIENCE, || async {
            let connection = database.connection().await?;
            let rows = connection.rows("count accounts", "SELECT count(*) FROM account", &[]).await?;
            rows.first().map_or(Ok(0), |row| connection.value::<i64>(row, 0))
        });
        Ok(count.await?.try_into().unwrap_or_default())
    }

    pub(super) fn rows(&self) -> Rows {
        Rows::new(self.0.database.clone())
    }

    /// Looks for an account of this name.
    pub(super) async fn find(&self, name: &str) -> Result<Lookup, Error> {
        let mut found = self.look_for(BTreeSet::from([name.to_owned()])).await?;
        Ok(found.remove(name).unwrap_or(Lookup::Nobody))
    }

    /// See [`Accounts::answer`](super::Accounts::answer).
    pub(super) async fn answer<T>(
        &self,
        question: impl Fn(&dyn Fn(&str) -> bool) -> T,
    ) -> Result<(T, Found), Error> {
        let (answer, known) = settle(question, |names| self.look_for(names)).await?;
        Ok((answer, Found::in_rows(known)))
    }

    async fn look_for(&self, names: BTreeSet<String>) -> Result<HashMap<String, Lookup>, Error> {
        const SQL: &str = "SELECT name, extra FROM account WHERE name = ANY($1)";
        let mut found: HashMap<_, _> = names.into_iter().map(|name| (name, Lookup::Nobody)).collect();
        let names = found.keys().map(String::as_str);
        let names: Vec<&str> = names.filter(|name| check_name(name.as_bytes()).is_ok()).collect();
        if names.is_empty() {
            return Ok(found);
        }
        let database = &self.0.database;
        let rows: Vec<(String, String)> = self
            .ask(PATIENCE, || async {
                let connection = database.connection().await?;
                let rows = connection.rows("look for accounts", SQL, &[&names]).await?;
                rows.iter().map(|row| Ok((connection.value(row, 0)?, connection.value(row, 1)?))).collect()
            })
            .await?;
        let fields = |extra: &str| Fields::of_extra(extra).map_or(Lookup::Unclear, Lookup::Fields);
        found.extend(rows.into_iter().map(|(name, extra)| (name, fields(&extra))));
        Ok(found)
    }

    /// The account of a name, with its devices.
    ///
    /// All of them: to look for the digest of what a client said, it would have to be told to the database, and where
    /// that logs what it is asked, a quick hash of the user's own password would stand.
    async fn row(&self, user: &str, patience: Duration) -> Result<Option<Row>, Error> {
        const SQL: &str = "SELECT account.password, account.extra,
                device.label, device.nets, device.read_only, device.digest
            FROM account LEFT JOIN device ON device.account = account.name WHERE account.name = $1";
        if check_name(user.as_bytes()).is_err() {
            return Ok(None);
        }
        let database = &self.0.database;
        self.ask(patience, || async {
            let connection = database.connection().await?;
            let rows = connection.rows("look up an account", SQL, &[&user]).await?;
            let Some(first) = rows.first() else { return Ok(None) };
            let (password, extra) = (connection.value(first, 0)?, connection.value(first, 1)?);
            let mut devices = Vec::new();
            for row in &rows {
                let Some(label) = connection.value::<Option<String>>(row, 2)? else { continue };
                let nets: String = connection.value(row, 3)?;
                let (read_only, digest) = (connection.value(row, 4)?, connection.value(row, 5)?);
                devices.extend(Device::stored(user, label, &nets, read_only, digest));
            }
            Ok(Some(Row { password: Zeroizing::new(password), extra, devices: Index::of(devices) }))
        })
        .await
    }

    /// Asks the database, again where it fails for a cause that may pass; it is given up after `patience`.
    async fn ask<T, F>(&self, patience: Duration, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, postbox::Error>>,
    {
        if let Some((since, why)) = &*self.silence()
            && since.elapsed() < BREATHER
        {
            return Err(Error::NoAnswer(why.clone()));
        }
        let (begun, last) = (Instant::now(), Mutex::new("it has not answered".to_owned()));
        let note = |error: &postbox::Error| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        };
        let answer = self.0.database.persist(|| async { work().await.inspect_err(note) });
        let outcome = timeout(patience, answer).await;
        let error = match outcome {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Error::Database(error),
            Err(_elapsed) => Error::NoAnswer(last.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        };
        // One who had hardly any time left does not speak for the others.
        if !matches!(error, Error::NoAnswer(_)) || begun.elapsed() >= BREATHER {
            let why = match &error {
                Error::NoAnswer(why) => why.clone(),
                error => error.to_string(),
            };
            *self.silence() = Some((Instant::now(), why));
        }
        Err(error)
    }

    fn silence(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.0.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Row {
    /// That of nobody.
    fn default() -> Self {
        Self { password: Zeroizing::default(), extra: String::new(), devices: Index::default() }
    }
}

/// The answer to a question about accounts, and what was found of those that it asks for.
async fn settle<T, F>(
    question: impl Fn(&dyn Fn(&str) -> bool) -> T,
    look_for: impl Fn(BTreeSet<String>) -> F,
) -> Result<(T, HashMap<String, Lookup>), Error>
where
    F: Future<Output = Result<HashMap<String, Lookup>, Error>>,
{
    let mut known = HashMap::new();
    loop {
        let (answer, mut wanted) = ask_of(&known, false, &question);
        if wanted.is_empty() {
            return Ok((answer, known));
        }
        drop(answer);
        // What it asks for where the rest is there, such as all that an alias leads to, is looked up with it.
        wanted.extend(ask_of(&known, true, &question).1);
        known.extend(look_for(wanted).await?);
    }
}

/// The answer to a question about accounts, of which some are known and the others are taken to be there or not; and
/// for which of those it has asked.
fn ask_of<T>(
    known: &HashMap<String, Lookup>,
    others: bool,
    question: &impl Fn(&dyn Fn(&str) -> bool) -> T,
) -> (T, BTreeSet<String>) {
    let wanted = RefCell::new(BTreeSet::new());
    let answer = question(&|user| {
        if let Some(found) = known.get(user) {
            return !matches!(found, Lookup::Nobody);
        }
        wanted.borrow_mut().insert(user.to_owned());
        others
    });
    (answer, wanted.into_inner())
}

impl fmt::Debug for DatabaseAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.database.place())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::recipients::{Aliases, Recipients};

    /// Whose mail an address is, and how often the database was asked for it.
    async fn resolve(address: &str) -> (Vec<String>, usize) {
        let members: Vec<String> = (0..500).map(|n| format!("user{n}")).collect();
        let aliases = format!("all: {}\nboth: Fido, pack+x\npack: all, rex\n*: fido", members.join(", "));
        let aliases = Aliases::parse(&aliases, "aliases".as_ref(), &[]).unwrap();
        let recipients = Recipients { domains: Vec::new(), delimiter: Some('+'), aliases };
        let asked = Cell::new(0);
        let look_for = async |names: BTreeSet<String>| {
            asked.set(asked.get() + 1);
            let is_user = |name: &str| name.starts_with("user") || ["fido", "rex"].contains(&name);
            let found = |name: &str| if is_user(name) { Lookup::Unclear } else { Lookup::Nobody };
            Ok(names.into_iter().map(|name| (name.clone(), found(&name))).collect())
        };
        let question = |is_user: &dyn Fn(&str) -> bool| recipients.resolve(address, is_user);
        let (targets, _) = settle(question, look_for).await.unwrap();
        (targets.unwrap().into_iter().map(|target| target.user).collect(), asked.get())
    }

    #[tokio::test]
    async fn whatever_leads_to_users_the_database_is_asked_a_few_times() {
        for address in ["fido", "FIDO", "fido+lists", "nobody", "nobody+x"] {
            assert_eq!(resolve(address).await, (vec!["fido".to_owned()], 1), "{address}");
        }
        let (users, asked) = resolve("both").await;
        assert!(users.len() == 502 && asked <= 3, "{} users, asked {asked} times", users.len());
    }
}
