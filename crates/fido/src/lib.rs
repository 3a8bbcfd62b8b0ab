//! Fetches mail from a POP2 mailbox server (RFC 937), and shows it.
//!
//! - [`args`] is the command line, [`exit`] how it ends;
//! - [`config`] has accounts, [`accounts`] tells which are meant, [`paths`] where files are;
//! - [`check`], [`fetch`], [`setup`], [`talk`] and [`probe`] are the commands;
//! - [`connection`] leads to a server, by way of [`host`], [`tls`] or with [`consent`] in clear; [`password`] and
//!   [`session`] from there to a selected folder;
//! - [`sink`] is where messages go, [`known`] what has been fetched already;
//! - [`local`] is the copy of mail that is here, [`message`] makes a message readable for a person,
//!   [`reader`] the screens on which that happens;
//! - [`compose`] is mail that is written here and sent by SMTP;
//! - [`escape`] shows what a server sent harmlessly, [`progress`] how far a fetch has come.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod args;
pub mod check;
pub mod compose;
pub mod config;
pub mod connection;
pub mod consent;
pub mod escape;
pub mod exit;
pub mod fetch;
pub mod host;
#[cfg(feature = "keyring")]
mod keyring;
pub mod known;
pub mod local;
pub mod message;
pub mod password;
pub mod paths;
pub mod probe;
pub mod progress;
pub mod reader;
pub mod session;
pub mod setup;
pub mod sink;
pub mod talk;
pub mod tls;

use std::future::Future;

use tokio::runtime;

pub use exit::{Exit, Failure};

use args::{Command, Fido};
use config::Config;
use session::Account;

/// Does what the command line says.
pub fn run(fido: &Fido) -> Result<(), Failure> {
    let given = fido.config.as_deref();
    let config = match fido.command {
        Some(Command::Setup) => Config::load_if_there(given)?,
        _ => Config::load(given)?,
    };
    let Some(command) = &fido.command else { return reader::run(&config, &fido.reader) };
    if fido.reader.account.is_some() || fido.reader.mail.is_some() {
        let text =
            "--account and --mail are for reading, without a command; name the account behind the command";
        return Err(Failure::new(Exit::Usage, text));
    }
    match command {
        Command::Setup => block_on(setup::run(&config)),
        Command::Check(check) => {
            for profile in accounts::chosen(&config, &check.accounts)? {
                let account = Account::new(profile, check.accounts.way.verbose)?;
                block_on(check::run(&account, &check.folders))?;
            }
            Ok(())
        }
        Command::Fetch(fetch) => block_on(fetch::run(&config, fetch)),
        Command::Accounts { json } => accounts::show(&config, *json),
        Command::Talk(talk) => block_on(talk::run(&config, talk)),
        Command::Probe(probe) => block_on(probe::run(&config, probe)),
        Command::Send(send) => block_on(compose::command::send(&config, send)),
        Command::Write(writing) => block_on(compose::command::write(&config, writing)),
    }
}

/// Runs `work` on this thread; what still waits for standard input or a name server then is not waited for.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Software, format!("cannot start: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}
