//! A message on its way into a store.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, blocking::blocking};

/// How much of a message is taken from its source at a time, in octets.
const PIECE: usize = 64 * 1024;

/// A message that is being delivered. Dropping it leaves nothing.
pub(crate) trait Draft: Send + 'static {
    /// Appends octets.
    fn write(&mut self, octets: &[u8]) -> Result<(), Error>;

    /// Puts the message where it belongs, and it is on the disk.
    fn commit(self: Box<Self>) -> Result<(), Error>;
}

/// Delivers a message by way of the draft that `begin` makes.
pub(crate) async fn deliver<R: AsyncRead + Unpin + Send>(
    begin: impl FnOnce() -> Result<Box<dyn Draft>, Error> + Send + 'static,
    mut message: R,
) -> Result<(), Error> {
    let mut draft = blocking(begin).await?;
    let mut piece = vec![0; PIECE];
    loop {
        let count = message.read(&mut piece).await.map_err(Error::Source)?;
        if count == 0 {
            break;
        }
        draft.write(piece.get(..count).unwrap_or_default())?;
    }
    blocking(move || draft.commit()).await
}
