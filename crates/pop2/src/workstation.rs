//! The client's decision table (RFC 937, pages 20 and 21) as a machine without I/O.
//!
//! The owner opens a connection, makes a [`Workstation`], and takes turns with the server: it writes out what
//! is in [`Workstation::output`], reads into [`Workstation::room`] while [`Workstation::event`] says
//! [`Event::Receive`], and after any other event [says](Workstation::say) the next command. A command out of its place is refused
//! with [`OutOfPlace`] and nothing is sent. T1 comes in as [`Workstation::deadline`]; the clock is the owner's.
//!
//! Whatever the server sends is untrusted: lines are bounded, counts and lengths are numbers, and the text of
//! a fault is shown with everything escaped that is not printable ASCII.

use std::time::{Duration, Instant};

use zeroize::Zeroize;

use crate::{Command, EncodeError, Greeting, LineBuffer, Quoting, Reply, ReplyError, Text};

/// The states of RFC 937: which answer is awaited, or what is to be decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The greeting.
    Call,
    /// The number of messages.
    Nmbr,
    /// The length of a message.
    Size,
    /// The octets of a message.
    Xfer,
    /// The end.
    Exit,
}

/// What a client may choose.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// T1: how long the server may be silent when something is awaited from it.
    pub timeout: Duration,
    /// How arguments are written.
    pub quoting: Quoting,
}

impl Default for Settings {
    /// A minute for T1, since a server may have to count a large mailbox; arguments quoted as the RFC says.
    fn default() -> Self {
        Self { timeout: Duration::from_mins(1), quoting: Quoting::Rfc }
    }
}

/// What has come of the last command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet: write out the output, then read into [`Workstation::room`].
    Receive,
    /// The connection is open. HELO or QUIT comes next.
    Greeted(Greeting),
    /// A mailbox is selected that has so many messages.
    Counted(u32),
    /// The message is so long on the wire, in octets; 0 where there is none.
    Measured(u64),
    /// Octets of the message are to be had from [`Workstation::take`], or from the stream directly.
    Octets,
    /// The whole message has been taken. Its acknowledgment comes next, once the message is safe.
    Received,
    /// The session is over, and the server has said so: what was marked is deleted.
    Bye,
    /// The session has failed; write out the output, which says QUIT where that can help, and close.
    Failed(Fault),
}

/// Why a session failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The server said `-` to HELO.
    #[error("the server refuses the login: {0}")]
    LoginRefused(String),
    /// The server said `-` where the RFC lets it only close.
    #[error("the server gives up: {0}")]
    Refused(String),
    /// A reply that cannot come here.
    #[error("the server answers {got:?} where {expected} is awaited")]
    Unexpected {
        /// The line, shown harmlessly.
        got: String,
        /// What RFC 937 has there.
        expected: &'static str,
    },
    /// A line that is no reply.
    #[error("the server sends what is no reply: {0}")]
    BadReply(#[from] ReplyError),
    /// The connection closed while something was awaited.
    #[error("the server closed the connection where {0} is awaited")]
    Closed(&'static str),
    /// Nothing came within T1.
    #[error("the server is silent where {0} is awaited")]
    TimedOut(&'static str),
    /// The connection closed in place of the answer to QUIT: it is not known what was deleted.
    #[error("the server closed the connection without an answer to QUIT; what was marked may still be there")]
    NoBye,
}

/// A command was said out of its place, or cannot be sent at all. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfPlace {
    /// The command does not follow what was said before.
    #[error("{command} cannot be said in state {state:?}, or not before the server's answer")]
    State {
        /// The command's keyword.
        command: &'static str,
        /// The state of the session.
        state: State,
    },
    /// The arguments cannot be sent.
    #[error(transparent)]
    Argument(#[from] EncodeError),
}

/// One session, as the client sees it.
#[derive(Debug)]
pub struct Workstation {
    state: State,
    /// Whether the server's answer is here, so that the next word is ours.
    our_turn: bool,
    /// The keyword of the last command: some old servers answer out of the table.
    said: &'static str,
    /// The length that the server promised for the current message, in octets.
    promised: u64,
    /// Octets of the message that have not come yet.
    missing: u64,
    lines: LineBuffer,
    /// The last reply as it came.
    heard: Vec<u8>,
    output: Vec<u8>,
    settings: Settings,
    deadline: Instant,
}

/// The rows of RFC 937's client decision table.
enum Input {
    Ok(Greeting, String),
    Error(String),
    Count(u32),
    Length(u64),
    Data,
    Close,
    Timeout,
    Other(ReplyError),
}

impl Workstation {
    /// A connection has been opened; the greeting is awaited.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            state: State::Call,
            our_turn: false,
            said: "",
            promised: 0,
            missing: 0,
            lines: LineBuffer::new(),
            heard: Vec::new(),
            output: Vec::new(),
            settings,
            deadline: now + settings.timeout,
        }
    }

    /// The state in which the session is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Where the server's octets go.
    pub fn room(&mut self) -> &mut [u8] {
        self.lines.room()
    }

    /// `count` octets were read into [`room`](Self::room).
    pub fn filled(&mut self, count: usize, now: Instant) {
        self.lines.filled(count);
        self.deadline = now + self.settings.timeout;
    }

    /// What is to be written to the server.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The output has been written. It is wiped, since it may hold a password.
    pub fn written(&mut self) {
        self.output.zeroize();
    }

    /// The last line that came from the server.
    #[must_use]
    pub fn heard(&self) -> Text<'_> {
        Text::from(self.heard.as_slice())
    }

    /// When the server's time is up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What has come of the last command.
    pub fn event(&mut self) -> Event {
        if self.our_turn {
            return Event::Receive;
        }
        if self.state == State::Xfer {
            return match self.missing {
                0 => self.decide(Input::Data),
                _ => Event::Octets,
            };
        }
        let input = match self.lines.next_line() {
            Ok(None) => return Event::Receive,
            Ok(Some(line)) => {
                self.heard.clear();
                self.heard.extend_from_slice(line);
                Reply::parse(line).map_or_else(Input::Other, Input::from)
            }
            Err(too_long) => Input::Other(too_long.into()),
        };
        self.decide(input)
    }

    /// In XFER: octets of the message that were read along with a reply, possibly none.
    pub fn take(&mut self) -> &[u8] {
        let octets = self.lines.take(self.missing);
        self.missing -= octets.len() as u64;
        octets
    }

    /// In XFER: how many octets of the message are still to come. The owner may read up to as many from the
    /// stream directly, once [`take`](Self::take) gives none.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// In XFER: `count` octets of the message were read from the stream directly.
    pub fn took(&mut self, count: u64, now: Instant) {
        self.missing = self.missing.saturating_sub(count);
        self.deadline = now + self.settings.timeout;
    }

    /// The server closed the connection.
    pub fn closed(&mut self) -> Event {
        self.decide(Input::Close)
    }

    /// The deadline has passed.
    pub fn timed_out(&mut self) -> Event {
        self.decide(Input::Timeout)
    }

    /// RFC 937's client decision table. Its columns are the states, its rows the inputs; the numbers are those
    /// of its actions, whose choice is the owner's next word.
    fn decide(&mut self, input: Input) -> Event {
        use Input::{Close, Count, Data, Error, Length, Ok, Timeout};
        use State::{Call, Exit, Nmbr, Size, Xfer};
        let event = match (self.state, input) {
            (Call, Ok(greeting, _)) => Event::Greeted(greeting), // 2
            (Nmbr, Count(messages)) => Event::Counted(messages), // 3
            (Size, Length(octets)) => {
                self.promised = octets;
                Event::Measured(octets) // 4
            }
            (Xfer, Data) => Event::Received,                         // 5
            (Exit, Ok(..)) => Event::Bye,                            // 6
            (Exit, Close | Timeout) => Event::Failed(Fault::NoBye),  // 6
            (Exit, other) => Event::Failed(unexpected(Exit, other)), // 6
            // JNOS says "+ No mail, sorry" to HELO where the mailbox is empty.
            (Nmbr, Ok(..)) if self.said == "HELO" => Event::Counted(0),
            // KA9Q NOS and JNOS say "- Invalid message number" to READ past the end.
            (Size, Error(_)) if self.said == "READ" => {
                self.promised = 0;
                Event::Measured(0)
            }
            (Nmbr, Error(text)) if self.said == "HELO" => self.garbage(Fault::LoginRefused(text)), // 1
            (state, other) => self.garbage(unexpected(state, other)),                              // 1
        };
        self.our_turn = true;
        event
    }

    /// Action 1: "This is garbage. Send QUIT, and go to EXIT state."
    fn garbage(&mut self, fault: Fault) -> Event {
        if !matches!(fault, Fault::Closed(_)) {
            // QUIT has no argument that could fail.
            let _ = Command::Quit.encode(self.settings.quoting, &mut self.output);
        }
        self.state = State::Exit;
        Event::Failed(fault)
    }

    /// Says a command: the arrows of RFC 937's client state diagram. HELO, FOLD and READ set what is awaited,
    /// QUIT what is left. RETR is refused for a message of no octets, and QUIT between a message and its
    /// acknowledgment, where servers take it for an error and forget what was marked.
    pub fn say(&mut self, command: &Command, now: Instant) -> Result<(), OutOfPlace> {
        use Command::{Ack, Fold, Helo, Quit, Read, Retr};
        use State::{Call, Exit, Nmbr, Size, Xfer};
        let next = match (self.state, command) {
            (Call, Helo(_)) => Nmbr,
            (Nmbr | Size, Fold(_)) => Nmbr,
            (Nmbr | Size, Read(_)) => Size,
            (Size, Retr) if self.promised > 0 => Xfer,
            (Xfer, Ack(_)) => Size,
            (Call | Nmbr | Size, Quit) => Exit,
            _ => return Err(self.out_of_place(command)),
        };
        if !self.our_turn {
            return Err(self.out_of_place(command));
        }
        command.encode(self.settings.quoting, &mut self.output)?;
        self.missing = if next == Xfer { self.promised } else { 0 };
        self.state = next;
        self.said = command.keyword();
        self.our_turn = false;
        self.deadline = now + self.settings.timeout;
        Ok(())
    }

    fn out_of_place(&self, command: &Command) -> OutOfPlace {
        OutOfPlace::State { command: command.keyword(), state: self.state }
    }
}

impl From<Reply<'_>> for Input {
    fn from(reply: Reply<'_>) -> Self {
        match reply {
            Reply::Ok(text) => Self::Ok(Greeting::of(text), text.to_string()),
            Reply::Error(text) => Self::Error(text.to_string()),
            Reply::Count(count, _) => Self::Count(count),
            Reply::Length(length, _) => Self::Length(length),
        }
    }
}

fn unexpected(state: State, input: Input) -> Fault {
    let expected = match state {
        State::Call => "the greeting",
        State::Nmbr => "a count of messages (#)",
        State::Size => "the length of a message (=)",
        State::Xfer => "the rest of the message",
        State::Exit => "the answer to QUIT (+)",
    };
    let got = match input {
        Input::Error(text) => return Fault::Refused(text),
        Input::Close => return Fault::Closed(expected),
        Input::Timeout => return Fault::TimedOut(expected),
        Input::Other(error) => return Fault::BadReply(error),
        Input::Ok(_, text) => format!("+ {text}"),
        Input::Count(count) => format!("#{count}"),
        Input::Length(length) => format!("={length}"),
        Input::Data => "a message".to_owned(),
    };
    Fault::Unexpected { got, expected }
}

#[cfg(test)]
mod tests;
