//! Changing and listing the accounts in a database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use pop2::Secret;
use postbox::postgres::Database;
use serde::Serialize;
use zeroize::Zeroizing;

use super::devices::{self, Device};
use super::error::Error;
use super::fields::Fields;
use super::last_use::Use;
use super::passwd_file::{check_name, check_password};
use super::scheme::{self, Hash, Locked};

/// How many rows a page has.
const PAGE: i64 = 1_000;

/// The accounts in a database, as the operator changes and lists them. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct Rows(Database);

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The user's name.
    pub name: String,
    /// Why nobody can log in, where that is a mistake; with the remedy.
    pub fault: Option<String>,
}

/// A device in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// Whose mail it fetches.
    pub user: String,
    /// What it is called.
    pub label: String,
    /// The networks that it may log in from; anywhere, where there are none.
    pub from: Vec<String>,
    /// Whether ACKD keeps what it marks.
    pub read_only: bool,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// When it was used last, and from where.
    pub last_use: Option<Use>,
}

impl Rows {
    /// Those of a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// Adds an account.
    pub async fn add(&self, user: &str, password: &Secret) -> Result<(), Error> {
        const ADD: &str = "INSERT INTO account (name, password) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        const MINE: &str = "SELECT name FROM account WHERE name = $1 AND password = $2";
        check_name(user.as_bytes())?;
        let stored = stored(password)?;
        let stored: &str = &stored;
        let added = self.0.persist(|| async {
            let connection = self.0.connection().await?;
            if connection.change("add an account", ADD, &[&user, &stored]).await? > 0 {
                return Ok(true);
            }
            // An attempt whose answer was lost may have done it: nobody else has this salt.
            Ok(!connection.rows("add an account", MINE, &[&user, &stored]).await?.is_empty())
        });
        if added.await? { Ok(()) } else { Err(Error::Exists(user.to_owned())) }
    }

    /// Adds an account that only devices log in to: its own password is one that nobody knows.
    pub async fn add_for_devices(&self, user: &str) -> Result<(), Error> {
        self.add(user, &devices::random()?).await
    }

    /// Gives an account a new password, and opens one that was locked by its stored password.
    pub async fn set_password(&self, user: &str, password: &Secret) -> Result<(), Error> {
        const SQL: &str = "UPDATE account SET password = $2 WHERE name = $1";
        known_name(user)?;
        let stored = stored(password)?;
        let stored: &str = &stored;
        let changed = self.0.persist(|| async {
            let connection = self.0.connection().await?;
            connection.change("change a password", SQL, &[&user, &stored]).await
        });
        if changed.await? > 0 { Ok(()) } else { Err(Error::Unknown(user.to_owned())) }
    }

    /// Removes an account, with its devices.
    pub async fn remove(&self, user: &str) -> Result<(), Error> {
        const SQL: &str = "DELETE FROM account WHERE name = $1";
        known_name(user)?;
        // Not tried again: what is gone by then would be told as never having been there.
        let connection = self.0.connection().await?;
        let removed = connection.change("remove an account", SQL, &[&user]).await?;
        if removed > 0 { Ok(()) } else { Err(Error::Unknown(user.to_owned())) }
    }

    /// The accounts after a name, in the order of their names, as many as a page has; none after the last.
    pub async fn page(&self, after: &str) -> Result<Vec<Listed>, Error> {
        const SQL: &str = "SELECT name, password, extra FROM account WHERE name > $1 ORDER BY name LIMIT $2";
        let page = self.0.persist(|| async {
            let connection = self.0.connection().await?;
            let rows = connection.rows("list accounts", SQL, &[&after, &PAGE]).await?;
            let listed = rows.iter().map(|row| {
                let password = Zeroizing::new(connection.value::<String>(row, 1)?);
                let extra: String = connection.value(row, 2)?;
                Ok(Listed::new(connection.value(row, 0)?, &password, &extra))
            });
            listed.collect::<Result<_, _>>()
        });
        Ok(page.await?)
    }

    /// Adds a device and gives it a password, which is told here and never again.
    pub async fn add_device(
        &self,
        user: &str,
        label: &str,
        from: Vec<IpNet>,
        read_only: bool,
    ) -> Result<Secret, Error> {
        const ADD: &str = "INSERT INTO device (account, label, nets, read_only, digest)
            SELECT name, $2, $3, $4, $5 FROM account WHERE name = $1 ON CONFLICT DO NOTHING";
        const THERE: &str = "SELECT device.digest FROM account
            LEFT JOIN device ON device.account = account.name AND device.label = $2 WHERE account.name = $1";
        known_name(user)?;
        let (device, password) = Device::make(user, label, from, read_only)?;
        let nets = device.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let (label, digest) = (&device.label, &device.digest);
        let there = self.0.persist(|| async {
            let connection = self.0.connection().await?;
            let added =
                connection.change("add a device", ADD, &[&user, label, &nets, &read_only, digest]).await?;
            if added > 0 {
                return Ok(Some(Some(digest.clone())));
            }
            let rows = connection.rows("add a device", THERE, &[&user, label]).await?;
            rows.first().map(|row| connection.value::<Option<String>>(row, 0)).transpose()
        });
        match there.await? {
            // Also by an attempt whose answer was lost.
            Some(Some(there)) if there == *digest => Ok(password),
            Some(_) => Err(Error::DeviceExists(label.clone())),
            None => Err(Error::Unknown(user.to_owned())),
        }
    }

    /// Removes a device: its password is good for nothing from the next login on.
    pub async fn remove_device(&self, user: &str, label: &str) -> Result<(), Error> {
        const SQL: &str = "DELETE FROM device WHERE account = $1 AND label = $2";
        let gone = || Error::NoDevice(label.to_owned());
        if check_name(user.as_bytes()).is_err() || label.contains('\0') {
            return Err(gone());
        }
        let connection = self.0.connection().await?;
        let removed = connection.change("remove a device", SQL, &[&user, &label]).await?;
        if removed > 0 { Ok(()) } else { Err(gone()) }
    }

    /// The devices after that of a user and a label, in this order, as many as a page has; none after the last. Of one
    /// user, or of all.
    pub async fn devices(
        &self,
        user: Option<&str>,
        (after, label): (&str, &str),
    ) -> Result<Vec<DeviceRow>, Error> {
        const OF_ALL: &str = "SELECT account, label, nets, read_only, made, used_at, used_from FROM device
            WHERE (account, label) > ($1, $2) ORDER BY account, label LIMIT $3";
        const OF_ONE: &str = "SELECT account, label, nets, read_only, made, used_at, used_from FROM device
            WHERE account = $1 AND label > $2 ORDER BY label LIMIT $3";
        if user.is_some_and(|user| check_name(user.as_bytes()).is_err()) {
            return Ok(Vec::new());
        }
        let sql = if user.is_some() { OF_ONE } else { OF_ALL };
        let begin = user.unwrap_or(after);
        let page = self.0.persist(|| async {
            let connection = self.0.connection().await?;
            let rows = connection.rows("list devices", sql, &[&begin, &label, &PAGE]).await?;
            let devices = rows.iter().map(|row| {
                let nets: String = connection.value(row, 2)?;
                let used: (Option<SystemTime>, Option<String>) =
                    (connection.value(row, 5)?, connection.value(row, 6)?);
                Ok(DeviceRow {
                    user: connection.value(row, 0)?,
                    label: connection.value(row, 1)?,
                    from: nets.split(',').filter(|net| !net.is_empty()).map(str::to_owned).collect(),
                    read_only: connection.value(row, 3)?,
                    made: seconds(connection.value(row, 4)?),
                    last_use: used.0.map(|at| Use { at: seconds(at), from: used.1.unwrap_or_default() }),
                })
            });
            devices.collect::<Result<_, _>>()
        });
        Ok(page.await?)
    }
}

impl Listed {
    fn new(name: String, password: &str, extra: &str) -> Self {
        let fault = match check_name(name.as_bytes()) {
            Err(fault) => Some(fault.to_string()),
            Ok(_) => match usable(password, extra) {
                Ok(_) | Err(Locked::OnPurpose) => None,
                Err(locked) => Some(locked.to_string()),
            },
        };
        Self { name, fault }
    }
}

/// What an account can be logged in to with, if it can.
pub(super) fn usable(password: &str, extra: &str) -> Result<(Hash, Fields), Locked> {
    let fields = Fields::of_extra(extra)?;
    if fields.no_login {
        return Err(Locked::OnPurpose);
    }
    Ok((Hash::parse(password.as_bytes())?, fields))
}

/// There is no user of a name that cannot be one.
fn known_name(user: &str) -> Result<(), Error> {
    check_name(user.as_bytes()).map(drop).map_err(|_fault| Error::Unknown(user.to_owned()))
}

fn stored(password: &Secret) -> Result<Zeroizing<String>, Error> {
    check_password(password)?;
    let stored = scheme::stored(password).map_err(Error::Hash)?;
    // It is made of ASCII.
    Ok(Zeroizing::new(String::from_utf8_lossy(&stored).into_owned()))
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_usable_as_in_a_passwd_file() {
        let (_, fields) = usable("{PLAIN}bone", "userdb_home=/srv/fido allow_nets=192.0.2.0/24").unwrap();
        assert_eq!(fields.home.as_deref(), Some("/srv/fido".as_ref()));
        assert!(fields.networks.is_some());
        for (password, extra, locked) in [
            ("!{PLAIN}bone", "", Locked::OnPurpose),
            ("", "", Locked::OnPurpose),
            ("{PLAIN}bone", "nologin", Locked::OnPurpose),
            ("{PLAIN}bone", "x=y\nnologin\n", Locked::OnPurpose),
            ("{SSHA}bone", "", Locked::UnknownScheme),
            ("{PLAIN}bone", "allow_nets=woof", Locked::Networks),
            ("{PLAIN}bone", "userdb_mail=woof", Locked::Mail),
            ("{PLAIN}bone", "allow_real_nets=::1", Locked::RealNetworks),
        ] {
            assert_eq!(usable(password, extra).err(), Some(locked), "{password} {extra}");
        }
    }

    #[test]
    fn a_list_says_what_is_a_mistake() {
        let fault = |name: &str, password| Listed::new(name.to_owned(), password, "").fault;
        assert_eq!(fault("fido", "{PLAIN}bone"), None);
        assert_eq!(fault("fido", "!"), None);
        assert!(fault("fido", "{SSHA}bone").unwrap().contains("its password scheme is none of"));
        assert!(fault("../fido", "{PLAIN}bone").unwrap().contains("does not begin with '.'"));
    }
}
