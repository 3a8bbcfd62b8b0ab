//! Writes the man pages and the completions of both programs into a folder, from the definitions of their flags.

mod completions;
mod manual;

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser};

/// Writes man pages and completions into a folder.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder, which is made where it is not there.
    folder: PathBuf,
    /// The date that the man pages bear, as in 1985-02-01.
    date: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packaging: cannot write into {}: {error}", arguments.folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(Arguments { folder, date }: &Arguments) -> io::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    for (program, section) in [(doghouse::cli::Cli::command(), "8"), (fido::args::Fido::command(), "1")] {
        completions::write(program.clone(), &completions)?;
        manual::write_program(program, section, date, &man)?;
    }
    manual::write_configuration(date, &man)
}
