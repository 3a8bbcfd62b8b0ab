//! The program `doghouse`.

use std::{
    io::{self, Write},
    panic,
    process::ExitCode,
};

use clap::Parser;
use doghouse::{
    cli::{Cli, Command},
    commands,
    exit::{self, Failure},
    logging::{self, Format},
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
    if !matches!(cli.command, Command::Serve(_)) {
        // Text on standard error can always be had.
        let _ = logging::init(Format::Text, "warn");
    }
    // An MTA takes the exit code of a panic for the end of the message.
    let delivers = matches!(cli.command, Command::Deliver(_));
    let outcome = panic::catch_unwind(|| commands::run(cli)).unwrap_or_else(|_| {
        let code = if delivers { exit::TEMPORARY } else { exit::SOFTWARE };
        Err(Failure::new(code, "this is a fault of the program; please report what it says above"))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nor may it fail where standard error is gone.
            let _ = writeln!(io::stderr(), "doghouse: {failure}");
            failure.code.into()
        }
    }
}
