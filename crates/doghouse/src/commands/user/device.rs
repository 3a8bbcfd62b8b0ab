//! `doghouse user device`

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::code;
use crate::{
    accounts::{self, Known, Use, edit_devices, read_devices},
    cli::Device,
    commands::output::{say, say_json, table},
    config::Config,
    exit::{self, Failure, OrExit},
    house,
};

pub(super) fn run(command: Device) -> Result<(), Failure> {
    match command {
        Device::Add { user, label, from, read_only, json, config } => {
            let config = Config::load(&config.path).or_exit(exit::CONFIG)?;
            let users = house::accounts(&config).or_exit(exit::CONFIG)?;
            if !users.contains(&user) {
                return Err(failure(&accounts::Error::Unknown(user)));
            }
            let password = edit_devices(&config.devices_file, |all| all.add(&user, &label, from, read_only));
            let password = password.map_err(|error| failure(&error))?;
            // It is made of ASCII.
            let password = str::from_utf8(password.expose()).or_exit(exit::SOFTWARE)?;
            if json {
                return say_json(&Made { user: &user, label: &label, password });
            }
            eprintln!("The password of {label}, for user {user}; it is shown this once:");
            say(&format!("{password}\n"))
        }
        Device::List { user, json, config } => {
            let config = Config::load(&config.path).or_exit(exit::CONFIG)?;
            list(&config, user.as_deref(), json)
        }
        Device::Remove { user, label, config } => {
            let config = Config::load(&config.path).or_exit(exit::CONFIG)?;
            edit_devices(&config.devices_file, |all| all.remove(&user, &label))
                .map_err(|error| failure(&error))
        }
    }
}

/// Removes the devices of a user who was removed.
pub(super) fn forget(config: &Config, user: &str) -> Result<(), Failure> {
    let devices = read_devices(&config.devices_file).map_err(|error| failure(&error))?;
    if devices.of(user).next().is_none() {
        return Ok(());
    }
    edit_devices(&config.devices_file, |all| {
        all.remove_all(user);
        Ok(())
    })
    .map_err(|error| failure(&error))
}

/// A device that was made.
#[derive(Serialize)]
struct Made<'a> {
    user: &'a str,
    label: &'a str,
    password: &'a str,
}

/// A device in a list.
#[derive(Serialize)]
struct Row<'a> {
    user: &'a str,
    label: &'a str,
    from: Vec<String>,
    read_only: bool,
    /// In seconds since 1970.
    made: u64,
    last_use: Option<&'a Use>,
}

fn list(config: &Config, user: Option<&str>, json: bool) -> Result<(), Failure> {
    let devices = read_devices(&config.devices_file).map_err(|error| failure(&error))?;
    let last_use = Known::read(&config.last_use_file);
    let of_user = devices.iter().filter(|device| user.is_none_or(|user| device.user == user));
    let rows: Vec<Row<'_>> = of_user
        .map(|device| Row {
            user: &device.user,
            label: &device.label,
            from: device.from.iter().map(ToString::to_string).collect(),
            read_only: device.read_only,
            made: device.made,
            last_use: last_use.of(&device.user, &device.label),
        })
        .collect();
    if json {
        return say_json(&rows);
    }
    let head = ["USER", "LABEL", "FROM", "MAY", "MADE", "LAST USE"];
    let cells = rows.iter().map(|row| {
        let from = if row.from.is_empty() { "anywhere".to_owned() } else { row.from.join(",") };
        let last = row
            .last_use
            .map_or_else(|| "never".to_owned(), |last| format!("{} from {}", date(last.at), last.from));
        let may = if row.read_only { "read" } else { "read and delete" };
        [row.user.to_owned(), row.label.to_owned(), from, may.to_owned(), date(row.made), last]
    });
    say(&table(head, cells))
}

fn date(seconds: u64) -> String {
    // A later one than httpdate knows cannot have been.
    let seconds = seconds.min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn failure(error: &accounts::Error) -> Failure {
    Failure::new(code(error), error)
}
