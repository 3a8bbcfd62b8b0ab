//! A file seen through a window that moves along.

use std::{fs::File, io, os::unix::fs::FileExt};

use memchr::memchr;

/// How much is read at a time, in octets.
const WIDTH: usize = 256 * 1024;

/// The first `size` octets of a file.
pub(crate) struct Window<'a> {
    file: &'a File,
    size: u64,
    bytes: Vec<u8>,
    start: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a File, size: u64) -> Self {
        Self { file, size, bytes: Vec::new(), start: 0 }
    }

    pub(crate) fn file(&self) -> &'a File {
        self.file
    }

    /// The octets from `offset` on: at least `wanted`, which is less than the window's width, if there are so
    /// many.
    pub(crate) fn at(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = self.size.saturating_sub(offset).min(wanted as u64);
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + wanted > end {
            self.move_to(offset)?;
        }
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(skip..).unwrap_or_default())
    }

    fn move_to(&mut self, offset: u64) -> io::Result<()> {
        let left = self.size.saturating_sub(offset);
        self.bytes.resize(usize::try_from(left).unwrap_or(WIDTH).min(WIDTH), 0);
        self.start = offset;
        // Fails where the file has become shorter.
        self.file.read_exact_at(&mut self.bytes, offset)
    }
}

/// The first line, with its end if it has one.
pub(crate) fn first_line(bytes: &[u8]) -> &[u8] {
    let length = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    bytes.get(..length).unwrap_or(bytes)
}
