//! A message in an object store, read piece by piece.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use sha2::{Digest as _, Sha256};
use tokio::time::{sleep, timeout};

use super::Objects;
use crate::{Error, error::Remote};

/// How often reading is begun again where it broke off, and the pause before it.
const TRIES: u32 = 5;
const BREATHER: Duration = Duration::from_millis(100);

/// Where the octets of a message are, and what they have to be.
#[derive(Debug)]
pub(crate) struct Object {
    objects: Objects,
    key: String,
    size: u64,
    digest: Vec<u8>,
}

impl Object {
    pub(super) fn new(objects: Objects, key: String, size: u64, digest: Vec<u8>) -> Self {
        Self { objects, key, size, digest }
    }

    /// Its size as stored, in octets.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What it is, for an error.
    pub(crate) fn place(&self) -> String {
        format!("{} of {}", self.key, self.objects.place())
    }
}

/// An object that is being read. Nothing is given out of its end before all of it has proved to be what was stored.
pub(crate) struct Reading {
    stream: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    hash: Sha256,
    taken: u64,
    /// What was taken and not given out.
    ahead: Option<Bytes>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Reading {
    pub(crate) fn begin() -> Self {
        Self { stream: None, hash: Sha256::new(), taken: 0, ahead: None }
    }

    /// Appends the next piece to `octets`; false at the end.
    pub(crate) async fn next(&mut self, object: &Object, octets: &mut Vec<u8>) -> Result<bool, Error> {
        if self.ahead.is_none() {
            self.ahead = self.take(object).await?;
        }
        let Some(ahead) = self.ahead.take() else { return Ok(false) };
        self.ahead = self.take(object).await?;
        octets.extend_from_slice(&ahead);
        Ok(true)
    }

    /// The next piece of the object; `None` at its end, where it was whole and unchanged.
    async fn take(&mut self, object: &Object) -> Result<Option<Bytes>, Error> {
        let mut tries = 0;
        while self.taken < object.size {
            match self.try_take(object).await {
                Ok(piece) => return Ok(Some(piece)),
                Err(error) => {
                    self.stream = None;
                    tries += 1;
                    if tries >= TRIES {
                        return Err(error);
                    }
                    tracing::debug!(%error, "tried again");
                    sleep(BREATHER * 2_u32.pow(tries)).await;
                }
            }
        }
        self.stream = None;
        if self.taken == object.size && self.hash.clone().finalize().as_slice() == object.digest {
            return Ok(None);
        }
        Err(Error::Changed { place: object.place(), promised: object.size, found: self.taken })
    }

    async fn try_take(&mut self, object: &Object) -> Result<Bytes, Error> {
        let objects = &object.objects;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(objects.get(&object.key, self.taken).await?),
        };
        let next = timeout(objects.patience(), stream.next()).await;
        match next {
            Ok(Some(Ok(piece))) => {
                self.taken += piece.len() as u64;
                self.hash.update(&piece);
                Ok(piece)
            }
            Ok(Some(Err(error))) => Err(objects.failed("read an object", Remote(error))),
            Ok(None) => Err(objects.failed("read an object", "it broke off")),
            Err(_elapsed) => Err(objects.failed("read an object", "it does not answer")),
        }
    }
}
