//! `doghouse user device`

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::{done, load, rows};
use crate::{
    accounts::{self, DeviceRow, Known, edit_devices, read_devices},
    cli::Device,
    commands::output::{JsonList, say, say_json, table},
    config::{AccountsIn, Config},
    exit::{self, Failure, OrExit},
    house,
};

pub(super) async fn run(command: Device) -> Result<(), Failure> {
    match command {
        Device::Add { user, label, from, read_only, json, config } => {
            let config = load(&config)?;
            let password = done(match &config.accounts {
                AccountsIn::Files => {
                    let users = house::accounts(&config).or_exit(exit::CONFIG)?;
                    if done(users.contains(&user).await)? {
                        edit_devices(&config.devices_file, |all| all.add(&user, &label, from, read_only))
                    } else {
                        Err(accounts::Error::Unknown(user.clone()))
                    }
                }
                AccountsIn::Database(database) => {
                    rows(database).add_device(&user, &label, from, read_only).await
                }
            })?;
            // It is made of ASCII.
            let password = str::from_utf8(password.expose()).or_exit(exit::SOFTWARE)?;
            if json {
                return say_json(&Made { user: &user, label: &label, password });
            }
            eprintln!("The password of {label}, for user {user}; it is shown this once:");
            say(&format!("{password}\n"))
        }
        Device::List { user, json, config } => list(&load(&config)?, user.as_deref(), json).await,
        Device::Remove { user, label, config } => {
            let config = load(&config)?;
            done(match &config.accounts {
                AccountsIn::Files => edit_devices(&config.devices_file, |all| all.remove(&user, &label)),
                AccountsIn::Database(database) => rows(database).remove_device(&user, &label).await,
            })
        }
    }
}

/// Removes the devices of a user who was removed.
pub(super) fn forget(config: &Config, user: &str) -> Result<(), Failure> {
    let devices = done(read_devices(&config.devices_file))?;
    if devices.of(user).next().is_none() {
        return Ok(());
    }
    done(edit_devices(&config.devices_file, |all| {
        all.remove_all(user);
        Ok(())
    }))
}

/// A device that was made.
#[derive(Serialize)]
struct Made<'a> {
    user: &'a str,
    label: &'a str,
    password: &'a str,
}

/// Those of a user, or all. Of a database, a page at a time is held.
async fn list(config: &Config, user: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut list = json.then(JsonList::default);
    match &config.accounts {
        AccountsIn::Files => show(&in_files(config, user)?, list.as_mut())?,
        AccountsIn::Database(database) => {
            let mut page = done(rows(database).devices(user, ("", "")).await)?;
            // Where there are none, the head says so.
            show(&page, list.as_mut())?;
            while let Some(DeviceRow { user: last, label, .. }) = page.last() {
                page = done(rows(database).devices(user, (last, label)).await)?;
                if !page.is_empty() {
                    show(&page, list.as_mut())?;
                }
            }
        }
    }
    list.map_or(Ok(()), JsonList::end)
}

fn in_files(config: &Config, user: Option<&str>) -> Result<Vec<DeviceRow>, Failure> {
    let devices = done(read_devices(&config.devices_file))?;
    let last_use = Known::read(&config.last_use_file);
    let of_user = devices.into_iter().filter(|device| user.is_none_or(|user| device.user == user));
    let rows = of_user.map(|device| DeviceRow {
        last_use: last_use.of(&device.user, &device.label).cloned(),
        from: device.from.iter().map(ToString::to_string).collect(),
        read_only: device.read_only,
        made: device.made,
        user: device.user,
        label: device.label,
    });
    Ok(rows.collect())
}

fn show(rows: &[DeviceRow], list: Option<&mut JsonList>) -> Result<(), Failure> {
    if let Some(list) = list {
        return rows.iter().try_for_each(|row| list.add(row));
    }
    let head = ["USER", "LABEL", "FROM", "MAY", "MADE", "LAST USE"];
    let cells = rows.iter().map(|row| {
        let from = if row.from.is_empty() { "anywhere".to_owned() } else { row.from.join(",") };
        let last = row
            .last_use
            .as_ref()
            .map_or_else(|| "never".to_owned(), |last| format!("{} from {}", date(last.at), last.from));
        let may = if row.read_only { "read" } else { "read and delete" };
        [row.user.clone(), row.label.clone(), from, may.to_owned(), date(row.made), last]
    });
    say(&table(head, cells))
}

fn date(seconds: u64) -> String {
    // A later one than httpdate knows cannot have been.
    let seconds = seconds.min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
