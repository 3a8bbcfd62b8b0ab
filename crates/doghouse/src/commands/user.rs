//! `doghouse user`

mod device;

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
};

use pop2::Secret;
use zeroize::Zeroizing;

use crate::{
    accounts::{self, PasswdFile, edit, passwd_file},
    cli::{SetPassword, User},
    config::Config,
    exit::{self, Failure, OrExit},
};

pub(super) fn run(command: User) -> Result<(), Failure> {
    match command {
        User::Add { devices_only: false, user } => set_password(&user, PasswdFile::add),
        User::Add { devices_only: true, user } => {
            change(&users_file(&user.config.path)?, |file| file.add_for_devices(&user.user))
        }
        User::Passwd(arguments) => set_password(&arguments, PasswdFile::set_password),
        User::Remove { user, config } => {
            let config = Config::load(&config.path).or_exit(exit::CONFIG)?;
            change(&config.passwd_file, |file| file.remove(&user))?;
            device::forget(&config, &user)
        }
        User::Device(command) => device::run(command),
        User::List(config) => list(&users_file(&config.path)?),
    }
}

type Change = fn(&mut PasswdFile, &str, &Secret) -> Result<(), accounts::Error>;

fn set_password(arguments: &SetPassword, how: Change) -> Result<(), Failure> {
    let path = users_file(&arguments.config.path)?;
    let password = if arguments.password_stdin { first_line()? } else { ask(&arguments.user)? };
    change(&path, |file| how(file, &arguments.user, &password))
}

fn change(
    path: &Path,
    how: impl FnOnce(&mut PasswdFile) -> Result<(), accounts::Error>,
) -> Result<(), Failure> {
    edit(path, how).map_err(|error| Failure::new(code(&error), error))
}

fn list(path: &Path) -> Result<(), Failure> {
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

fn users_file(config: &Path) -> Result<PathBuf, Failure> {
    Config::load(config).map(|config| config.passwd_file).or_exit(exit::CONFIG)
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
    }
}
