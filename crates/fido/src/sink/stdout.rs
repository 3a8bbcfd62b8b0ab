//! Standard output as an mbox stream, so that several messages can be told apart.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
};

use postbox::{letter::Letter, mbox::Packed};

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

    /// Writes a message once it is whole, so that its reader is never kept waiting by the network. In a plain file
    /// it is on the disk then; behind a pipe it is with the reader, of whom we know nothing more.
    pub(super) async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        let packed = Packed::read(letter).await.map_err(|error| failure(&error))?;
        self.write(&packed).map_err(|error| failure(&error))
    }

    fn write(&mut self, packed: &Packed) -> io::Result<()> {
        if self.file.is_terminal() {
            return packed.write_to(&mut ForTerminal(&mut self.file));
        }
        let before = self.file.metadata()?;
        if !before.is_file() {
            return packed.write_to(&mut self.file);
        }
        let written = packed.write_to(&mut self.file).and_then(|()| self.file.sync_all());
        if written.is_err() {
            self.file.set_len(before.len())?;
            self.file.sync_all()?;
        }
        written
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
