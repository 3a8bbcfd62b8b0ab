//! Several stores in order, taken for one (`DECISIONS` 21: the RFC's default mailbox on UNIX is "both" the
//! spool file and the inbox folder).

use std::num::NonZeroU32;

use tokio::io::AsyncRead;

use crate::{
    Error, FolderName, Mailbox, Marks, Message, Postbox, Quota, Released, Terms, Undelivered, Usage,
    folder::with_inbox,
};

/// Postboxes one behind the other: numbering runs through, deletions go to where each message came from, and
/// what is delivered goes to the first.
#[derive(Debug)]
pub struct Chain<P> {
    first: P,
    rest: Vec<P>,
}

impl<P> Chain<P> {
    /// The postboxes in the order in which their messages are numbered.
    pub fn new(first: P, rest: Vec<P>) -> Self {
        Self { first, rest }
    }
}

impl<P: Postbox> Postbox for Chain<P> {
    type Mailbox = Links<P::Mailbox>;

    async fn select(&self, folder: &FolderName) -> Result<Self::Mailbox, Error> {
        let mut links = Vec::with_capacity(1 + self.rest.len());
        links.push(self.first.select(folder).await?);
        for postbox in &self.rest {
            links.push(postbox.select(folder).await?);
        }
        Ok(Links(links))
    }

    async fn folders(&self) -> Result<Vec<FolderName>, Error> {
        let mut folders = self.first.folders().await?;
        for postbox in &self.rest {
            folders.extend(postbox.folders().await?);
        }
        Ok(with_inbox(folders.into_iter()))
    }

    async fn deliver<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
    ) -> Result<(), Error> {
        self.first.deliver(folder, message).await
    }

    async fn usage(&self) -> Result<Usage, Error> {
        let mut usage = self.first.usage().await?;
        for postbox in &self.rest {
            let more = postbox.usage().await?;
            usage.octets += more.octets;
            usage.messages += more.messages;
        }
        Ok(usage)
    }

    async fn deliver_within<R: AsyncRead + Unpin + Send>(
        &self,
        folder: &FolderName,
        message: R,
        mut terms: Terms<'_>,
    ) -> Result<(), Undelivered> {
        if terms.quota != Quota::default() {
            for postbox in &self.rest {
                terms.quota = terms.quota.beside(postbox.usage().await?);
            }
        }
        self.first.deliver_within(folder, message, terms).await
    }
}

/// The same folder of each postbox, selected.
#[derive(Debug)]
pub struct Links<M>(Vec<M>);

impl<M: Mailbox> Mailbox for Links<M> {
    fn count(&self) -> u32 {
        self.0.iter().fold(0, |count, link| count.saturating_add(link.count()))
    }

    async fn size(&mut self) -> Result<u64, Error> {
        let mut size = 0;
        for link in &mut self.0 {
            size += link.size().await?;
        }
        Ok(size)
    }

    async fn message(&mut self, number: NonZeroU32) -> Result<Option<Message>, Error> {
        let mut before = 0;
        for link in &mut self.0 {
            let count = link.count();
            if let Some(inner) = inner_number(number, before, count) {
                return link.message(inner).await;
            }
            before += count;
        }
        Ok(None)
    }

    async fn release(self, marks: &Marks) -> Released {
        let (mut before, mut all) = (0, Released::default());
        for link in self.0 {
            let count = link.count();
            let own = marks.iter().filter_map(|&number| inner_number(number, before, count)).collect();
            let released = link.release(&own).await;
            all.kept += released.kept;
            all.faults.extend(released.faults);
            before += count;
        }
        all
    }
}

/// The number that a message has in a link of `count` messages, behind links of `before` messages in all.
fn inner_number(number: NonZeroU32, before: u32, count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number.get().checked_sub(before)?).filter(|inner| inner.get() <= count)
}
