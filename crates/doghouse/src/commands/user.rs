//! `doghouse user`

mod device;

use std::{
    io::{BufRead, Write},
    path::Path,
};

use pop2::Secret;
use postbox::postgres::Database;
use zeroize::Zeroizing;

use crate::{
    accounts::{self, Listed, Rows, edit, passwd_file},
    cli::{ConfigFile, SetPassword, User},
    config::{AccountsIn, Config},
    exit::{self, Failure, OrExit, printable},
};

pub(super) async fn run(command: User) -> Result<(), Failure> {
    match command {
        User::Add { devices_only: false, user } => {
            let (config, password) = (load(&user.config)?, new_password(&user)?);
            done(match &config.accounts {
                AccountsIn::Files => edit(&config.passwd_file, |file| file.add(&user.user, &password)),
                AccountsIn::Database(database) => rows(database).add(&user.user, &password).await,
            })
        }
        User::Add { devices_only: true, user } => {
            let config = load(&user.config)?;
            done(match &config.accounts {
                AccountsIn::Files => edit(&config.passwd_file, |file| file.add_for_devices(&user.user)),
                AccountsIn::Database(database) => rows(database).add_for_devices(&user.user).await,
            })
        }
        User::Passwd(user) => {
            let (config, password) = (load(&user.config)?, new_password(&user)?);
            done(match &config.accounts {
                AccountsIn::Files => {
                    edit(&config.passwd_file, |file| file.set_password(&user.user, &password))
                }
                AccountsIn::Database(database) => rows(database).set_password(&user.user, &password).await,
            })
        }
        User::Remove { user, config } => {
            let config = load(&config)?;
            match &config.accounts {
                AccountsIn::Files => {
                    done(edit(&config.passwd_file, |file| file.remove(&user)))?;
                    device::forget(&config, &user)
                }
                AccountsIn::Database(database) => done(rows(database).remove(&user).await),
            }
        }
        User::Device(command) => device::run(command).await,
        User::List(config) => {
            let config = load(&config)?;
            match &config.accounts {
                AccountsIn::Files => list_file(&config.passwd_file),
                AccountsIn::Database(database) => list_rows(&rows(database)).await,
            }
        }
    }
}

fn load(config: &ConfigFile) -> Result<Config, Failure> {
    Config::load(&config.path).or_exit(exit::CONFIG)
}

fn rows(database: &Database) -> Rows {
    Rows::new(database.clone())
}

fn done<T>(outcome: Result<T, accounts::Error>) -> Result<T, Failure> {
    outcome.map_err(|error| Failure::new(code(&error), error))
}

fn list_file(path: &Path) -> Result<(), Failure> {
    let octets = Zeroizing::new(match std::fs::read(path) {
        Ok(octets) => octets,
        Err(error) => return Err(Failure::new(exit::IO, format!("cannot read {}: {error}", path.display()))),
    });
    let file = passwd_file::parse(&octets)
        .map_err(|faults| Failure::new(exit::CONFIG, format!("{}: {faults}", path.display())))?;
    let mut output = std::io::stdout().lock();
    for name in file.names() {
        writeln!(output, "{name}").or_exit(exit::IO)?;
    }
    for warning in file.warnings() {
        eprintln!("doghouse: {}: {warning}", path.display());
    }
    Ok(())
}

async fn list_rows(rows: &Rows) -> Result<(), Failure> {
    let (mut after, mut output) = (String::new(), std::io::stdout().lock());
    loop {
        let page = done(rows.page(&after).await)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.name);
        for Listed { name, fault } in page {
            let name = printable(&name);
            writeln!(output, "{name}").or_exit(exit::IO)?;
            if let Some(fault) = fault {
                eprintln!("doghouse: user {name} cannot log in: {fault}");
            }
        }
    }
}

fn new_password(user: &SetPassword) -> Result<Secret, Failure> {
    if user.password_stdin { first_line() } else { ask(&user.user) }
}

fn first_line() -> Result<Secret, Failure> {
    let mut line = Vec::new();
    std::io::stdin().lock().read_until(b'\n', &mut line).or_exit(exit::IO)?;
    while line.pop_if(|last| matches!(last, b'\n' | b'\r')).is_some() {}
    Ok(Secret::new(line))
}

fn ask(user: &str) -> Result<Secret, Failure> {
    let prompt = |text: String| {
        rpassword::prompt_password(text).map(|password| Secret::new(password.into_bytes())).map_err(|error| {
            Failure::new(exit::USAGE, format!("cannot ask for a password: {error}; use --password-stdin"))
        })
    };
    let password = prompt(format!("Password for {user}: "))?;
    let again = prompt("The same again: ".to_owned())?;
    if password.expose() == again.expose() {
        Ok(password)
    } else {
        Err(Failure::new(exit::DATA, "the two passwords differ; nothing was changed"))
    }
}

fn code(error: &accounts::Error) -> u8 {
    use accounts::Error;
    match error {
        Error::Syntax { .. } | Error::Devices { .. } => exit::CONFIG,
        Error::Io { .. } => exit::IO,
        Error::Name(_)
        | Error::Exists(_)
        | Error::EmptyPassword
        | Error::UnsendablePassword
        | Error::DeviceExists(_)
        | Error::NoDevice(_)
        | Error::Label => exit::DATA,
        Error::Unknown(_) => exit::NO_USER,
        Error::Hash(_) | Error::Unwritable(_) => exit::SOFTWARE,
        Error::Random(_) => exit::OS,
        Error::Database(_) | Error::NoAnswer(_) => exit::UNAVAILABLE,
    }
}
