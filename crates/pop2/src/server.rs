//! The server's decision table (RFC 937, pages 22 and 23) as a machine without I/O.
//!
//! The owner accepts a connection, makes a [`Server`], and from then on does what [`Server::step`] says:
//! receive octets into [`Server::room`], check a login, select a mailbox, measure, transmit or release, and
//! answers with the method that the step names. Replies collect in [`Server::output`]. The owner's clock comes
//! in as an argument; [`Server::deadline`] says when the client has been silent for too long, which the owner
//! then tells by [`Server::timed_out`]. A connection that breaks needs no word: whoever drops the machine
//! without a [`Step::Release`] has deleted nothing (`DECISIONS` 14).
//!
//! ```
//! use std::time::Instant;
//! use pop2::server::{Server, Settings, Step};
//!
//! let mut server = Server::new(&Settings::new("dog-house.example"), Instant::now());
//! let hear = |server: &mut Server, octets: &[u8]| {
//!     server.room()[..octets.len()].copy_from_slice(octets);
//!     server.filled(octets.len(), Instant::now());
//! };
//! hear(&mut server, b"HELO fred bone\r\nREAD\r\n");
//! assert!(matches!(server.step(), Step::LogIn(login) if login.user.as_str() == "fred"));
//! server.logged_in(2);
//! assert!(matches!(server.step(), Step::Measure(number) if number.get() == 1));
//! server.measured(537);
//! assert!(matches!(server.step(), Step::Receive));
//! assert!(server.output().starts_with(b"+ POP2 dog-house.example "));
//! assert!(server.output().ends_with(b"#2 messages for you\r\n=537 characters in message 1\r\n"));
//! ```

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use crate::{Command, CommandError, LineBuffer, Login, MailboxName, MessageNumber, Reply, Verdict};

/// What does not change from one session to the next.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The greeting's text after the mark: protocol, host, and a word to people.
    greeting: String,
    /// How long a client may take to log in, from the opening of the connection.
    pub login_timeout: Duration,
    /// T2: how long a client that has logged in may be silent (`DECISIONS` 26).
    pub idle_timeout: Duration,
}

impl Settings {
    /// The usual settings of a mailbox server of this name: a minute to log in, ten minutes for T2.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            greeting: format!("POP2 {host} Doghouse ready"),
            login_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(10),
        }
    }
}

/// The states of RFC 937, but for LSTN, which is the listener's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has logged in.
    Auth,
    /// A mailbox is selected.
    Mbox,
    /// A message has been measured, or was found not to exist.
    Item,
    /// A message has been transmitted and its acknowledgment is awaited.
    Next,
    /// The connection is to be closed.
    Done,
}

/// The numbers of the messages that a session has marked for deletion.
pub type Marks = BTreeSet<NonZeroU32>;

/// What the owner of the machine has to do next.
#[derive(Debug)]
pub enum Step {
    /// Write out what is in [`Server::output`], then read into [`Server::room`].
    Receive,
    /// Check this login; answer with [`Server::logged_in`], [`Server::refused`] or [`Server::failed`].
    LogIn(Login),
    /// Release the selected mailbox, deleting what is marked, then select this one; answer with
    /// [`Server::selected`] or [`Server::failed`].
    Select {
        /// The mailbox to select.
        mailbox: MailboxName,
        /// What to delete in the one to be released.
        marks: Marks,
    },
    /// Find the length on the wire of this message and hold it; answer with [`Server::measured`].
    Measure(NonZeroU32),
    /// Write out [`Server::output`], then exactly the octets of this message that were measured; answer with
    /// [`Server::transmitted`]. Where they cannot be had, close the connection (`DECISIONS` 17).
    Transmit(NonZeroU32),
    /// Release the selected mailbox, if there is one, deleting what is marked; answer with
    /// [`Server::released`].
    Release(Marks),
    /// Write out [`Server::output`] and close the connection.
    Close,
}

/// One session, as the server sees it.
#[derive(Debug)]
pub struct Server {
    state: State,
    lines: LineBuffer,
    output: Vec<u8>,
    /// Messages in the selected mailbox.
    count: u32,
    /// RFC 937's current message indicator.
    current: MessageNumber,
    /// What the last `=CCC` promised for the current message, in octets.
    promised: u64,
    marks: Marks,
    idle_timeout: Duration,
    deadline: Instant,
    /// When octets last came in.
    heard: Instant,
    /// Why the session was broken off.
    fault: Option<String>,
}

impl Server {
    /// A connection has been opened: the greeting is in [`output`](Self::output) (action 2).
    #[must_use]
    pub fn new(settings: &Settings, now: Instant) -> Self {
        let mut server = Self {
            state: State::Auth,
            lines: LineBuffer::for_commands(),
            output: Vec::new(),
            count: 0,
            current: MessageNumber::FIRST,
            promised: 0,
            marks: Marks::new(),
            idle_timeout: settings.idle_timeout,
            deadline: now + settings.login_timeout,
            heard: now,
            fault: None,
        };
        server.reply(Reply::Ok(settings.greeting.as_str().into()));
        server
    }

    /// The state in which the session is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Where the client's octets go. Read here only when [`step`](Self::step) says [`Step::Receive`]; then it
    /// is never empty.
    pub fn room(&mut self) -> &mut [u8] {
        self.lines.room()
    }

    /// `count` octets were read into [`room`](Self::room).
    pub fn filled(&mut self, count: usize, now: Instant) {
        self.lines.filled(count);
        self.heard = now;
    }

    /// What is to be written to the client, replies in order.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// For an owner that writes a message in the same call as the reply before it: the output, to be appended
    /// to, and to be emptied once it is written.
    pub fn output_mut(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Why the session was broken off with `- `, if it was.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether the session is over as RFC 937 has it, by QUIT or by RETR of nothing, and the client has said nothing
    /// behind that so far.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Done && self.fault.is_none() && self.lines.is_empty()
    }

    /// When the client's time is up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The client took octets: its time begins anew (`DECISIONS` 26). Before the login it does not.
    pub fn progressed(&mut self, now: Instant) {
        if self.state != State::Auth {
            self.deadline = now + self.idle_timeout;
        }
    }

    /// Works through what the client has said until there is something to do for the owner.
    pub fn step(&mut self) -> Step {
        while self.state != State::Done {
            let command = match self.lines.next_line() {
                Ok(None) => return Step::Receive,
                Ok(Some(line)) => Command::parse(line),
                Err(too_long) => Err(too_long.into()),
            };
            if self.state == State::Auth {
                self.lines.wipe_taken();
            }
            self.progressed(self.heard);
            let step = match command {
                Ok(command) => self.decide(command),
                Err(error) => self.garbage(&Garbage::Command(error)),
            };
            if let Some(step) = step {
                return step;
            }
        }
        Step::Close
    }

    /// RFC 937's server decision table. Its columns are the states, its rows the commands; the numbers are
    /// those of its actions. `None` means that the answer is in the output already.
    fn decide(&mut self, command: Command) -> Option<Step> {
        use Command::{Ack, Fold, Helo, Quit, Read, Retr};
        use State::{Auth, Item, Mbox, Next};
        match (self.state, command) {
            (Auth, Helo(login)) => Some(Step::LogIn(login)), // 3
            (Auth | Mbox | Item, Quit) => Some(Step::Release(self.take_marks())), // 4
            (Mbox | Item, Fold(mailbox)) => Some(Step::Select { mailbox, marks: self.take_marks() }), // 5
            (Mbox | Item, Read(number)) => self.read(number), // 6
            (Item, Retr) => self.transmit(),                 // 7
            (Next, Ack(verdict)) => self.acknowledge(verdict), // 8
            (state, command) => self.garbage(&Garbage::OutOfPlace(state, command.keyword())), // 1
        }
    }

    /// Answer to [`Step::LogIn`]: the user is who they say, and the default mailbox has `count` messages.
    pub fn logged_in(&mut self, count: u32) {
        self.open(count, "messages for you");
    }

    /// Answer to [`Step::LogIn`]: not authorised. The reason must be the same for a wrong password, an unknown
    /// user and a locked account (`DECISIONS` 25).
    pub fn refused(&mut self, reason: &str) {
        self.failed(reason);
    }

    /// Answer to [`Step::Select`]: the mailbox has `count` messages, none where it does not exist or may not
    /// be read (`DECISIONS` 22).
    pub fn selected(&mut self, count: u32) {
        self.open(count, "messages in that mailbox");
    }

    /// Answer to [`Step::Measure`]: the length on the wire, in octets; 0 where the message is gone.
    pub fn measured(&mut self, length: u64) {
        self.promised = length;
        self.state = State::Item;
        if length == 0 {
            self.reply(Reply::Length(0, "characters: no message to read".into()));
        } else {
            let text = format!("characters in message {}", self.current);
            self.reply(Reply::Length(length, text.as_str().into()));
        }
    }

    /// Answer to [`Step::Transmit`]: the client has been sent the whole message.
    pub fn transmitted(&mut self) {
        self.state = State::Next;
    }

    /// Answer to [`Step::Release`]: `kept` messages that were marked could not be deleted (`DECISIONS` 15).
    pub fn released(&mut self, kept: usize) {
        self.state = State::Done;
        if kept == 0 {
            self.reply(Reply::Ok("OK, bye".into()));
        } else {
            let text =
                format!("OK, but {kept} marked messages could not be deleted and are still there; bye");
            self.reply(Reply::Ok(text.as_str().into()));
        }
    }

    /// Answer to any step that could not be done, or word from the owner that the session must end: `- ` with
    /// the reason, and close. Nothing is deleted.
    pub fn failed(&mut self, reason: &str) {
        self.state = State::Done;
        self.reply(Reply::Error(reason.into()));
        self.fault = Some(reason.to_owned());
    }

    /// Word from the owner that the session must end now, for no fault of the client's. Nothing is deleted. Where a
    /// message has been measured its RETR may be on the way, and a reason would be taken for the message: then
    /// the connection closes without a word (as in `DECISIONS` 29).
    pub fn interrupted(&mut self, reason: &str) {
        if self.state == State::Item && self.promised > 0 {
            self.state = State::Done;
            self.fault = Some(reason.to_owned());
        } else {
            self.failed(reason);
        }
    }

    /// The deadline has passed (row "Timeout": action 1).
    pub fn timed_out(&mut self) {
        self.failed("you were silent for too long; nothing was deleted");
    }

    fn open(&mut self, count: u32, text: &str) {
        self.state = State::Mbox;
        self.count = count;
        self.current = MessageNumber::FIRST;
        self.promised = 0;
        self.reply(Reply::Count(count, text.into()));
    }

    fn read(&mut self, number: Option<MessageNumber>) -> Option<Step> {
        self.current = number.unwrap_or(self.current);
        self.measure()
    }

    /// Asks for the length of the current message, unless it is known that there is none.
    fn measure(&mut self) -> Option<Step> {
        let present = self.current.within(self.count).filter(|number| !self.marks.contains(number));
        if present.is_none() {
            self.measured(0);
        }
        present.map(Step::Measure)
    }

    /// A message of no octets does not exist: the connection closes without a word, which the client would
    /// take for the message (`DECISIONS` 29).
    fn transmit(&mut self) -> Option<Step> {
        match self.current.within(self.count) {
            Some(number) if self.promised > 0 => Some(Step::Transmit(number)),
            _ => {
                self.state = State::Done;
                None
            }
        }
    }

    fn acknowledge(&mut self, verdict: Verdict) -> Option<Step> {
        if verdict == Verdict::Again {
            self.measured(self.promised);
            return None;
        }
        if verdict == Verdict::Delete {
            self.marks.extend(self.current.within(self.count));
        }
        self.current = self.current.next();
        self.measure()
    }

    fn take_marks(&mut self) -> Marks {
        std::mem::take(&mut self.marks)
    }

    fn garbage(&mut self, garbage: &Garbage) -> Option<Step> {
        self.failed(&garbage.to_string());
        None
    }

    fn reply(&mut self, reply: Reply<'_>) {
        reply.encode(&mut self.output);
    }
}

/// What RFC 937 calls garbage: the text tells whoever drives the session by hand.
#[derive(Debug, thiserror::Error)]
enum Garbage {
    #[error("{0}")]
    Command(CommandError),
    #[error("{1} cannot come here: {hint}", hint = hint(*.0))]
    OutOfPlace(State, &'static str),
}

fn hint(state: State) -> &'static str {
    match state {
        State::Auth => "begin with HELO user password, or QUIT",
        State::Mbox => "FOLD, READ or QUIT can",
        State::Item => "FOLD, READ, RETR or QUIT can",
        State::Next => "RETR is followed by ACKS, ACKD or NACK",
        State::Done => "the session is over",
    }
}

#[cfg(test)]
mod tests;
