//! What each command does.

use crate::{
    cli::{Cli, Command},
    exit::{self, Failure, OrExit},
};

mod check;
mod deliver;
mod demo;
mod serve;
mod stop;
mod user;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(config) => block_on(serve::run(&config.path)),
        Command::Check(config) => block_on(check::run(&config.path)),
        Command::Deliver(arguments) => block_on(deliver::run(&arguments)),
        Command::User(command) => user::run(command),
        Command::Demo(arguments) => block_on(demo::run(&arguments)),
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(exit::OS)?;
    let done = runtime.block_on(work);
    // A thread that waits for standard input would wait for ever.
    runtime.shutdown_background();
    done
}
