//! One message, held open: its length on the wire and its octets.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use pop2::wire;
use xxhash_rust::xxh3::Xxh3;

use crate::{Error, maildir::Doubt, one_file::SEED};

/// How much of a stored message is converted at a time, in octets.
const PIECE: usize = 64 * 1024;

/// A message of a selected folder, held so that it stays readable though its file be removed.
///
/// Its length is what the wire is promised; [`Octets`] gives exactly as many or an error.
#[derive(Debug)]
pub struct Message {
    length: u64,
    body: Body,
    /// For a length that a file name claims: told when it proves wrong.
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone)]
enum Body {
    Memory(Bytes),
    File { file: Arc<File>, size: u64 },
}

impl Message {
    /// A message in memory, as stored.
    #[must_use]
    pub fn from_bytes(stored: Bytes) -> Self {
        Self { length: wire::length(&stored), body: Body::Memory(stored), doubt: None }
    }

    /// A message that is the first `size` octets of a file. Its length on the wire is found by reading it.
    pub fn from_file(file: File, size: u64) -> io::Result<Self> {
        let mut message = Self { length: 0, body: Body::File { file: Arc::new(file), size }, doubt: None };
        let mut counter = wire::Counter::default();
        let mut buffer = Vec::new();
        let mut offset = 0;
        while message.body.read(offset, &mut buffer)? {
            counter.count(&buffer);
            offset += buffer.len() as u64;
        }
        message.length = counter.length();
        Ok(message)
    }

    /// A message that is the first `size` octets of a file, and of which the length on the wire is claimed;
    /// `doubt` is told where that claim proves wrong.
    pub(crate) fn with_claimed_length(file: File, size: u64, length: u64, doubt: Doubt) -> Self {
        Self { length, body: Body::File { file: Arc::new(file), size }, doubt: Some(doubt) }
    }

    /// Its length on the wire, in octets. Never 0.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its octets in wire form, from the first on, however often it is asked for.
    #[must_use]
    pub fn octets(&self) -> Octets<'_> {
        Octets {
            message: self,
            encoder: Some(wire::Encoder::default()),
            stored: Vec::new(),
            offset: 0,
            produced: 0,
        }
    }
}

/// What a message is known by: two of the same octets on the wire have the same, and others have another,
/// except by a chance of nothing. It means nothing outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Message {
    /// What the message is known by. This reads all of it.
    ///
    /// # Errors
    /// As those of [`Octets::next`].
    pub async fn digest(&self) -> Result<Digest, Error> {
        let (mut hash, mut octets, mut wire) = (Xxh3::with_seed(*SEED), self.octets(), Vec::new());
        while octets.next(&mut wire).await? {
            hash.update(&wire);
            wire.clear();
        }
        Ok(Digest(hash.digest128()))
    }
}

impl Body {
    /// Reads the stored octets from `offset` on into `buffer`; false at the end.
    fn read(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Self::Memory(stored) => {
                let rest =
                    usize::try_from(offset).ok().and_then(|from| stored.get(from..)).unwrap_or_default();
                buffer.clear();
                buffer.extend_from_slice(rest.get(..PIECE).unwrap_or(rest));
            }
            Self::File { file, size } => {
                let rest = size.saturating_sub(offset);
                buffer.resize(usize::try_from(rest).unwrap_or(PIECE).min(PIECE), 0);
                let mut filled = 0;
                while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
                    match file.read_at(room, offset + filled as u64) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                buffer.truncate(filled);
            }
        }
        Ok(!buffer.is_empty())
    }
}

/// The wire form of a message, piece by piece.
#[derive(Debug)]
pub struct Octets<'a> {
    message: &'a Message,
    /// Gone once the end has been reached.
    encoder: Option<wire::Encoder>,
    stored: Vec<u8>,
    offset: u64,
    produced: u64,
}

impl Octets<'_> {
    /// Appends the next piece, up to 128 KiB, to `wire`; false once there is no more.
    ///
    /// # Errors
    /// Where the octets cannot be read, and where they are not as many as the length has promised: then those
    /// appended so far are still no more than promised.
    // It waits for nothing yet: files come from the page cache. A remote store's octets will not.
    #[allow(clippy::unused_async)]
    pub async fn next(&mut self, wire: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(mut encoder) = self.encoder.take() else {
            return Ok(false);
        };
        let start = wire.len();
        let more = self.message.body.read(self.offset, &mut self.stored).map_err(|source| Error::Io {
            action: "read",
            place: "an open message".into(),
            source,
        })?;
        if more {
            encoder.encode(&self.stored, wire);
            self.offset += self.stored.len() as u64;
            self.encoder = Some(encoder);
        } else {
            encoder.finish(wire);
        }
        self.produced += (wire.len() - start) as u64;
        let promised = self.message.length;
        if self.produced > promised || (!more && self.produced < promised) {
            wire.truncate(start);
            return Err(self.broken_promise());
        }
        Ok(more || wire.len() > start)
    }

    fn broken_promise(&self) -> Error {
        let (promised, found) = (self.message.length, self.produced);
        let place = match &self.message.doubt {
            Some(doubt) => doubt.raise(),
            None => "an open message".to_owned(),
        };
        Error::Changed { place, promised, found }
    }
}
