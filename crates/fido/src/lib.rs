//! Fetches mail from a POP2 mailbox server (RFC 937).
//!
//! - [`args`] is the command line, [`exit`] how it ends;
//! - [`check`], [`fetch`] and [`talk`] are the commands;
//! - [`host`], [`password`] and [`session`] lead to a selected folder;
//! - [`sink`] is where messages go;
//! - [`escape`] shows what a server sent harmlessly, [`progress`] how far a fetch has come.
#![forbid(unsafe_code)]

pub mod args;
pub mod check;
pub mod escape;
pub mod exit;
pub mod fetch;
pub mod host;
pub mod password;
pub mod progress;
pub mod session;
pub mod sink;
pub mod talk;

use std::future::Future;

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

pub use exit::{Exit, Failure};

use args::Command;
use session::Account;

/// Does what the command line says.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check(check) => {
            let account = Account::new(&check.server, &check.login)?;
            block_on(check::run(&account, &check.folders))
        }
        Command::Fetch(fetch) => {
            let sink = sink::Sink::open(&fetch.to)?;
            let account = Account::new(&fetch.server, &fetch.login)?;
            let mut fetching = fetch::Fetching::new(&account, sink, fetch.delete, fetch.server.verbose);
            let fetched = block_on(until_signalled(fetching.run(&fetch.folders)));
            let tally = fetching.tally();
            if fetched.is_ok() || tally.messages > 0 {
                eprintln!("fido: {}", tally.summary(&fetch.to));
            }
            fetched
        }
        Command::Talk(talk) => block_on(talk::run(talk)),
    }
}

/// Runs `work` on this thread; what still waits for standard input or a name server then is not waited for.
fn block_on<F: Future<Output = Result<(), Failure>>>(work: F) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Software, format!("cannot start: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// Stops `work` between two steps when the user or the system says so: never while a file is being written.
async fn until_signalled<F: Future<Output = Result<(), Failure>>>(work: F) -> Result<(), Failure> {
    let cannot_listen = |error| Failure::new(Exit::Software, format!("cannot wait for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        done = work => return done,
    }
    Err(Failure::new(Exit::Temporary, "interrupted; what is not here yet is still on the server"))
}
