//! The story of one delivery session: a stream, the receiving machine, and the mail of whoever is written to.

use std::{
    io,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::timeout,
};
use tracing::{debug, error, info, warn};

use super::{
    machine::{Machine, Settings, Step},
    message::Incoming,
    reply::Reply,
};
use crate::{
    house::PostOffice,
    peer::Peer,
    phase::{Phase, draining},
    recipients::Target,
    stream::{LINGER, take_leave},
    watch::{
        Seen,
        metrics::{Fault, Hit, Work},
    },
};

/// How much is read at a time, in octets.
const PIECE: usize = 16 * 1024;

/// One session.
// No Debug: a store need not show itself.
pub struct Session<'a, O, S> {
    id: u64,
    client: Peer,
    office: &'a O,
    stream: S,
    machine: Machine,
    idle: Duration,
    hostname: String,
    phase: watch::Receiver<Phase>,
    seen: Seen,
    /// The recipients that were taken, as they were written, and whose they are.
    recipients: Vec<(String, Vec<Target>)>,
    incoming: Option<Incoming>,
    /// Why the message cannot be kept.
    fault: Option<io::Error>,
    messages: u64,
}

/// The connection is of no more use.
struct Gone;

impl<'a, O, S> Session<'a, O, S>
where
    O: PostOffice,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// A connection has been opened.
    pub fn new(
        id: u64,
        client: Peer,
        office: &'a O,
        settings: Settings,
        idle: Duration,
        stream: S,
        (phase, seen): (watch::Receiver<Phase>, Seen),
    ) -> Self {
        let hostname = settings.hostname.clone();
        let machine = Machine::new(settings);
        let recipients = Vec::new();
        Self {
            id,
            client,
            office,
            stream,
            machine,
            idle,
            hostname,
            phase,
            seen,
            recipients,
            incoming: None,
            fault: None,
            messages: 0,
        }
    }

    /// Takes mail until either side ends the session.
    pub async fn run(mut self) {
        debug!(session = self.id, rip = %self.client, "connected to deliver");
        loop {
            match self.machine.step() {
                Step::Receive => {
                    if self.receive().await.is_err() {
                        break;
                    }
                }
                Step::Resolve(address) => self.resolve(&address).await,
                Step::Begin => (self.incoming, self.fault) = (Some(Incoming::new()), None),
                Step::Keep => self.keep(),
                Step::Deliver => self.deliver().await,
                Step::Close => {
                    self.close().await;
                    break;
                }
            }
        }
        info!(session = self.id, rip = %self.client, messages = self.messages, "delivery session ended");
    }

    /// Writes what there is to say, then waits for octets from the client; not beyond its time, nor the
    /// house's.
    async fn receive(&mut self) -> Result<(), Gone> {
        self.flush().await?;
        let mut piece = vec![0; PIECE];
        let read = tokio::select! {
            biased;
            read = timeout(self.idle, self.stream.read(&mut piece)) => read,
            _ = draining(&mut self.phase) => {
                self.machine.interrupted("the server is going down; try again later");
                return Ok(());
            }
            () = self.seen.kicked() => {
                self.machine.interrupted("the operator has ended this session; try again later");
                return Ok(());
            }
        };
        match read {
            Ok(Ok(0)) => Err(Gone),
            Ok(Ok(count)) => {
                let heard = piece.get(..count).unwrap_or_default();
                if self.machine.is_in_message() {
                    self.seen.remark(|| format!("{count} octets of a message"));
                } else {
                    self.seen.heard(heard, false);
                }
                self.machine.push(heard);
                Ok(())
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_elapsed) => {
                self.seen.metrics().hit(Hit::Idle);
                self.machine.interrupted("nothing came for too long");
                Ok(())
            }
        }
    }

    async fn resolve(&mut self, address: &str) {
        if self.machine.recipients() == 0 {
            self.recipients.clear();
        }
        let answer = match self.office.resolve(address, self.machine.size()).await {
            Ok(targets) => {
                self.recipients.push((address.to_owned(), targets));
                Ok(())
            }
            Err(reply) => {
                self.seen.metrics().recipient_refused();
                warn!(session = self.id, rip = %self.client, to = ?address, %reply, "recipient refused");
                Err(reply)
            }
        };
        self.machine.resolved(answer);
    }

    fn keep(&mut self) {
        if let (Some(incoming), None) = (&mut self.incoming, &self.fault) {
            self.fault = incoming.write(self.machine.body()).err();
        }
        self.machine.kept();
    }

    /// Delivers to each recipient. What they are told is true when they are told: delivered means synced.
    async fn deliver(&mut self) {
        let mut outcomes = Vec::with_capacity(self.recipients.len());
        let recipients = std::mem::take(&mut self.recipients);
        let mut incoming = self.incoming.take();
        let fault = match (&mut incoming, self.fault.take()) {
            (_, Some(error)) => Some(self.cannot_keep(&error)),
            (Some(incoming), None) => match incoming.goes_round() {
                Ok(false) => None,
                Ok(true) => {
                    Some(Reply::new(554, "5.4.6", "the message is going round: too many Received fields"))
                }
                Err(error) => Some(self.cannot_keep(&error)),
            },
            (None, None) => Some(Reply::new(451, "4.3.0", "no message")),
        };
        for (address, targets) in &recipients {
            let outcome = match (&fault, &mut incoming) {
                (None, Some(incoming)) => self.deliver_to(address, targets, incoming).await,
                (fault, _) => Err(fault.clone().unwrap_or_else(|| Reply::new(451, "4.3.0", "no message"))),
            };
            outcomes.push(outcome);
        }
        self.messages += u64::from(outcomes.iter().any(Result::is_ok));
        self.seen.passed(self.machine.octets());
        self.machine.delivered(&outcomes);
    }

    async fn deliver_to(
        &mut self,
        address: &str,
        targets: &[Target],
        incoming: &mut Incoming,
    ) -> Result<(), Reply> {
        let name = incoming.name(None, self.machine.sender(), address);
        let name = name.map_err(|error| self.cannot_keep(&error))?;
        for target in targets {
            let message = incoming.behind(self.trace(address)).map_err(|error| self.cannot_keep(&error))?;
            let begun = Instant::now();
            let delivered = self.office.deliver(target, message, name.as_deref()).await;
            self.seen.metrics().took(Work::Deliver, begun.elapsed());
            if delivered.as_ref().is_err_and(|reply| reply.code < 500) {
                self.seen.metrics().fault(Fault::Deliver);
            }
            delivered?;
            self.seen.metrics().delivered();
            info!(session = self.id, rip = %self.client, from = ?self.machine.sender(), user = ?target.user, folder = %target.folder, "delivered");
        }
        Ok(())
    }

    /// The trace fields (RFC 5321, 4.4). Only the recipient of this copy is named: others may be secret.
    fn trace(&self, address: &str) -> String {
        let (client, sender) = (self.machine.client(), self.machine.sender());
        let from = self.client.address().map_or_else(|| "local".to_owned(), |ip| format!("[{ip}]"));
        let (by, with, id) = (&self.hostname, self.machine.with(), self.id);
        let date = httpdate::fmt_http_date(SystemTime::now()).replace("GMT", "+0000");
        let client = if client.is_empty() { "unknown" } else { client };
        format!(
            "Return-Path: <{sender}>\nReceived: from {client} ({from})\n\tby {by} (Doghouse) with {with} id {id}.{}\n\tfor <{address}>; {date}\n",
            self.messages
        )
    }

    fn cannot_keep(&self, error: &io::Error) -> Reply {
        error!(session = self.id, %error, "cannot keep a message that comes in");
        Reply::new(452, "4.3.1", "the message cannot be kept here now; try again later")
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let output = std::mem::take(self.machine.output_mut());
        self.seen.said(&output);
        match timeout(self.idle, self.stream.write_all(&output)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_elapsed) => Err(Gone),
        }
    }

    async fn close(&mut self) {
        let output = std::mem::take(self.machine.output_mut());
        self.seen.said(&output);
        take_leave(&mut self.stream, &output, LINGER).await;
    }

    fn broken(&self, error: &io::Error) -> Gone {
        info!(session = self.id, rip = %self.client, %error, "connection broken");
        Gone
    }
}
