//! A delivery command, such as `procmail` or `maildrop`: it gets each message on its standard input.

use std::{
    io::{self, Seek, Write},
    process::{Command, ExitStatus, Stdio},
};

use postbox::letter::Letter;
use tempfile::SpooledTempFile;
use tokio::{io::AsyncReadExt, task::spawn_blocking};

use crate::{Exit, Failure};

/// How much of a message is kept in memory, in octets; what is larger lies in a file without a name.
const IN_MEMORY: usize = 1024 * 1024;

/// How much is read at a time, in octets.
const PIECE: usize = 64 * 1024;

/// Hands a message to the shell command once it is whole, and waits for what it makes of it.
pub(super) async fn deliver(command: &str, letter: Letter) -> Result<(), Failure> {
    let message = whole(letter).await.map_err(|error| {
        Failure::new(Exit::Io, format!("cannot keep the message for the delivery command: {error}"))
    })?;
    let shell = command.to_owned();
    let status = spawn_blocking(move || run(&shell, message)).await.map_err(io::Error::from).flatten();
    let refused = |exit, why: String| {
        Failure::new(exit, format!("the delivery command {why}; the message stays on the server: {command}"))
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(refused(Exit::Temporary, format!("did not take the message ({status})"))),
        Err(error) => Err(refused(Exit::Unavailable, format!("cannot be started: {error}"))),
    }
}

async fn whole(mut letter: Letter) -> io::Result<SpooledTempFile> {
    let mut message = SpooledTempFile::new(IN_MEMORY);
    let mut piece = vec![0; PIECE];
    loop {
        let count = letter.read(&mut piece).await?;
        let Some(octets) = piece.get(..count).filter(|octets| !octets.is_empty()) else { break };
        message.write_all(octets)?;
    }
    message.rewind()?;
    Ok(message)
}

fn run(command: &str, mut message: SpooledTempFile) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    let copied = match child.stdin.take() {
        Some(mut stdin) => io::copy(&mut message, &mut stdin),
        None => Ok(0),
    };
    let status = child.wait()?;
    match copied {
        // It has had enough; whether it has taken the message, its exit code says.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        copied => copied.map(|_| status),
    }
}
