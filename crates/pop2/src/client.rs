//! An async client over any stream of tokio: [`Workstation`] with its I/O.
//!
//! Each type is a place in the session, and its methods are what may be said there; saying it gives the next
//! place. So a message cannot be acknowledged before it has come whole, nor the session ended between a message
//! and its acknowledgment. Dropping any of them closes the connection, upon which a server deletes nothing.
//!
//! ```
//! # async fn example(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! use pop2::{Secret, User, client::{self, Reading}};
//!
//! let greeted = client::connect(stream, client::Options::default()).await?;
//! let mut mailbox = greeted.login(User::new("fred")?, Secret::from("bone")).await?;
//! for number in 1..=mailbox.count() {
//!     mailbox = match mailbox.read(number).await? {
//!         Reading::Message(message) => {
//!             let mut transfer = message.retrieve().await?;
//!             let mut octets = Vec::new();
//!             while let Some(chunk) = transfer.chunk().await? {
//!                 octets.extend_from_slice(chunk);
//!             }
//!             // ... the message is put where it is safe ...
//!             transfer.finish()?.delete().await?
//!         }
//!         Reading::Nothing(mailbox) => mailbox,
//!     };
//! }
//! mailbox.quit().await?;
//! # Ok(())
//! # }
//! # // The example, against the server's machine answering for a mailbox of one message.
//! # use pop2::server::{Server, Settings, Step};
//! # use std::time::Instant;
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # let house = async {
//! #     let (mut stream, _) = listener.accept().await?;
//! #     let mut server = Server::new(&Settings::new("dog-house.example"), Instant::now());
//! #     loop {
//! #         match server.step() {
//! #             Step::Receive => {
//! #                 stream.write_all(&std::mem::take(server.output_mut())).await?;
//! #                 let count = stream.read(server.room()).await?;
//! #                 server.filled(count, Instant::now());
//! #             }
//! #             Step::LogIn(_) => server.logged_in(1),
//! #             Step::Measure(_) => server.measured(7),
//! #             Step::Transmit(_) => {
//! #                 server.output_mut().extend(b"Woof.\r\n");
//! #                 server.transmitted();
//! #             }
//! #             Step::Select { .. } => server.selected(0),
//! #             Step::Release(marks) => {
//! #                 assert_eq!(marks.len(), 1);
//! #                 server.released(0);
//! #             }
//! #             Step::Close => {
//! #                 stream.write_all(server.output()).await?;
//! #                 return Ok::<_, std::io::Error>(());
//! #             }
//! #         }
//! #     }
//! # };
//! # let fido = async { example(tokio::net::TcpStream::connect(address).await?).await };
//! # let (served, fetched) = tokio::join!(house, fido);
//! # served?;
//! # fetched
//! # }
//! ```

use std::{fmt, io, time::Instant};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout_at,
};

use crate::{
    Command, EncodeError, Greeting, Login, MailboxName, MessageNumber, Secret, Text, User, Verdict,
    workstation::{Event, Fault, OutOfPlace, Settings, Workstation},
};

mod connection;

use connection::{Wire, surprise};

/// The largest piece, in octets, in which a message is read.
const CHUNK: usize = 64 * 1024;

/// Why a session could not go on. The connection is closed; nothing was deleted, unless it was QUIT that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server did what RFC 937 does not have, refused the login, or fell silent.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// An argument cannot be put on the wire.
    #[error(transparent)]
    Argument(#[from] EncodeError),
    /// [`Transfer::finish`] before the whole message was taken.
    #[error("{0} octets of the message have not been taken")]
    Unfinished(u64),
    /// A command out of its place. The types of this module keep it from happening.
    #[error("a command was said out of its place: {0}")]
    OutOfPlace(OutOfPlace),
}

impl From<OutOfPlace> for Error {
    fn from(error: OutOfPlace) -> Self {
        match error {
            OutOfPlace::Argument(error) => Self::Argument(error),
            OutOfPlace::State { .. } => Self::OutOfPlace(error),
        }
    }
}

/// What passes over the wire, for whoever wants to watch a session.
#[derive(Debug, Clone, Copy)]
pub enum Trace<'a> {
    /// A command was sent. It shows itself without its password.
    Said(&'a Command),
    /// A reply came.
    Heard(Text<'a>),
    /// A message of so many octets came.
    Message(u64),
}

/// Is told what passes over the wire, as it does.
pub type Watcher = Box<dyn FnMut(Trace<'_>) + Send>;

/// How a session is to be held.
#[derive(Default)]
pub struct Options {
    /// Quoting and T1.
    pub settings: Settings,
    /// Is told what passes over the wire.
    pub trace: Option<Watcher>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Waits for the greeting of the server at the other end of `stream`.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: Options,
) -> Result<Greeted<S>, Error> {
    let machine = Workstation::new(options.settings, Instant::now());
    let mut wire = Box::new(Wire { stream, machine, trace: options.trace });
    match wire.hear().await? {
        Event::Greeted(greeting) => Ok(Greeted { wire, greeting }),
        event => Err(surprise(&event)),
    }
}

/// The server has greeted; nobody has logged in.
#[derive(Debug)]
pub struct Greeted<S> {
    wire: Box<Wire<S>>,
    greeting: Greeting,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeted<S> {
    /// What the server said of itself.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Says HELO: the default mailbox is selected.
    pub async fn login(self, user: User, password: Secret) -> Result<Mailbox<S>, Error> {
        Mailbox::open(self.wire, &Command::Helo(Login::new(user, password))).await
    }

    /// Says QUIT without logging in.
    pub async fn quit(self) -> Result<(), Error> {
        quit(self.wire).await
    }
}

/// A mailbox is selected, and no message is.
#[derive(Debug)]
pub struct Mailbox<S> {
    wire: Box<Wire<S>>,
    count: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Mailbox<S> {
    async fn open(mut wire: Box<Wire<S>>, command: &Command) -> Result<Self, Error> {
        match wire.say(command).await? {
            Event::Counted(count) => Ok(Self { wire, count }),
            event => Err(surprise(&event)),
        }
    }

    /// How many messages it had when it was selected.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Says FOLD: what is marked in this mailbox is deleted, and another one is selected.
    pub async fn select(self, mailbox: MailboxName) -> Result<Self, Error> {
        Self::open(self.wire, &Command::Fold(mailbox)).await
    }

    /// Says READ with a number: asks for the length of that message.
    pub async fn read(mut self, number: u32) -> Result<Reading<S>, Error> {
        let read = Command::Read(Some(MessageNumber::new(number)));
        match self.wire.say(&read).await? {
            Event::Measured(0) => Ok(Reading::Nothing(self)),
            Event::Measured(length) => Ok(Reading::Message(Item { mailbox: self, length })),
            event => Err(surprise(&event)),
        }
    }

    /// Says QUIT: what is marked is deleted. Where this fails it is not known whether it was.
    pub async fn quit(self) -> Result<(), Error> {
        quit(self.wire).await
    }
}

/// The answer to READ.
#[derive(Debug)]
pub enum Reading<S> {
    /// There is such a message.
    Message(Item<S>),
    /// There is none, or it is deleted.
    Nothing(Mailbox<S>),
}

/// A message whose length is known.
#[derive(Debug)]
pub struct Item<S> {
    mailbox: Mailbox<S>,
    length: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Item<S> {
    /// The message's length on the wire, in octets. It is the server's word: reserve no memory by it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Says RETR: the message's octets follow.
    pub async fn retrieve(mut self) -> Result<Transfer<S>, Error> {
        self.mailbox.wire.send(&Command::Retr).await?;
        Ok(Transfer { mailbox: self.mailbox, length: self.length, chunk: Vec::new() })
    }

    /// Leaves the message where it is, unread.
    #[must_use]
    pub fn leave(self) -> Mailbox<S> {
        self.mailbox
    }
}

/// A message on its way.
#[derive(Debug)]
pub struct Transfer<S> {
    mailbox: Mailbox<S>,
    length: u64,
    chunk: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transfer<S> {
    /// The message's length on the wire, in octets.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next octets of the message, at most 64 KiB of them; `None` once all have come.
    pub async fn chunk(&mut self) -> Result<Option<&[u8]>, Error> {
        let wire = &mut self.mailbox.wire;
        self.chunk.clear();
        self.chunk.extend_from_slice(wire.machine.take());
        if self.chunk.is_empty() {
            let wanted = usize::try_from(wire.machine.missing()).unwrap_or(CHUNK).min(CHUNK);
            if wanted == 0 {
                return Ok(None);
            }
            self.chunk.reserve(wanted);
            let mut stream = (&mut wire.stream).take(wanted as u64);
            let read = stream.read_buf(&mut self.chunk);
            let read = timeout_at(wire.machine.deadline().into(), read).await;
            let count = match read {
                Ok(Ok(count)) => count,
                Ok(Err(error)) => return Err(error.into()),
                Err(_elapsed) => return Err(wire.fail(Workstation::timed_out).await),
            };
            if count == 0 {
                return Err(wire.fail(Workstation::closed).await);
            }
            wire.machine.took(count as u64, Instant::now());
        }
        Ok(Some(&self.chunk))
    }

    /// Takes all that is still to come and writes it to `target`, which the caller syncs before acknowledging.
    pub async fn copy_to<W: AsyncWrite + Unpin>(mut self, target: &mut W) -> Result<Received<S>, Error> {
        while let Some(chunk) = self.chunk().await? {
            target.write_all(chunk).await?;
        }
        self.finish()
    }

    /// The whole message has been taken; it can be acknowledged.
    ///
    /// # Errors
    /// [`Error::Unfinished`] where there is more to come.
    pub fn finish(mut self) -> Result<Received<S>, Error> {
        match self.mailbox.wire.machine.event() {
            Event::Received => {
                self.mailbox.wire.trace(Trace::Message(self.length));
                Ok(Received { mailbox: self.mailbox })
            }
            _ => Err(Error::Unfinished(self.mailbox.wire.machine.missing())),
        }
    }
}

/// A message has come whole. Acknowledge it only once it is safe.
#[derive(Debug)]
#[must_use = "a message is acknowledged with keep, delete or again"]
pub struct Received<S> {
    mailbox: Mailbox<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Received<S> {
    /// Says ACKS: the message is safe here and stays there.
    pub async fn keep(self) -> Result<Mailbox<S>, Error> {
        self.acknowledge(Verdict::Save).await.map(Reading::leave)
    }

    /// Says ACKD: the message is safe here and is deleted there, at the end of the session.
    pub async fn delete(self) -> Result<Mailbox<S>, Error> {
        self.acknowledge(Verdict::Delete).await.map(Reading::leave)
    }

    /// Says NACK: the message was not received well. It can be retrieved again.
    pub async fn again(self) -> Result<Reading<S>, Error> {
        self.acknowledge(Verdict::Again).await
    }

    async fn acknowledge(mut self, verdict: Verdict) -> Result<Reading<S>, Error> {
        match self.mailbox.wire.say(&Command::Ack(verdict)).await? {
            Event::Measured(0) => Ok(Reading::Nothing(self.mailbox)),
            Event::Measured(length) => Ok(Reading::Message(Item { mailbox: self.mailbox, length })),
            event => Err(surprise(&event)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reading<S> {
    fn leave(self) -> Mailbox<S> {
        match self {
            Self::Message(item) => item.leave(),
            Self::Nothing(mailbox) => mailbox,
        }
    }
}

async fn quit<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Box<Wire<S>>) -> Result<(), Error> {
    match wire.say(&Command::Quit).await? {
        Event::Bye => Ok(()),
        event => Err(surprise(&event)),
    }
}
