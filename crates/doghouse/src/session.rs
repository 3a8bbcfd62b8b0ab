//! The story of one session: a stream, a server's machine, a house and an account's mail.

mod patience;
mod sending;

use std::{io, num::NonZeroU32, time::Instant};

use pop2::{
    Login, MailboxName,
    server::{Marks, Server, Settings, State, Step},
};
use postbox::{FolderName, Mailbox, Message, Postbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::timeout,
};
use tracing::{debug, error, info, warn};

use patience::{Patience, Waited};

use crate::{
    house::{Admitted, House},
    peer::Peer,
    phase::Phase,
    stream::{LINGER, Stream, take_leave, untaken},
    watch::{
        Seen,
        metrics::{Fault, Hit, Work},
    },
};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All is said; the connection is to be closed in peace.
    Said,
    /// The connection is of no more use.
    Gone,
}

/// One session.
// No Debug: a store need not show itself.
pub struct Session<'a, H: House, S> {
    id: u64,
    client: Peer,
    house: &'a H,
    stream: S,
    /// Octets that the client had not taken when it last seemed silent.
    untaken: Option<u64>,
    server: Server,
    patience: Patience,
    seen: Seen,
    /// How much of the output has been told to whoever traces this session.
    traced: usize,
    account: Option<Admitted<H::Postbox>>,
    mailbox: Option<<H::Postbox as Postbox>::Mailbox>,
    /// The message that was measured last, held until another is or the mailbox is released.
    held: Option<(NonZeroU32, Message)>,
    sent: Sent,
}

#[derive(Debug, Default)]
struct Sent {
    messages: u64,
    octets: u64,
    deleted: usize,
    /// Marked, but not to be deleted.
    kept: usize,
}

impl<'a, H, S> Session<'a, H, S>
where
    H: House,
    S: Stream,
{
    /// A connection from `client` was opened at the time `opened`.
    pub fn new(
        id: u64,
        (client, opened): (Peer, Instant),
        house: &'a H,
        settings: &Settings,
        stream: S,
        (phase, seen): (watch::Receiver<Phase>, Seen),
    ) -> Self {
        let server = Server::new(settings, opened);
        let patience = Patience::new(phase, &seen, server.deadline().into());
        Self {
            id,
            client,
            house,
            stream,
            untaken: None,
            server,
            patience,
            seen,
            traced: 0,
            account: None,
            mailbox: None,
            held: None,
            sent: Sent::default(),
        }
    }

    /// Serves the client until either side ends the session.
    pub async fn run(mut self) {
        debug!(session = self.id, rip = %self.client, "connected");
        loop {
            let step = self.server.step();
            self.seen.is_in(name(self.server.state()));
            let went = match step {
                Step::Receive => self.receive().await,
                // Its state is large, and gone when it is done.
                Step::LogIn(login) => Box::pin(self.log_in(login)).await,
                Step::Select { mailbox, marks } => self.select(mailbox, &marks).await,
                Step::Measure(number) => self.measure(number).await,
                Step::Transmit(number) => self.transmit(number).await,
                Step::Release(marks) => self.quit(&marks).await,
                Step::Close => Err(End::Said),
            };
            if let Err(end) = went {
                if end == End::Said {
                    self.close().await;
                }
                break;
            }
        }
        self.seen.heard_all(self.account.is_none());
        let Sent { messages, octets, deleted, kept } = self.sent;
        let fault = self.server.fault();
        info!(session = self.id, rip = %self.client, user = ?self.user(), messages, octets, deleted, kept, fault, "session ended");
    }

    /// Writes what there is to say, then waits for octets from the client; not beyond its time, nor the
    /// house's.
    async fn receive(&mut self) -> Result<(), End> {
        self.flush().await?;
        loop {
            let deadline = self.server.deadline().into();
            let read = self.stream.read(self.server.room());
            let read = match self.patience.wait(deadline, read).await {
                Waited::For(read) => read,
                Waited::TooLong => {
                    if self.still_takes_octets().await {
                        continue;
                    }
                    let hit = if self.is_stranger() { Hit::Login } else { Hit::Idle };
                    self.seen.metrics().hit(hit);
                    info!(session = self.id, rip = %self.client, user = ?self.user(), "timed out");
                    self.server.timed_out();
                    return Ok(());
                }
                Waited::Stopped(reason) => {
                    self.server.interrupted(reason);
                    return Ok(());
                }
            };
            return match read {
                Ok(0) => Err(End::Gone),
                Ok(count) => {
                    let is_stranger = self.is_stranger();
                    let heard = self.server.room().get(..count).unwrap_or_default();
                    self.seen.heard(heard, is_stranger);
                    self.server.filled(count, Instant::now());
                    Ok(())
                }
                Err(error) => Err(self.broken(&error)),
            };
        }
    }

    /// Whether a client whose time is up is only slow: it has taken octets since this was last asked, and there
    /// are more on their way to it. Then its time begins anew.
    async fn still_takes_octets(&mut self) -> bool {
        let before = self.untaken.unwrap_or(u64::MAX);
        // Of strangers it is not even asked: they would have all the work done that they like.
        let ends = if self.is_stranger() { None } else { self.stream.ends() };
        self.untaken = match ends {
            Some(ends) => untaken(ends).await,
            None => None,
        };
        let slow = self.untaken.is_some_and(|now| now > 0 && now < before);
        if slow {
            self.server.progressed(Instant::now());
        }
        slow
    }

    async fn log_in(&mut self, login: Login) -> Result<(), End> {
        let (session, rip, user) = (self.id, self.client, login.user.as_str());
        let (begun, until) = (Instant::now(), self.server.deadline().into());
        // It knows itself how long it may take.
        let admit = self.house.admit(&login, self.client, until);
        let admitted = match self.patience.unless_stopped(admit).await {
            Ok(admitted) => admitted,
            Err(reason) => {
                self.server.interrupted(reason);
                return Ok(());
            }
        };
        self.seen.metrics().took(Work::Login, begun.elapsed());
        self.seen.metrics().login(admitted.as_ref().err().copied());
        match admitted {
            Ok(account) => {
                self.seen.logged_in(user, account.device.as_deref());
                info!(session, %rip, ?user, device = account.device, "logged in");
                let begun = Instant::now();
                let selected = account.postbox.select(&FolderName::inbox()).await;
                self.seen.metrics().took(Work::Select, begun.elapsed());
                self.account = Some(account);
                self.patience.logged_in(&self.seen);
                match selected {
                    Ok(mailbox) => {
                        self.server.logged_in(mailbox.count());
                        self.mailbox = Some(mailbox);
                    }
                    Err(fault) => {
                        self.seen.metrics().fault(Fault::Open);
                        error!(session, ?user, %fault, "cannot open the default mailbox");
                        self.server.failed("your mailbox cannot be opened now; try again later");
                    }
                }
            }
            Err(reason) => {
                let reason = reason.to_string();
                warn!(session, %rip, ?user, reason, "login refused");
                self.server.refused(&reason);
            }
        }
        Ok(())
    }

    /// Leaves the mailbox, with what is marked in it, for another. One that does not exist, may not be read or
    /// can be nobody's is empty (`DECISIONS` 22 and 23).
    async fn select(&mut self, name: MailboxName, marks: &Marks) -> Result<(), End> {
        self.release(marks).await;
        let name = name.as_str();
        let begun = Instant::now();
        let mapped = self.account.as_ref().and_then(|account| self.house.mapped(account, name));
        let selected = match (&mapped, FolderName::parse(name), &self.account) {
            (Some(postbox), ..) => Some(postbox.select(&FolderName::inbox()).await),
            (None, Ok(folder), Some(account)) => Some(account.postbox.select(&folder).await),
            _ => None,
        };
        self.seen.metrics().took(Work::Select, begun.elapsed());
        match selected {
            Some(Ok(mailbox)) => self.mailbox = Some(mailbox),
            Some(Err(fault)) => {
                self.seen.metrics().fault(Fault::Open);
                error!(session = self.id, user = ?self.user(), folder = ?name, %fault, "cannot open a folder");
            }
            None => {}
        }
        self.server.selected(self.mailbox.as_ref().map_or(0, Mailbox::count));
        Ok(())
    }

    /// Finds a message's length and holds the message, so that what is promised now can be kept.
    async fn measure(&mut self, number: NonZeroU32) -> Result<(), End> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != number) {
            self.held = None;
            let Some(mailbox) = &mut self.mailbox else {
                self.server.measured(0);
                return Ok(());
            };
            let begun = Instant::now();
            let found = mailbox.message(number).await;
            self.seen.metrics().took(Work::Read, begun.elapsed());
            match found {
                Ok(message) => self.held = message.map(|message| (number, message)),
                Err(fault) => {
                    self.seen.metrics().fault(Fault::Open);
                    error!(session = self.id, user = ?self.user(), number, %fault, "cannot read a message");
                    if fault.is_temporary() {
                        self.server.failed("that message cannot be read now; try again later");
                        return Ok(());
                    }
                }
            }
        }
        self.server.measured(self.held.as_ref().map_or(0, |(_, message)| message.length()));
        Ok(())
    }

    /// Sends the octets that were promised, or breaks off: whatever stood in their place would be taken for
    /// the message (`DECISIONS` 17).
    async fn transmit(&mut self, number: NonZeroU32) -> Result<(), End> {
        let Some((_, message)) = self.held.take().filter(|(held, _)| *held == number) else {
            return Err(End::Gone);
        };
        self.trace();
        let begun = Instant::now();
        self.send(number, &message).await?;
        self.sent.messages += 1;
        self.sent.octets += message.length();
        self.seen.passed(message.length());
        self.seen.metrics().sent(message.length());
        self.seen.metrics().took(Work::Retrieve, begun.elapsed());
        self.seen.remark(|| format!("{} octets of message {number}", message.length()));
        self.held = Some((number, message));
        self.server.transmitted();
        Ok(())
    }

    async fn quit(&mut self, marks: &Marks) -> Result<(), End> {
        let kept = self.release(marks).await;
        self.server.released(kept);
        Ok(())
    }

    /// Deletes what is marked and lets go of the mailbox; returns how many messages could not be deleted.
    async fn release(&mut self, marks: &Marks) -> usize {
        self.held = None;
        let Some(mailbox) = self.mailbox.take() else { return 0 };
        if self.account.as_ref().is_some_and(|account| account.read_only) {
            self.sent.kept += marks.len();
            return marks.len();
        }
        let begun = Instant::now();
        let released = mailbox.release(marks).await;
        let deleted = marks.len().saturating_sub(released.kept);
        self.sent.deleted += deleted;
        if !marks.is_empty() {
            self.seen.metrics().took(Work::Release, begun.elapsed());
            self.seen.metrics().deleted(deleted);
        }
        self.sent.kept += released.kept;
        for fault in &released.faults {
            self.seen.metrics().fault(Fault::Delete);
            error!(session = self.id, user = ?self.user(), %fault, "cannot delete a message");
        }
        released.kept
    }

    /// Tells whoever traces this session what of the output they have not been told.
    fn trace(&mut self) {
        let output = self.server.output();
        self.seen.said(output.get(self.traced..).unwrap_or_default());
        self.traced = output.len();
    }

    async fn close(&mut self) {
        self.trace();
        if self.server.is_over() && self.stream.is_drained() {
            // Nothing has come that would be reset, so the last reply is all that is still to be written.
            let _ = timeout(LINGER, self.stream.write_all(self.server.output())).await;
        } else {
            take_leave(&mut self.stream, self.server.output(), LINGER).await;
        }
    }

    /// Whether nobody has logged in.
    fn is_stranger(&self) -> bool {
        self.server.state() == State::Auth
    }

    /// Who has logged in, for the log.
    fn user(&self) -> &str {
        self.account.as_ref().map_or("", |account| &account.user)
    }

    fn broken(&self, error: &io::Error) -> End {
        info!(session = self.id, rip = %self.client, user = ?self.user(), %error, "connection broken");
        End::Gone
    }
}

/// As the RFC has it.
fn name(state: State) -> &'static str {
    match state {
        State::Auth => "AUTH",
        State::Mbox => "MBOX",
        State::Item => "ITEM",
        State::Next => "NEXT",
        State::Done => "DONE",
    }
}
