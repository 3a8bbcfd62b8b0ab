//! `fido fetch`: messages come from the server and are acknowledged once they are safe.

use indicatif::HumanBytes;
use pop2::{
    MailboxName,
    client::{Item, Mailbox, Reading, Received, Transfer},
};
use postbox::letter::{self, Feed};

use crate::{
    Exit, Failure,
    args::Folders,
    connection::Connection,
    progress::Progress,
    session::Account,
    sink::{Sink, Target},
};

/// How many messages in a row may be missing before the server's count of them is not believed.
const MOST_HOLES: u32 = 10_000;

/// What was done so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Messages that are safe here.
    pub messages: u64,
    /// Their octets on the wire.
    pub octets: u64,
    /// How many of them are marked to be deleted.
    pub marked: u64,
    /// How many of those the server has surely deleted.
    pub deleted: u64,
}

impl Tally {
    /// The tally in a line.
    #[must_use]
    pub fn summary(self, target: &Target) -> String {
        let messages = match self.messages {
            0 => return "no messages".to_owned(),
            1 => "1 message".to_owned(),
            many => format!("{many} messages"),
        };
        let there = match (self.marked, self.deleted) {
            (0, _) => "kept on the server".to_owned(),
            (marked, deleted) if marked == deleted => "deleted on the server".to_owned(),
            (_, some) => format!("{some} of them surely deleted on the server"),
        };
        format!("{messages} ({}) fetched to {target}, {there}", HumanBytes(self.octets))
    }
}

/// A fetch on its way.
pub struct Fetching<'a> {
    account: &'a Account,
    sink: Sink,
    delete: bool,
    verbose: bool,
    tally: Tally,
}

impl<'a> Fetching<'a> {
    /// Nothing is fetched yet.
    pub fn new(account: &'a Account, sink: Sink, delete: bool, verbose: bool) -> Self {
        Self { account, sink, delete, verbose, tally: Tally::default() }
    }

    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Fetches the messages of each folder, on a connection of its own: some servers forget what is marked in
    /// one folder when another is selected.
    pub async fn run(&mut self, folders: &Folders) -> Result<(), Failure> {
        for folder in folders.of(self.account.profile()) {
            self.fetch_folder(folder).await?;
        }
        Ok(())
    }

    async fn fetch_folder(&mut self, folder: Option<&MailboxName>) -> Result<(), Failure> {
        let mut mailbox = self.account.open(folder).await?;
        let count = mailbox.count();
        let name = folder.map_or_else(|| self.account.host().to_string(), ToString::to_string);
        let mut progress = Progress::new(&name, count, self.verbose);
        let mut holes = 0;
        // Each number once, upwards: a bare READ skips messages with some servers, and one that was deleted
        // is given again by others.
        for number in 1..=count {
            mailbox = match mailbox.read(number).await.map_err(|error| self.account.failure(&error))? {
                Reading::Message(item) => {
                    holes = 0;
                    self.fetch_message(item, &mut progress).await?
                }
                Reading::Nothing(_) if holes == MOST_HOLES => return Err(self.no_messages(count)),
                Reading::Nothing(mailbox) => {
                    holes += 1;
                    mailbox
                }
            };
            progress.message();
        }
        self.quit(mailbox).await
    }

    async fn fetch_message(
        &mut self,
        item: Item<Connection>,
        progress: &mut Progress,
    ) -> Result<Mailbox<Connection>, Failure> {
        let length = item.length();
        let transfer = item.retrieve().await.map_err(|error| self.account.failure(&error))?;
        let (feed, letter) = letter::channel();
        let (received, delivered) =
            tokio::join!(receive(transfer, feed, progress), self.sink.deliver(letter));
        let received = received.map_err(|error| self.account.failure(&error))?;
        if let Err(failure) = delivered {
            self.leave(received).await;
            return Err(failure);
        }
        self.tally.messages += 1;
        self.tally.octets += length;
        let acknowledged = if self.delete {
            self.tally.marked += 1;
            received.delete().await
        } else {
            received.keep().await
        };
        acknowledged.map_err(|error| self.account.failure(&error))
    }

    /// Ends the session, upon which the server deletes what is marked.
    async fn quit(&mut self, mailbox: Mailbox<Connection>) -> Result<(), Failure> {
        let Err(error) = mailbox.quit().await else {
            self.tally.deleted = self.tally.marked;
            return Ok(());
        };
        let failure = self.account.failure(&error);
        if self.tally.deleted < self.tally.marked {
            return Err(failure.and(
                "all messages are safe here, but whether the server has deleted them is unknown: \
                 look again next time",
            ));
        }
        // Nothing hangs on it, and there are servers that just close.
        if failure.exit == Exit::Temporary { Ok(()) } else { Err(failure) }
    }

    /// Leaves a message that could not be put anywhere on the server, and ends the session so that those
    /// before it, which are safe, are deleted as they were marked. It does not matter how this goes: what is
    /// not deleted comes again.
    async fn leave(&mut self, received: Received<Connection>) {
        let mailbox = match received.again().await {
            Ok(Reading::Message(item)) => item.leave(),
            Ok(Reading::Nothing(mailbox)) => mailbox,
            Err(_) => return,
        };
        let _ = self.quit(mailbox).await;
    }

    fn no_messages(&self, count: u32) -> Failure {
        Failure::new(
            Exit::Protocol,
            format!(
                "{}: the server counts {count} messages, but {MOST_HOLES} in a row are missing; \
                 what it did give is safe here",
                self.account.host()
            ),
        )
    }
}

/// Takes a message from the wire, to its end even if nobody wants it any more: before that the server listens
/// to nothing.
async fn receive(
    mut transfer: Transfer<Connection>,
    mut feed: Feed,
    progress: &mut Progress,
) -> Result<Received<Connection>, pop2::client::Error> {
    while let Some(chunk) = transfer.chunk().await? {
        progress.octets(chunk.len());
        feed.put(chunk).await;
    }
    let received = transfer.finish()?;
    feed.end().await;
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_became_of_the_messages() {
        let summary = |messages, marked, deleted| {
            Tally { messages, octets: 1536, marked, deleted }
                .summary(&Target::Store { kind: "mbox".into(), path: "box".into() })
        };
        assert_eq!(summary(0, 0, 0), "no messages");
        for (tally, text) in [
            (summary(1, 0, 0), "1 message (1.50 KiB) fetched to mbox:box, kept on the server"),
            (summary(3, 3, 3), "3 messages (1.50 KiB) fetched to mbox:box, deleted on the server"),
            (
                summary(3, 3, 2),
                "3 messages (1.50 KiB) fetched to mbox:box, 2 of them surely deleted on the server",
            ),
        ] {
            assert_eq!(tally, text);
        }
    }
}
