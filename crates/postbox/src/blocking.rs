//! Work that may wait for a disk.

use std::io;

use crate::Error;

/// Does work on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|stopped| {
        Err(Error::Io { action: "finish work on", place: "mail".into(), source: io::Error::other(stopped) })
    })
}
