//! The program: reads the command line, does what it says, and ends with a line and an exit code.

use std::process::ExitCode;

use clap::Parser;
use fido::{Exit, args::Fido};

fn main() -> ExitCode {
    let fido = match Fido::try_parse() {
        Ok(fido) => fido,
        Err(error) => {
            // Help, the version or what is wrong: where it cannot be shown, nothing else can.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match fido::run(&fido) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fido: {failure}");
            failure.exit.into()
        }
    }
}
