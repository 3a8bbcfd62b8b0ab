//! How much mail an account may have.

use std::{
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::house::NoMail;
use postbox::{Error, FolderName, Mailbox, Postbox};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// What all folders of an account may hold together; `None` is as much as the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets, as they are stored.
    pub octets: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// There is no mailbox to put it in.
    #[error(transparent)]
    Nowhere(#[from] NoMail),
    /// Some mail has to go first.
    #[error("the mailbox is full; try again when its owner has fetched and deleted some mail")]
    Full,
    /// It would not fit into an empty mailbox.
    #[error("a mailbox here takes {0} octets in all, and the message has more")]
    TooLarge(u64),
    /// The store could not take it.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Quota {
    /// How many octets a message may have at present, if one of `size` octets is to come.
    pub async fn room(&self, postbox: &impl Postbox, size: u64) -> Result<u64, Undelivered> {
        if let Some(octets) = self.octets.filter(|octets| size > *octets) {
            return Err(Undelivered::TooLarge(octets));
        }
        if *self == Self::default() {
            return Ok(u64::MAX);
        }
        let (mut messages, mut octets) = (0, 0);
        for folder in postbox.folders().await? {
            let mut mailbox = postbox.select(&folder).await?;
            messages += u64::from(mailbox.count());
            octets += mailbox.size().await?;
        }
        let room = self.octets.unwrap_or(u64::MAX).saturating_sub(octets);
        let is_full = self.messages.is_some_and(|most| messages >= most) || room == 0 || size > room;
        if is_full { Err(Undelivered::Full) } else { Ok(room) }
    }

    /// Delivers a message that fits. Messages that come at the same time may go over the limit together.
    pub async fn deliver(
        &self,
        postbox: &impl Postbox,
        folder: &FolderName,
        message: impl AsyncRead + Unpin + Send,
    ) -> Result<(), Undelivered> {
        let room = self.room(postbox, 0).await?;
        let mut message = Fitting { message, room, too_long: false };
        match postbox.deliver(folder, &mut message).await {
            Err(Error::Source(_)) if message.too_long => {
                // Whether it would ever fit shows at its end.
                let Some(octets) = self.octets else { return Err(Undelivered::Full) };
                let read = room.saturating_add(1);
                let most = octets.saturating_sub(room);
                let mut rest = message.message.take(most);
                let more = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map_err(Error::Source)?;
                let fits = read.saturating_add(more) <= octets;
                Err(if fits { Undelivered::Full } else { Undelivered::TooLarge(octets) })
            }
            delivered => Ok(delivered?),
        }
    }
}

/// A message that breaks off with an error at the first octet for which there is no room.
struct Fitting<R> {
    message: R,
    room: u64,
    too_long: bool,
}

impl<R: AsyncRead + Unpin> AsyncRead for Fitting<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        // One more than there is room for, to see whether it comes.
        let most = usize::try_from(this.room.saturating_add(1)).unwrap_or(usize::MAX).min(buffer.remaining());
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.message).poll_read(context, &mut piece))?;
        let count = piece.filled().len();
        let Some(left) = this.room.checked_sub(count as u64) else {
            this.too_long = true;
            return Poll::Ready(Err(ErrorKind::QuotaExceeded.into()));
        };
        this.room = left;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use postbox::{Marks, memory::Memory};

    use super::*;

    async fn deliver(quota: Quota, postbox: &Memory, size: usize) -> &'static str {
        let message = vec![b'x'; size];
        match quota.deliver(postbox, &FolderName::inbox(), message.as_slice()).await {
            Ok(()) => "delivered",
            Err(Undelivered::Full) => "full",
            Err(Undelivered::TooLarge(_)) => "too large",
            Err(Undelivered::Store(_) | Undelivered::Nowhere(_)) => "fault",
        }
    }

    #[tokio::test]
    async fn octets_of_all_folders_count_and_a_message_that_can_never_fit_is_told_from_others() {
        let (quota, postbox) = (Quota { octets: Some(100), messages: None }, Memory::default());
        let folder = FolderName::parse("lists").unwrap();
        assert!(quota.deliver(&postbox, &folder, &[b'x'; 40][..]).await.is_ok());
        for (size, expected) in [
            (61, "full"),
            (100, "full"),
            (101, "too large"),
            (500, "too large"),
            (60, "delivered"),
            (1, "full"),
        ] {
            assert_eq!(deliver(quota, &postbox, size).await, expected, "{size}");
        }
        assert!(matches!(quota.room(&postbox, 101).await, Err(Undelivered::TooLarge(100))));
        let all: Marks = [std::num::NonZeroU32::MIN].into();
        postbox.select(&folder).await.unwrap().release(&all).await;
        assert_eq!(quota.room(&postbox, 40).await.unwrap(), 40);
        assert!(matches!(quota.room(&postbox, 41).await, Err(Undelivered::Full)));
    }

    #[tokio::test]
    async fn messages_count_and_without_a_quota_nothing_does() {
        let (quota, postbox) = (Quota { octets: None, messages: Some(2) }, Memory::default());
        for expected in ["delivered", "delivered", "full"] {
            assert_eq!(deliver(quota, &postbox, 100_000).await, expected);
        }
        assert_eq!(deliver(Quota::default(), &postbox, 0).await, "delivered");
    }
}
