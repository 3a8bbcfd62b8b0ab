//! Completions for shells, each under the name that its shell looks for.

use std::{io, path::Path};

use clap::Command;
use clap_complete::{Shell, generate_to};

/// The shells that Debian has folders for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

pub(crate) fn write(mut program: Command, folder: &Path) -> io::Result<()> {
    let name = program.get_name().to_owned();
    for shell in SHELLS {
        generate_to(shell, &mut program, &name, folder)?;
    }
    Ok(())
}
