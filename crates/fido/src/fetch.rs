//! `fido fetch`: messages come from the server, the new ones are stored, and each is acknowledged once it is safe.

mod rounds;
mod tally;

use std::path::PathBuf;

use pop2::{
    MailboxName,
    client::{Item, Mailbox, Reading, Received, Transfer},
};
use postbox::letter::{self, Feed};

pub(crate) use rounds::duration;
pub use rounds::run;
pub use tally::{Skipped, Tally};

use crate::{
    Exit, Failure,
    args::Folders,
    connection::Connection,
    known::{Ask, Digester, Fingerprint, Memory, Name, Options, Planner, Quit, Record, Verdict},
    progress::{Progress, Show},
    session::Account,
    sink::{Sink, Target},
};

/// How many messages in a row may be missing before the server's count of them is not believed.
const MOST_HOLES: u32 = 10_000;

/// What is wanted of a fetch.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whether each message is deleted on the server once it is safe here.
    pub delete: bool,
    /// Which of the new messages.
    pub options: Options,
    /// All messages, whatever is here already.
    pub all: bool,
    /// Where it is remembered what is here.
    pub state: Option<PathBuf>,
    /// Where it is shown how far it has come.
    pub progress: Show,
}

/// A fetch on its way.
pub struct Fetching<'a> {
    account: &'a Account,
    sink: Sink,
    target: Target,
    wanted: Wanted,
    tally: Tally,
}

/// Where a session with a folder is.
enum Place {
    Mailbox(Mailbox<Connection>),
    /// The size of a message has been told.
    Item(Item<Connection>),
}

impl Place {
    fn mailbox(self) -> Mailbox<Connection> {
        match self {
            Self::Mailbox(mailbox) => mailbox,
            Self::Item(item) => item.leave(),
        }
    }
}

/// A folder being fetched.
struct Folder {
    name: Option<String>,
    planner: Planner,
    record: Option<Record>,
    progress: Progress,
}

impl<'a> Fetching<'a> {
    /// Nothing is fetched yet.
    pub fn new(account: &'a Account, target: Target, wanted: Wanted) -> Result<Self, Failure> {
        Ok(Self { account, sink: Sink::open(&target)?, target, wanted, tally: Tally::default() })
    }

    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
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
        let record = self.record(folder).await?;
        let mailbox = self.account.open(folder).await?;
        let count = mailbox.count();
        let memory = match &record {
            Some(record) if !self.wanted.all => record.memory().clone(),
            _ => Memory::default(),
        };
        // What is here already can be deleted only once it has come again: the protocol has no other way.
        let options =
            Options { verify: self.wanted.options.verify || self.wanted.delete, ..self.wanted.options };
        let title = folder.map_or_else(|| self.account.host().to_string(), ToString::to_string);
        let mut folder = Folder {
            name: folder.map(ToString::to_string),
            planner: Planner::new(&memory, count, options),
            record,
            progress: Progress::new(&title, count, &self.wanted.progress),
        };
        let mut place = Place::Mailbox(mailbox);
        let mut holes = 0;
        loop {
            place = match (folder.planner.ask(), place) {
                (Ask::Size(number), place) => {
                    folder.progress.at(number);
                    // Always with the number: a bare READ skips messages with some servers.
                    let read = place.mailbox().read(number).await;
                    match read.map_err(|error| self.account.failure(&error))? {
                        Reading::Message(item) => {
                            holes = 0;
                            folder.planner.size(item.length());
                            Place::Item(item)
                        }
                        Reading::Nothing(_) if holes == MOST_HOLES => return Err(self.no_messages(count)),
                        Reading::Nothing(mailbox) => {
                            holes += 1;
                            folder.planner.size(0);
                            Place::Mailbox(mailbox)
                        }
                    }
                }
                (Ask::Retrieve(number), Place::Item(item)) => {
                    Place::Mailbox(self.fetch_message(number, item, &mut folder).await?)
                }
                (Ask::Retrieve(_), Place::Mailbox(_)) => {
                    return Err(Failure::new(Exit::Software, "a message is wanted whose size was not asked"));
                }
                (Ask::Done, place) => return self.end(place.mailbox(), folder).await,
            };
        }
    }

    /// What is known of a folder; with `all` nothing need be.
    async fn record(&mut self, folder: Option<&MailboxName>) -> Result<Option<Record>, Failure> {
        let Some(state) = &self.wanted.state else {
            let text = "it is not known where to remember what has been fetched: HOME is not set; set it, or use --all";
            return if self.wanted.all { Ok(None) } else { Err(Failure::new(Exit::Usage, text)) };
        };
        let profile = self.account.profile();
        let account = format!("{}@{}", profile.user, profile.route.host);
        let folder = folder.map(ToString::to_string);
        let target = self.target.identity();
        let name = Name { account: &account, folder: folder.as_deref(), target: &target };
        let mut record = match Record::open(state, &name) {
            Err(_) if self.wanted.all => return Ok(None),
            opened => opened?,
        };
        // A kill came between a message's storing and the note of it.
        for doubt in record.doubts().to_vec() {
            if self.sink.holds(&doubt).await? { record.stored(doubt)? } else { record.dropped(doubt)? }
        }
        Ok(Some(record))
    }

    async fn fetch_message(
        &mut self,
        number: u32,
        item: Item<Connection>,
        folder: &mut Folder,
    ) -> Result<Mailbox<Connection>, Failure> {
        let length = item.length();
        let transfer = item.retrieve().await.map_err(|error| self.account.failure(&error))?;
        let (feed, letter) = letter::channel();
        let Folder { planner, record, progress, .. } = folder;
        let account = self.account;
        let coming = async {
            let received = receive(transfer, feed, progress).await;
            let (received, message, feed) = received.map_err(|error| account.failure(&error))?;
            let verdict = planner.retrieved(message);
            if verdict == Verdict::New {
                if let Some(record) = record.as_mut() {
                    record.intent(message)?;
                }
                feed.end().await;
            }
            // Without its end nobody stores it.
            Ok::<_, Failure>((received, message, verdict))
        };
        let (came, delivered) = tokio::join!(coming, self.sink.deliver(letter));
        let (received, message, verdict) = came?;
        if verdict == Verdict::New {
            if let Err(failure) = delivered {
                if let Some(record) = record.as_mut() {
                    record.dropped(message)?;
                }
                self.leave(received).await;
                return Err(failure);
            }
            if let Some(record) = record.as_mut() {
                record.stored(message)?;
            }
            self.tally.messages += 1;
            self.tally.octets += length;
        }
        let acknowledged = if self.wanted.delete && verdict != Verdict::Later {
            planner.marked(number);
            self.tally.marked += 1;
            received.delete().await
        } else {
            received.keep().await
        };
        acknowledged.map_err(|error| self.account.failure(&error))
    }

    /// Ends the session, upon which the server deletes what is marked.
    async fn end(&mut self, mailbox: Mailbox<Connection>, folder: Folder) -> Result<(), Failure> {
        let Folder { name, planner, record, .. } = folder;
        let skipped = planner.skipped().iter();
        let skipped = skipped.map(|&(number, octets)| Skipped { folder: name.clone(), number, octets });
        self.tally.skipped.extend(skipped);
        let quit = self.quit(mailbox).await;
        let answered = if quit.is_ok() { Quit::Answered } else { Quit::Unanswered };
        if let (Some(mut record), Some(memory)) = (record, planner.finish(answered)) {
            record.replace(memory)?;
        }
        quit
    }

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
/// to nothing. What it is known by comes with it, and the feed that still wants its end.
async fn receive(
    mut transfer: Transfer<Connection>,
    mut feed: Feed,
    progress: &mut Progress,
) -> Result<(Received<Connection>, Fingerprint, Feed), pop2::client::Error> {
    let mut digester = Digester::default();
    while let Some(chunk) = transfer.chunk().await? {
        progress.octets(chunk.len());
        digester.update(chunk);
        feed.put(chunk).await;
    }
    Ok((transfer.finish()?, digester.finish(), feed))
}
