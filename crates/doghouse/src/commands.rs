//! What each command does.

use tokio::runtime::Builder;

use crate::{
    cli::{Cli, Command},
    exit::{self, Failure, OrExit},
};

mod check;
mod deliver;
mod demo;
mod mailbox;
mod notify;
mod output;
mod serve;
mod stop;
mod store;
mod user;
mod watch;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(config) => {
            // Rights are given up while there is one thread, which is before the runtime.
            let prepared = serve::prepare(&config.path)?;
            block_on(&mut Builder::new_multi_thread(), exit::OS, serve::run(&config.path, prepared))
        }
        Command::Check(config) => {
            block_on(&mut Builder::new_current_thread(), exit::OS, check::run(&config.path))
        }
        Command::Deliver(arguments) => {
            block_on(&mut Builder::new_current_thread(), exit::TEMPORARY, deliver::run(&arguments))
        }
        Command::Mailbox(command) => {
            block_on(&mut Builder::new_multi_thread(), exit::OS, mailbox::run(&command))
        }
        Command::Store(command) => {
            block_on(&mut Builder::new_current_thread(), exit::OS, store::run(&command))
        }
        Command::User(command) => block_on(&mut Builder::new_current_thread(), exit::OS, user::run(command)),
        Command::Who(admin) => asking(watch::who(&admin)),
        Command::Kick { whom, admin } => asking(watch::kick(&whom, &admin)),
        Command::Trace { whom, admin } => asking(watch::trace(whom, &admin)),
        Command::LogLevel { level, admin } => asking(watch::log_level(level, &admin)),
        Command::Demo(arguments) => {
            block_on(&mut Builder::new_multi_thread(), exit::OS, demo::run(&arguments))
        }
    }
}

/// Asks the running server.
fn asking(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    block_on(&mut Builder::new_current_thread(), exit::OS, work)
}

/// Does asynchronous work; `code` is for where not even a runtime can be had.
fn block_on(
    runtime: &mut Builder,
    code: u8,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let runtime = runtime.enable_all().build().or_exit(code)?;
    let done = runtime.block_on(work);
    // A thread that waits for standard input would wait for ever.
    runtime.shutdown_background();
    done
}
