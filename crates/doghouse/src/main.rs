//! The program `doghouse`.

use std::process::ExitCode;

use clap::Parser;
use doghouse::{
    cli::{Cli, Command},
    commands, exit, logging,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            // Where standard output is gone there is nobody to tell.
            let _ = error.print();
            return code.into();
        }
    };
    logging::init(if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" });
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("doghouse: {failure}");
            failure.code.into()
        }
    }
}
