//! The object store: large messages, each under a name of its own that is never used again.

use std::{
    fmt,
    future::ready,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ClientOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, RetryConfig,
    WriteMultipart,
    aws::AmazonS3Builder,
    local::LocalFileSystem,
    memory::InMemory,
    path::{Path as Key, PathPart},
};
use pop2::wire;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};
use tokio_rustls::rustls::crypto::ring;

use super::{ObjectsAt, S3, SettingsError, settings::secret};
use crate::{Error, error::Remote};

/// How much of a message is taken from its source at a time, in octets.
const PIECE: usize = 64 * 1024;

/// Up to this size, in octets, a message goes into the store whole; larger ones go in parts of it. S3 takes no smaller ones.
const PART: usize = 5 * 1024 * 1024;

/// The name of the object that says whose the others are.
const OWNER: &str = "owner";

/// How often a whole message is put that proves not to be there.
const TRIES: usize = 3;

/// An object store. A clone is the same one.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// What stands before every name.
    prefix: Key,
    place: Arc<str>,
    patience: Duration,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.place)
    }
}

/// A message whose octets are stored, or in hand.
pub(super) struct Stored {
    pub(super) size: u64,
    pub(super) wire: u64,
    pub(super) digest: Vec<u8>,
    body: Body,
}

enum Body {
    Small(Vec<u8>),
    /// Its name, and since when it is there by the store's clock.
    Object(String, SystemTime),
}

impl Stored {
    /// The name of its object.
    pub(super) fn object(&self) -> Option<&str> {
        if let Body::Object(key, _) = &self.body { Some(key) } else { None }
    }

    /// Since when its object is there, by the store's clock.
    pub(super) fn put(&self) -> Option<SystemTime> {
        if let Body::Object(_, at) = self.body { Some(at) } else { None }
    }

    /// Its octets, where they are to be in the row.
    pub(super) fn octets(&self) -> Option<&[u8]> {
        if let Body::Small(octets) = &self.body { Some(octets) } else { None }
    }
}

/// What is found out of a message as it passes.
#[derive(Default)]
struct Passing {
    size: u64,
    counter: wire::Counter,
    hash: Sha256,
}

impl Passing {
    fn see(&mut self, octets: &[u8]) {
        self.size += octets.len() as u64;
        self.counter.count(octets);
        self.hash.update(octets);
    }

    fn stored(self, body: Body) -> Stored {
        let Self { size, counter, hash } = self;
        Stored { size, wire: counter.length(), digest: hash.finalize().to_vec(), body }
    }
}

impl Objects {
    /// Opens what settings name; one request may take `patience`.
    pub(super) fn open(at: &ObjectsAt, patience: Duration) -> Result<Self, SettingsError> {
        match at {
            ObjectsAt::Memory => {
                Ok(Self::new(Arc::new(InMemory::new()), Key::default(), "the server's memory", patience))
            }
            ObjectsAt::Folder(path) => Self::folder(path, patience),
            ObjectsAt::S3(settings) => Self::s3(settings, patience),
        }
    }

    fn folder(path: &Path, patience: Duration) -> Result<Self, SettingsError> {
        let place = format!("the folder {}", path.display());
        let store = LocalFileSystem::new_with_prefix(path).map_err(|error| SettingsError::Objects {
            place: place.clone(),
            cause: format!("{}; make it, and give the server's user access to it", Remote(error)),
        })?;
        Ok(Self::new(Arc::new(store.with_fsync(true)), Key::default(), &place, patience))
    }

    fn s3(settings: &S3, patience: Duration) -> Result<Self, SettingsError> {
        let S3 { bucket, prefix, endpoint, region, key } = settings;
        let place = match endpoint {
            Some(endpoint) => format!("the bucket {bucket} at {endpoint}"),
            None => format!("the bucket {bucket}"),
        };
        let fail = |cause: String| SettingsError::Objects { place: place.clone(), cause };
        // What is asked for by HTTPS asks for this.
        let _there_already = ring::default_provider().install_default();
        let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut builder = if key.is_some() { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
        builder = builder
            .with_bucket_name(bucket)
            .with_region(region)
            .with_allow_http(is_plain)
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(patience)
                    .with_connect_timeout(patience.min(Duration::from_secs(5)))
                    .with_allow_http(is_plain),
            )
            .with_retry(RetryConfig { max_retries: 6, retry_timeout: patience, ..RetryConfig::default() });
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((id, file)) = key {
            let secret = secret(file)?;
            let secret = std::str::from_utf8(secret.expose())
                .map_err(|_| fail("its secret key is no text; write it again".to_owned()))?;
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let store = builder.build().map_err(|error| fail(Remote(error).to_string()))?;
        Ok(Self::new(Arc::new(store), Key::from(prefix.as_str()), &place, patience))
    }

    fn new(store: Arc<dyn ObjectStore>, prefix: Key, place: &str, patience: Duration) -> Self {
        Self { store, prefix, place: place.into(), patience }
    }

    /// What it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How long one request may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether it answers: an object is put, read and deleted.
    pub async fn try_out(&self) -> Result<(), Error> {
        let key = self.new_key()?;
        self.put_whole(&key, Bytes::from_static(b"woof\n")).await?;
        let read = self.within("read an object", self.store.get_range(&key, 0..5)).await?;
        self.within("delete an object", self.store.delete(&key)).await?;
        if read.as_ref() == b"woof\n" {
            Ok(())
        } else {
            Err(self.failed("read an object", "it gave something else than was put there"))
        }
    }

    /// Takes in a message: up to `inline` octets stay in hand, more are put into the store, once that is `allowed`. `None`
    /// where it has more than `most`.
    pub(super) async fn take_in<R: AsyncRead + Unpin>(
        &self,
        mut message: R,
        inline: usize,
        most: Option<u64>,
        allowed: impl Future<Output = Result<(), Error>>,
    ) -> Result<Option<Stored>, Error> {
        let (mut passing, mut octets) = (Passing::default(), Vec::new());
        let is_too_large = |passing: &Passing| most.is_some_and(|most| passing.size > most);
        let is_whole = loop {
            let is_end = !piece(&mut message, &mut octets, &mut passing).await?;
            if is_too_large(&passing) {
                return Ok(None);
            }
            if is_end && octets.len() <= inline {
                return Ok(Some(passing.stored(Body::Small(octets))));
            }
            if is_end || octets.len() > PART {
                break is_end;
            }
        };
        allowed.await?;
        let key = self.new_key()?;
        if is_whole {
            let at = self.put_whole(&key, octets.into()).await?;
            return Ok(Some(passing.stored(Body::Object(key.to_string(), at))));
        }
        // Too large to be held.
        let upload = self.within("put an object", self.store.put_multipart(&key)).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let outcome = async {
            loop {
                upload.write(&octets);
                octets.clear();
                super::step(&self.place)?;
                self.within("put an object", upload.wait_for_capacity(1)).await?;
                if !piece(&mut message, &mut octets, &mut passing).await? {
                    break;
                }
                if is_too_large(&passing) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match outcome.await {
            Ok(true) => {}
            ended => {
                // What of it was put is not seen by anybody; a store that cannot be told removes it by its own rules.
                let _ = self.within("give up an object", upload.abort()).await;
                return ended.map(|_| None);
            }
        }
        super::step(&self.place)?;
        self.within("put an object", upload.finish()).await?;
        let there = self.there_since(&key, passing.size).await?;
        let at = there.ok_or_else(|| self.failed("put an object", "it was taken, and is not there"))?;
        Ok(Some(passing.stored(Body::Object(key.to_string(), at))))
    }

    /// Puts an object and looks whether it is there: since when it is, by the store's clock.
    async fn put_whole(&self, key: &Key, octets: Bytes) -> Result<SystemTime, Error> {
        for _ in 0..TRIES {
            super::step(&self.place)?;
            self.within("put an object", self.store.put(key, octets.clone().into())).await?;
            if let Some(at) = self.there_since(key, octets.len() as u64).await? {
                return Ok(at);
            }
        }
        Err(self.failed("put an object", "it was taken, and is not there"))
    }

    /// Since when an object of this size is there; `None` where there is none.
    async fn there_since(&self, key: &Key, size: u64) -> Result<Option<SystemTime>, Error> {
        super::step(&self.place)?;
        let found = self.if_there("look for an object", self.store.head(key)).await?;
        Ok(found.filter(|found| found.size == size).map(|found| found.last_modified.into()))
    }

    /// What the store says of whose it is.
    pub(super) async fn owner(&self) -> Result<Option<Bytes>, Error> {
        let read = async { self.store.get(&self.prefix.clone().join(OWNER)).await?.bytes().await };
        self.if_there("read an object", read).await
    }

    /// Has the store say so, unless it says something meanwhile.
    pub(super) async fn set_owner(&self, owner: &str) -> Result<(), Error> {
        let (key, owner) = (self.prefix.clone().join(OWNER), Bytes::from(owner.to_owned()));
        super::step(&self.place)?;
        let create = self.store.put_opts(&key, owner.clone().into(), PutMode::Create.into());
        // Not every store knows this condition; one that does not is asked once more whether it is anybody's.
        if self.within("put an object", create).await.is_ok() || self.owner().await?.is_some() {
            return Ok(());
        }
        self.put_whole(&key, owner).await.map(drop)
    }

    /// Removes the object of a message that nobody has, as far as that is possible now; a sweep does it later.
    pub(super) async fn forget(&self, stored: &Stored) {
        if let Some(key) = stored.object()
            && let Err(error) = self.delete(key).await
        {
            tracing::debug!(%error, "an object is left for the sweep");
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.if_there("delete an object", self.store.delete(&Key::from(key))).await.map(drop)
    }

    /// Every object that a message has or had.
    pub(super) fn all(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let prefix = self.prefix.clone();
        let all = self.store.list(Some(&self.prefix));
        all.try_filter(move |found| ready(is_a_message(&prefix, &found.location))).boxed()
    }

    /// The octets of an object from an offset on.
    pub(super) async fn get(
        &self,
        key: &str,
        from: u64,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, Error> {
        let mut options = GetOptions::default();
        if from > 0 {
            options.range = Some(GetRange::Offset(from));
        }
        let key = Key::from(key);
        Ok(self.within("read an object", self.store.get_opts(&key, options)).await?.into_stream())
    }

    pub(super) async fn within<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        match timeout(self.patience, work).await {
            Ok(done) => done.map_err(|error| self.failed(action, Remote(error))),
            Err(_elapsed) => Err(self.failed(action, "it does not answer")),
        }
    }

    /// The same for what need not be there.
    async fn if_there<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, Error> {
        let found = async {
            match work.await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                outcome => outcome.map(Some),
            }
        };
        self.within(action, found).await
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Remote { action, place: self.place.to_string(), cause: cause.into() }
    }

    /// A name that no other object has or will have. Its beginning spreads objects over a store's folders.
    fn new_key(&self) -> Result<Key, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| self.failed("name an object", std::io::Error::other(error)))?;
        let name = format!("{:032x}", u128::from_be_bytes(random));
        let (folder, rest) = name.split_at(2);
        Ok(self.prefix.clone().join(folder).join(rest))
    }
}

/// Whether a name is one of [`Objects::new_key`].
fn is_a_message(prefix: &Key, key: &Key) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
    };
    let parts: Vec<PathPart<'_>> = key.prefix_match(prefix).into_iter().flatten().collect();
    matches!(parts.as_slice(), [folder, rest] if is_hex(folder.as_ref(), 2) && is_hex(rest.as_ref(), 30))
}

/// Appends the next piece of a message to `octets`; false at its end.
async fn piece<R: AsyncRead + Unpin>(
    message: &mut R,
    octets: &mut Vec<u8>,
    passing: &mut Passing,
) -> Result<bool, Error> {
    let start = octets.len();
    octets.resize(start + PIECE, 0);
    let room = octets.get_mut(start..).unwrap_or_default();
    let count = message.read(room).await.map_err(Error::Source)?;
    octets.truncate(start + count);
    passing.see(octets.get(start..).unwrap_or_default());
    Ok(count > 0)
}
