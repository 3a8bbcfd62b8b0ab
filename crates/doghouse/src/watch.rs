//! The server as its operator watches it: who is there, what they say, and how much of everything there was.
//!
//! - [`Watch`] is what all sessions tell, [`Seen`] the part that one session tells of itself.
//! - [`metrics`]: counts, for a monitoring system. [`http`]: where it reads them.
//! - [`trace`]: the wire of sessions as it happens. [`admin`]: the socket by which commands ask for all this.

pub mod admin;
pub mod http;
pub mod metrics;
pub mod trace;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast};

use crate::{peer::Peer, watch::metrics::Metrics};
use trace::Traced;

/// How much of a trace waits for a reader; what goes beyond it is lost, and the reader is told.
const TRACE: usize = 1024;

/// What all sessions tell.
#[derive(Debug)]
pub struct Watch {
    metrics: Metrics,
    /// Whether sessions are taken.
    is_open: AtomicBool,
    /// Why sessions would be of no use.
    trouble: Mutex<Option<String>>,
    live: Mutex<BTreeMap<u64, Arc<Live>>>,
    tap: broadcast::Sender<Traced>,
    /// How many read the trace. The channel knows too, behind a lock that all sessions would share.
    readers: Arc<AtomicUsize>,
}

/// A session at work.
#[derive(Debug)]
struct Live {
    row: Mutex<Row>,
    begun: Instant,
    kick: Notify,
}

/// What is known of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number, as in the log.
    pub session: u64,
    /// `POP2`, `SMTP` or `LMTP`.
    pub protocol: String,
    /// Where the client is.
    pub rip: String,
    /// Whether what it says is hidden on its way: by TLS.
    pub hidden: bool,
    /// Who has logged in; empty before that.
    pub user: String,
    /// The device whose password it was.
    pub device: Option<String>,
    /// The state of the protocol.
    pub state: String,
    /// Messages that went over the wire so far.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// How long it has been there, in seconds.
    pub seconds: u64,
}

/// Which sessions: one by its number, those of a user, or those from an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whom(pub String);

impl Whom {
    /// Whether a session is meant.
    fn is(&self, row: &Row) -> bool {
        self.0 == row.user && !row.user.is_empty() || self.0 == row.rip || self.0 == row.session.to_string()
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            metrics: Metrics::default(),
            is_open: AtomicBool::new(true),
            trouble: Mutex::default(),
            live: Mutex::default(),
            tap: broadcast::Sender::new(TRACE),
            readers: Arc::default(),
        }
    }
}

impl Watch {
    /// How much of everything there was.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes note of why sessions would be of no use, and tells the log when that changes.
    pub fn note_trouble(&self, trouble: Option<String>) {
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*noted, &trouble) {
            (None, Some(error)) => tracing::error!(error, "the database is away"),
            (Some(_), None) => tracing::info!("the database is back"),
            _ => {}
        }
        self.metrics.database_is_there(trouble.is_none());
        *noted = trouble;
    }

    /// Why sessions would be of no use at present.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether sessions are taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// From now on no more sessions are taken.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// A session has begun. It is there until what this returns is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>, session: u64, protocol: &'static str, peer: Peer) -> Seen {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let row = Row {
            session,
            protocol: protocol.to_owned(),
            rip: peer.to_string(),
            hidden: false,
            user: String::new(),
            device: None,
            state: String::new(),
            messages: 0,
            octets: 0,
            since,
            seconds: 0,
        };
        let live = Arc::new(Live { row: Mutex::new(row), begun: Instant::now(), kick: Notify::new() });
        self.live().insert(session, Arc::clone(&live));
        self.metrics.session_begun(protocol);
        Seen { watch: Arc::clone(self), live, session, protocol, unfinished: Vec::new(), is_unseen: false }
    }

    /// The sessions at work, in the order of their numbers.
    #[must_use]
    pub fn who(&self) -> Vec<Row> {
        let live: Vec<Arc<Live>> = self.live().values().cloned().collect();
        live.iter()
            .map(|live| Row { seconds: live.begun.elapsed().as_secs(), ..live.row().clone() })
            .collect()
    }

    /// Ends sessions: those clients are told so, and nothing of what they marked is deleted. Returns how many.
    pub fn kick(&self, whom: &Whom) -> usize {
        let meant: Vec<Arc<Live>> =
            self.live().values().filter(|live| whom.is(&live.row())).cloned().collect();
        for live in &meant {
            live.kick.notify_one();
        }
        meant.len()
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn row(&self) -> MutexGuard<'_, Row> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session tells of itself.
#[derive(Debug)]
pub struct Seen {
    watch: Arc<Watch>,
    live: Arc<Live>,
    session: u64,
    protocol: &'static str,
    /// What a client has said of a line that is not whole, while nobody may see it.
    unfinished: Vec<u8>,
    /// Whether a line is on its way whose beginning nobody looked at, or that is too long: what is left of it may be
    /// anything.
    is_unseen: bool,
}

impl Seen {
    /// How much of everything there was.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.watch.metrics
    }

    /// Its client is at the other end of a proxy, or hidden by TLS.
    pub fn entered(&self, peer: Peer, hidden: bool) {
        let mut row = self.live.row();
        row.rip = peer.to_string();
        row.hidden = hidden;
    }

    /// It has logged in.
    pub fn logged_in(&self, user: &str, device: Option<&str>) {
        let mut row = self.live.row();
        user.clone_into(&mut row.user);
        row.device = device.map(str::to_owned);
    }

    /// The protocol is in that state now.
    pub fn is_in(&self, state: &str) {
        let mut row = self.live.row();
        if row.state != state {
            state.clone_into(&mut row.state);
        }
    }

    /// A message of so many octets went over the wire.
    pub fn passed(&self, octets: u64) {
        let mut row = self.live.row();
        row.messages += 1;
        row.octets += octets;
    }

    /// Waits until the operator ends this session.
    pub fn kicked(&self) -> impl Future<Output = ()> + Send + use<> {
        let live = Arc::clone(&self.live);
        async move { live.kick.notified().await }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.watch.live().remove(&self.session);
        self.watch.metrics.session_ended(self.protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_are_seen_and_ended_by_number_user_and_address() {
        let watch = Arc::new(Watch::default());
        let one = watch.enter(1, "POP2", Peer::Local);
        let two = watch.enter(2, "POP2", Peer::at([192, 0, 2, 9].into()));
        two.logged_in("fido", Some("VAX"));
        two.is_in("MBOX");
        two.passed(25);
        let rows = watch.who();
        assert_eq!(rows.iter().map(|row| row.session).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((rows[1].user.as_str(), rows[1].rip.as_str(), rows[1].octets), ("fido", "192.0.2.9", 25));
        for (whom, count) in
            [("rex", 0), ("", 0), ("fido", 1), ("192.0.2.9", 1), ("2", 1), ("local", 1), ("3", 0)]
        {
            assert_eq!(watch.kick(&Whom(whom.to_owned())), count, "{whom}");
        }
        one.kicked().await;
        two.kicked().await;
        drop((one, two));
        assert!(watch.who().is_empty());
    }
}
