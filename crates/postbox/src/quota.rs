//! How much mail an account may have, and what else a delivery is bound to.

use std::{
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::{Error, FolderName, Mailbox, Postbox};

/// What all folders of an account may hold together; `None` is as much as the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets, as they are stored.
    pub octets: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

/// What all folders of an account hold together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets, as they are stored.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

/// What a delivery is bound to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// How much mail there may be afterwards.
    pub quota: Quota,
    /// What a sender that tries again gives again. A store that keeps account of deliveries delivers what has the same name
    /// once into each folder; others pay it no heed. So no stranger may be able to make up another's.
    pub id: Option<&'a str>,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
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
        let Usage { octets, messages } = postbox.usage().await?;
        let room = self.octets.unwrap_or(u64::MAX).saturating_sub(octets);
        let is_full = self.messages.is_some_and(|most| messages >= most) || room == 0 || size > room;
        if is_full { Err(Undelivered::Full) } else { Ok(room) }
    }

    /// What is left of it beside mail that is elsewhere.
    pub(crate) fn beside(self, elsewhere: Usage) -> Self {
        Self {
            octets: self.octets.map(|most| most.saturating_sub(elsewhere.octets)),
            messages: self.messages.map(|most| most.saturating_sub(elsewhere.messages)),
        }
    }
}

/// What an account's folders hold, found by looking at each.
pub(crate) async fn usage(postbox: &(impl Postbox + ?Sized)) -> Result<Usage, Error> {
    let mut usage = Usage::default();
    for folder in postbox.folders().await? {
        let mut mailbox = postbox.select(&folder).await?;
        usage.messages += u64::from(mailbox.count());
        usage.octets += mailbox.size().await?;
    }
    Ok(usage)
}

/// Delivers a message that fits into a store that keeps no account itself. Messages that come at the same time may go
/// over the limit together.
pub(crate) async fn deliver(
    postbox: &impl Postbox,
    folder: &FolderName,
    message: impl AsyncRead + Unpin + Send,
    quota: Quota,
) -> Result<(), Undelivered> {
    let room = quota.room(postbox, 0).await?;
    let mut message = Fitting { message, room, too_long: false };
    match postbox.deliver(folder, &mut message).await {
        Err(Error::Source(_)) if message.too_long => {
            // Whether it would ever fit shows at its end.
            let Some(octets) = quota.octets else { return Err(Undelivered::Full) };
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
    use super::*;
    use crate::{Marks, memory::Memory};

    async fn deliver(quota: Quota, postbox: &Memory, size: usize) -> &'static str {
        let message = vec![b'x'; size];
        let terms = Terms { quota, id: None };
        match postbox.deliver_within(&FolderName::inbox(), message.as_slice(), terms).await {
            Ok(()) => "delivered",
            Err(Undelivered::Full) => "full",
            Err(Undelivered::TooLarge(_)) => "too large",
            Err(Undelivered::Store(_)) => "fault",
        }
    }

    #[tokio::test]
    async fn octets_of_all_folders_count_and_a_message_that_can_never_fit_is_told_from_others() {
        let (quota, postbox) = (Quota { octets: Some(100), messages: None }, Memory::default());
        let folder = FolderName::parse("lists").unwrap();
        let terms = Terms { quota, id: None };
        assert!(postbox.deliver_within(&folder, &[b'x'; 40][..], terms).await.is_ok());
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
