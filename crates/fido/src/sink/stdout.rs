//! Standard output as an mbox stream, so that several messages can be told apart.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
};

use super::spool::Spool;
use postbox::letter::Letter;

use crate::{Exit, Failure, escape::Text};

/// Standard output.
#[derive(Debug)]
pub struct Stdout {
    file: File,
}

impl Stdout {
    pub(super) fn open() -> Result<Self, Failure> {
        let file = io::stdout().as_fd().try_clone_to_owned().map_err(|error| failure(&error))?;
        Ok(Self { file: file.into() })
    }

    /// Writes a message. In a plain file it is on the disk then; behind a pipe it is with the reader, of whom
    /// we know nothing more.
    pub(super) async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        let mut spool = Spool::fill(None, letter).await.map_err(|error| failure(&error))?;
        self.write(&mut spool).map_err(|error| failure(&error))
    }

    fn write(&mut self, spool: &mut Spool) -> io::Result<()> {
        if self.file.is_terminal() {
            spool.write_to(&mut ForTerminal(&mut self.file))
        } else if self.file.metadata()?.is_file() {
            spool.append_to(&mut self.file, b"")
        } else {
            spool.write_to(&mut self.file)
        }
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Io,
        format!("cannot pass the message to standard output: {error}; it stays on the server"),
    )
}

/// Shows mail on a terminal whose cursor it must not move.
struct ForTerminal<'a>(&'a mut File);

impl Write for ForTerminal<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        write!(self.0, "{}", Text(octets))?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
