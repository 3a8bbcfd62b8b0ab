//! What a login is checked with, wherever the accounts are.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pop2::Secret;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::error::Error;
use super::keyed::Key;
use super::scheme::Hash;
use super::table::Credential;

pub(super) struct Checks {
    /// How long a right password is remembered; zero is never.
    pub(super) remember: Duration,
    pub(super) key: Key,
    /// Checked against where there is no account that could stand in for an unknown user.
    pub(super) nobody: Arc<Credential>,
    /// One permit a core: more hashes at once would only make each other slow, and take their memory.
    pub(super) cores: Arc<Semaphore>,
}

impl Checks {
    pub(super) fn new(remember: Duration) -> Result<Self, Error> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            remember,
            key: Key::random().map_err(Error::Random)?,
            nobody: Arc::new(Credential::new(Hash::of_nobody())),
            cores: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Which of the passwords is right, by number, found on a thread that may block.
    pub(super) async fn right(&self, credential: &Arc<Credential>, candidates: &[Secret]) -> Option<usize> {
        // The permit goes with the work, which goes on when the session is gone.
        let permit = Arc::clone(&self.cores).acquire_owned().await.ok()?;
        let (credential, candidates) = (Arc::clone(credential), candidates.to_vec());
        let work = move || {
            let right = credential.verify(&candidates);
            drop(permit);
            right
        };
        blocking(work).await.flatten()
    }
}

/// Does the work on a thread that may block; `None` if the work panicked or the runtime is ending.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(work)
        .await
        .inspect_err(|error| tracing::error!(%error, "work on the accounts came to no end"))
        .ok()
}
