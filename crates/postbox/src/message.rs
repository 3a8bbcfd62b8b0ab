//! One message, held open: its length on the wire and its octets.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use pop2::wire;
use xxhash_rust::xxh3::Xxh3;

#[cfg(feature = "postgres")]
use crate::postgres;
use crate::{Error, maildir::Origin, one_file::SEED};

/// How much of a stored message is converted at a time, in octets.
const PIECE: usize = 64 * 1024;

/// A message of a selected folder, held so that it stays readable though its file be removed.
///
/// Its length is what the wire is promised; [`Octets`] gives exactly as many or an error.
#[derive(Debug)]
pub struct Message {
    length: u64,
    body: Body,
    /// Of a file whose length on the wire was not found by reading it now: told what sending it shows.
    origin: Option<Origin>,
}

#[derive(Debug, Clone)]
enum Body {
    /// In wire form.
    Memory(Bytes),
    /// As stored.
    File { file: Arc<File>, size: u64 },
    /// As stored, elsewhere.
    #[cfg(feature = "postgres")]
    Object(Arc<postgres::Object>),
}

impl Body {
    /// In octets as stored, where that is not what is held.
    fn size(&self) -> Option<u64> {
        match self {
            Self::Memory(_) => None,
            Self::File { size, .. } => Some(*size),
            #[cfg(feature = "postgres")]
            Self::Object(object) => Some(object.size()),
        }
    }
}

impl Message {
    /// A message in memory, as stored.
    #[must_use]
    pub fn from_bytes(stored: Bytes) -> Self {
        let length = wire::length(&stored);
        match usize::try_from(length) {
            Ok(same) if same == stored.len() => Self { length, body: Body::Memory(stored), origin: None },
            other => Self::from_stored(&stored, other.unwrap_or_default()),
        }
    }

    /// A message of these stored octets, which are about `expected` ones in wire form.
    pub(crate) fn from_stored(stored: &[u8], expected: usize) -> Self {
        let (mut encoder, mut wire) = (wire::Encoder::default(), Vec::with_capacity(expected));
        encoder.encode(stored, &mut wire);
        encoder.finish(&mut wire);
        Self { length: wire.len() as u64, body: Body::Memory(wire.into()), origin: None }
    }

    /// A message that is the first `size` octets of a file. Its length on the wire is found by reading it.
    pub fn from_file(file: File, size: u64) -> io::Result<Self> {
        let (mut counter, mut buffer, mut offset) = (wire::Counter::default(), Vec::new(), 0);
        while read(&file, size, offset, &mut buffer)? {
            counter.count(&buffer);
            offset += buffer.len() as u64;
            buffer.clear();
        }
        Ok(Self { length: counter.length(), body: Body::File { file: Arc::new(file), size }, origin: None })
    }

    /// A message that is the first `size` octets of a file, and of which the length on the wire is claimed or was
    /// measured before; `origin` is told whether that proves true.
    pub(crate) fn with_known_length(file: File, size: u64, length: u64, origin: Origin) -> Self {
        Self { length, body: Body::File { file: Arc::new(file), size }, origin: Some(origin) }
    }

    /// A message in an object store, of a length that was measured when it was put there.
    #[cfg(feature = "postgres")]
    pub(crate) fn from_object(object: Arc<postgres::Object>, length: u64) -> Self {
        Self { length, body: Body::Object(object), origin: None }
    }

    /// Its length on the wire, in octets. Never 0.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The file that holds the wire form and nothing else, where all of it was read before and has not changed since.
    /// Then [`length`](Self::length) octets of it from its beginning are the message, which nobody has to look at
    /// again. Asked once more after they were sent, it tells whether they still were.
    #[must_use]
    pub fn wire_file(&self) -> Option<&File> {
        let (Body::File { file, size }, Some(origin)) = (&self.body, &self.origin) else { return None };
        (*size == self.length && origin.is_as_measured(file)).then_some(file)
    }

    /// Its octets in wire form, from the first on, however often it is asked for.
    #[must_use]
    pub fn octets(&self) -> Octets<'_> {
        // A message of no octets is an empty line on the wire, and so never as long as that.
        let way = if self.body.size() == Some(self.length) {
            Way::AsItIs(wire::Counter::default())
        } else {
            Way::Encoded(wire::Encoder::default())
        };
        Octets {
            message: self,
            way: Some(way),
            stored: Vec::new(),
            offset: 0,
            produced: 0,
            #[cfg(feature = "postgres")]
            reading: postgres::Reading::begin(),
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

/// Reads the first `size` octets of a file from `offset` on to the end of `buffer`, up to [`PIECE`] of them; false at
/// the end.
fn read(file: &File, size: u64, offset: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let (start, rest) = (buffer.len(), size.saturating_sub(offset));
    buffer.resize(start + usize::try_from(rest).unwrap_or(PIECE).min(PIECE), 0);
    let mut filled = start;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + (filled - start) as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(filled > start)
}

/// The wire form of a message, piece by piece.
#[derive(Debug)]
pub struct Octets<'a> {
    message: &'a Message,
    /// How the octets of a file go; gone once the end has been reached.
    way: Option<Way>,
    stored: Vec<u8>,
    offset: u64,
    produced: u64,
    #[cfg(feature = "postgres")]
    reading: postgres::Reading,
}

#[derive(Debug)]
enum Way {
    /// In wire form already, which is looked at on the way.
    AsItIs(wire::Counter),
    Encoded(wire::Encoder),
}

impl Octets<'_> {
    /// Appends the next piece, up to 128 KiB, to `wire`; false once there is no more.
    ///
    /// # Errors
    /// Where the octets cannot be read, and where they are not as many as the length has promised: then those
    /// appended so far are still no more than promised.
    // Without a remote store it waits for nothing: files come from the page cache.
    #[cfg_attr(not(feature = "postgres"), allow(clippy::unused_async))]
    pub async fn next(&mut self, wire: &mut Vec<u8>) -> Result<bool, Error> {
        let start = wire.len();
        if let Body::Memory(all) = &self.message.body {
            let rest = usize::try_from(self.offset).ok().and_then(|from| all.get(from..));
            let rest = rest.unwrap_or_default();
            wire.extend_from_slice(rest.get(..PIECE).unwrap_or(rest));
            self.offset += (wire.len() - start) as u64;
            return Ok(wire.len() > start);
        }
        let Some(mut way) = self.way.take() else {
            return Ok(false);
        };
        self.stored.clear();
        let into = if matches!(way, Way::AsItIs(_)) { &mut *wire } else { &mut self.stored };
        let (more, size) = match &self.message.body {
            // Which was dealt with.
            Body::Memory(_) => (false, 0),
            Body::File { file, size } => {
                let more = read(file, *size, self.offset, into).map_err(|source| Error::Io {
                    action: "read",
                    place: "an open message".into(),
                    source,
                })?;
                (more, *size)
            }
            #[cfg(feature = "postgres")]
            Body::Object(object) => (self.reading.next(object, into).await?, object.size()),
        };
        match &mut way {
            Way::AsItIs(counter) => {
                let piece = wire.get(start..).unwrap_or_default();
                counter.count(piece);
                self.offset += piece.len() as u64;
                let bare = counter.length() - self.offset;
                // It is longer than promised then, whatever is still to come.
                self.produced = if bare == 0 { self.offset } else { size + bare };
            }
            Way::Encoded(encoder) => {
                encoder.encode(&self.stored, wire);
                self.offset += self.stored.len() as u64;
                self.produced += (wire.len() - start) as u64;
            }
        }
        match way {
            way if more => self.way = Some(way),
            Way::Encoded(encoder) => {
                let end = wire.len();
                encoder.finish(wire);
                self.produced += (wire.len() - end) as u64;
            }
            Way::AsItIs(_) => {}
        }
        let promised = self.message.length;
        if self.produced > promised || (!more && self.produced < promised) {
            wire.truncate(start);
            return Err(self.broken_promise());
        }
        if let (false, Some(origin), Body::File { file, .. }) =
            (more, &self.message.origin, &self.message.body)
        {
            origin.confirm(file, promised);
        }
        Ok(more || wire.len() > start)
    }

    fn broken_promise(&self) -> Error {
        let (promised, found) = (self.message.length, self.produced);
        let place = match &self.message.origin {
            Some(origin) => origin.doubt(),
            #[cfg(feature = "postgres")]
            None if let Body::Object(object) = &self.message.body => object.place(),
            None => "an open message".to_owned(),
        };
        Error::Changed { place, promised, found }
    }
}
