//! What every case has at hand: the server, connections to it, and what was learnt so far.

use std::cell::Cell;

use pop2::{Command, Login, MailboxName, Quoting, User};
use zeroize::Zeroizing;

use super::{
    finding::NotTried,
    log::Log,
    wire::{Heard, Wire},
};
use crate::{
    Exit, Failure, accounts,
    args::Probe,
    config::Config,
    connection::{Connection, Route},
    consent::Consent,
    host::Host,
    password,
    session::no_folder,
};

/// A connection to the server.
pub(super) type Session<'a> = Wire<'a, Connection>;

/// More connections than this are not opened, whatever happens.
pub(super) const MAX_CONNECTIONS: u32 = 64;
/// A server that was silent so often is not waited for again.
const MAX_SILENCES: u32 = 8;
/// Of so many messages the smallest is looked for.
const LOOKED_AT: u32 = 8;
/// A larger message is not fetched, in octets.
pub(super) const LARGEST: u64 = 64 * 1024;

/// A message of the default mailbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) number: u32,
    /// In octets; at most [`LARGEST`].
    pub(super) length: usize,
}

/// The server, and what is known of it.
pub(super) struct Bench {
    route: Route,
    quoting: Quoting,
    helo: Option<Helo>,
    pub(super) folder: Option<MailboxName>,
    pub(super) log: Log,
    opened: Cell<u32>,
    /// The messages in the default mailbox.
    pub(super) count: Cell<u32>,
    smallest: Cell<Option<Message>>,
    /// The LFs without a CR before them in the message that was fetched.
    pub(super) bare_ends: Cell<Option<usize>>,
}

/// The line that logs in.
struct Helo {
    line: Zeroizing<Vec<u8>>,
    shown: String,
}

impl Bench {
    /// Gets the password, and may wait for a person.
    pub(super) fn new(config: &Config, args: &Probe) -> Result<Self, Failure> {
        let (profile, mut route) = accounts::account_or_server(config, &args.name, &args.way)?;
        let quoting = if args.way.raw { Quoting::Raw } else { Quoting::Rfc };
        let quoting = profile.as_ref().filter(|_| !args.way.raw).map_or(quoting, |profile| profile.quoting);
        let user = args.login.user.as_ref().or(profile.as_ref().map(|profile| &profile.user));
        let mut hidden = Vec::new();
        let helo = match user {
            None if args.folder.is_some() => {
                return Err(Failure::new(Exit::Usage, "--folder wants a login; give --user"));
            }
            None => {
                // No password is sent.
                route.consent = Consent::Given;
                None
            }
            Some(user) => {
                let source = args.login.password.given();
                let source = source.or(profile.as_ref().map(|profile| profile.password.clone()));
                let password = password::get(&source.unwrap_or_default(), user, &route.host)?;
                let mut line = Zeroizing::new(Vec::new());
                Command::Helo(Login::new(user.clone(), password.clone()))
                    .encode(quoting, &mut line)
                    .map_err(|error| Failure::new(Exit::Usage, format!("cannot send the login: {error}")))?;
                hidden.push(Zeroizing::new(password.expose().to_vec()));
                hidden.extend(as_sent(user, quoting, &line));
                Some(Helo { line, shown: format!("HELO {user} ********") })
            }
        };
        Ok(Self {
            route,
            quoting,
            helo,
            folder: args.folder.clone(),
            log: Log::new(args.way.verbose, hidden),
            opened: Cell::new(0),
            count: Cell::new(0),
            smallest: Cell::new(None),
            bare_ends: Cell::new(None),
        })
    }

    pub(super) fn host(&self) -> &Host {
        &self.route.host
    }

    pub(super) fn has_login(&self) -> bool {
        self.helo.is_some()
    }

    /// Makes sure that there is a server that greets, and lets the user in if one is given.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        let host = self.host();
        let stream = self.route.open().await?;
        let mut line = self.line(stream, "");
        let refuses = |heard: Heard, what: &str, minus: Exit, remedy: &str| {
            let exit = match heard {
                Heard::Line(ref line) if line.is(b'-') => minus,
                Heard::Closed | Heard::Silent => Exit::Temporary,
                _ => Exit::Protocol,
            };
            let remedy = match exit {
                Exit::Protocol => "is that a POP2 server?",
                Exit::Temporary => "try again later",
                _ => remedy,
            };
            Failure::new(exit, format!("{host}: {what}, the server {heard}; {remedy}"))
        };
        let greeting = line.hear().await;
        if !greeting.is(b'+') {
            return Err(refuses(greeting, "in place of a greeting", Exit::Temporary, ""));
        }
        if let Some(helo) = &self.helo {
            line.send_hidden(&helo.line, &helo.shown).await;
            let answer = line.hear().await;
            let Some(count) = counted(&answer) else {
                let remedy = "check --user and the password";
                return Err(refuses(answer, "to the login", Exit::NoPermission, remedy));
            };
            self.count.set(count);
            self.leave(line).await;
        }
        self.log.take();
        Ok(())
    }

    /// A connection that the server has not greeted yet.
    pub(super) async fn connect(&self, number: &'static str) -> Result<Session<'_>, NotTried> {
        if self.opened.get() >= MAX_CONNECTIONS {
            return Err(NotTried(format!("{MAX_CONNECTIONS} connections are enough")));
        }
        if self.log.silences() >= MAX_SILENCES {
            return Err(NotTried(format!("the server was silent {MAX_SILENCES} times before")));
        }
        self.opened.update(|opened| opened + 1);
        let stream = self.route.open().await.map_err(|error| {
            self.log.count_silence();
            NotTried(error.to_string())
        })?;
        Ok(self.line(stream, number))
    }

    fn line(&self, stream: Connection, number: &'static str) -> Session<'_> {
        Wire::new(stream, &self.log, self.route.timeout, number)
    }

    /// A connection with its greeting heard.
    pub(super) async fn greeted(&self) -> Result<Session<'_>, NotTried> {
        let mut line = self.connect("").await?;
        match line.hear().await {
            greeting if greeting.is(b'+') => Ok(line),
            other => Err(NotTried(format!("in place of a greeting, it {other}"))),
        }
    }

    /// Says HELO and gives the answer.
    pub(super) async fn helo(&self, line: &mut Session<'_>) -> Result<Heard, NotTried> {
        let helo = self.helo.as_ref().ok_or_else(|| NotTried("it needs --user".to_owned()))?;
        line.send_hidden(&helo.line, &helo.shown).await;
        Ok(line.hear().await)
    }

    /// A session in the default mailbox.
    pub(super) async fn logged_in(&self) -> Result<Session<'_>, NotTried> {
        let mut line = self.greeted().await?;
        let answer = self.helo(&mut line).await?;
        match counted(&answer) {
            Some(_) => Ok(line),
            None => Err(NotTried(format!("to the login, it {answer}"))),
        }
    }

    /// Selects a folder.
    pub(super) async fn fold(&self, line: &mut Session<'_>, name: &MailboxName) -> Result<Heard, NotTried> {
        let mut command = Vec::new();
        let fold = Command::Fold(name.clone());
        fold.encode(self.quoting, &mut command).map_err(|error| NotTried(error.to_string()))?;
        line.send(&command).await;
        Ok(line.hear().await)
    }

    /// Selects a folder that cannot exist.
    pub(super) async fn fold_nowhere(&self, line: &mut Session<'_>) -> Result<Heard, NotTried> {
        let nowhere = no_folder().map_err(|error| NotTried(error.to_string()))?;
        self.fold(line, &nowhere).await
    }

    /// Ends a session that is of no more interest, so that no lock of the server outlives it.
    pub(super) async fn leave(&self, mut line: Session<'_>) {
        line.say("QUIT").await;
        line.end().await;
    }

    /// The smallest of the first messages. Its session is not the case's.
    pub(super) async fn smallest(&self) -> Result<Message, NotTried> {
        if let Some(message) = self.smallest.get() {
            return Ok(message);
        }
        let mut line = self.logged_in().await?;
        let mut smallest: Option<(u64, u32)> = None;
        for number in 1..=self.count.get().min(LOOKED_AT) {
            let answer = line.ask(&format!("READ {number}")).await;
            match answer.length() {
                Some(0) => {}
                Some(length) => {
                    smallest = Some(smallest.map_or((length, number), |s| s.min((length, number))));
                }
                None => return Err(NotTried(format!("to READ {number}, it {answer}"))),
            }
        }
        self.leave(line).await;
        let Some((length, number)) = smallest else {
            return Err(NotTried(format!("none of the first {LOOKED_AT} messages has any octets")));
        };
        let message = Message { number, length: fetchable(length)? };
        self.smallest.set(Some(message));
        Ok(message)
    }
}

/// A length that is worth fetching for a probe.
pub(super) fn fetchable(length: u64) -> Result<usize, NotTried> {
    usize::try_from(length).ok().filter(|_| length <= LARGEST).ok_or_else(|| {
        NotTried(format!("the message has {length} octets; more than {LARGEST} are not fetched"))
    })
}

/// The messages that an answer to HELO counts. JNOS says `+ No mail, sorry` for none.
fn counted(answer: &Heard) -> Option<u32> {
    match answer {
        Heard::Line(line) if line.is(b'+') => Some(0),
        _ => answer.count(),
    }
}

/// The password as it stands in the line, where quoting has changed it.
fn as_sent(user: &User, quoting: Quoting, line: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut before = Vec::new();
    // A password of one letter, to see where the real one begins.
    Command::Helo(Login::new(user.clone(), "x".into())).encode(quoting, &mut before).ok()?;
    let start = before.len().checked_sub(b"x\r\n".len())?;
    line.get(start..).and_then(|rest| rest.strip_suffix(b"\r\n")).map(|sent| Zeroizing::new(sent.to_vec()))
}
