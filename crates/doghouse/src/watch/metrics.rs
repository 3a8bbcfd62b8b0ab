//! How much of everything there was, as `OpenMetrics` has it.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::house::Refusal;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// What is counted.
pub struct Metrics {
    registry: Registry,
    sessions: Family<Protocol, Gauge>,
    sessions_opened: Family<Protocol, Counter>,
    logins: Family<Outcome, Counter>,
    messages_sent: Counter,
    octets_sent: Counter,
    messages_deleted: Counter,
    messages_delivered: Counter,
    recipients_refused: Counter,
    faults: Family<Kind, Counter>,
    limits: Family<Limit, Counter>,
    reloads: Family<Outcome, Counter>,
    database_up: Gauge,
    steps: Family<Step, Histogram>,
    /// The same by [`Work`]: looking each up takes longer than counting.
    by_work: [Histogram; Work::ALL.len()],
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Protocol {
    protocol: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

/// What went wrong that is the operator's to look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A mailbox or a message could not be opened.
    Open,
    /// A message was broken off.
    Transfer,
    /// Marked messages could not be deleted.
    Delete,
    /// A message could not be delivered.
    Deliver,
    /// A connection could not be accepted.
    Accept,
}

/// What a client ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// `limits.sessions`
    Sessions,
    /// `limits.sessions_per_address`
    SessionsPerAddress,
    /// `limits.mail_sessions`, or `limits.mail_sessions_per_address`
    MailSessions,
    /// `limits.login_seconds`
    Login,
    /// `limits.idle_seconds`, or `limits.mail_idle_seconds`
    Idle,
}

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The check of a login, with its delay.
    Login,
    /// HELO, FOLD: a folder is selected.
    Select,
    /// READ: a message is found and measured.
    Read,
    /// RETR: a message is sent, as quickly as the client takes it.
    Retrieve,
    /// QUIT, FOLD: what is marked is deleted.
    Release,
    /// A message that came in is put into one mailbox.
    Deliver,
}

impl Fault {
    const ALL: [Self; 5] = [Self::Open, Self::Transfer, Self::Delete, Self::Deliver, Self::Accept];

    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Transfer => "transfer",
            Self::Delete => "delete",
            Self::Deliver => "deliver",
            Self::Accept => "accept",
        }
    }
}

impl Hit {
    const ALL: [Self; 5] =
        [Self::Sessions, Self::SessionsPerAddress, Self::MailSessions, Self::Login, Self::Idle];

    fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::SessionsPerAddress => "sessions_per_address",
            Self::MailSessions => "mail_sessions",
            Self::Login => "login_seconds",
            Self::Idle => "idle_seconds",
        }
    }
}

impl Work {
    /// In the order of their declaration.
    const ALL: [Self; 6] =
        [Self::Login, Self::Select, Self::Read, Self::Retrieve, Self::Release, Self::Deliver];

    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Select => "select",
            Self::Read => "read",
            Self::Retrieve => "retrieve",
            Self::Release => "release",
            Self::Deliver => "deliver",
        }
    }
}

/// What sessions speak.
const PROTOCOLS: [&str; 3] = ["POP2", "SMTP", "LMTP"];

/// How a login or a reload went.
const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let steps: Family<Step, Histogram> = Family::new_with_constructor(histogram);
        let by_work = Work::ALL.map(|work| steps.get_or_create(&Step { step: work.name() }).clone());
        let metrics = Self {
            registry: Registry::with_prefix("doghouse"),
            sessions: Family::default(),
            sessions_opened: Family::default(),
            logins: Family::default(),
            messages_sent: Counter::default(),
            octets_sent: Counter::default(),
            messages_deleted: Counter::default(),
            messages_delivered: Counter::default(),
            recipients_refused: Counter::default(),
            faults: Family::default(),
            limits: Family::default(),
            reloads: Family::default(),
            database_up: Gauge::default(),
            steps,
            by_work,
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("sessions", "Sessions at work", self.sessions.clone());
        registry.register("sessions_opened", "Sessions that have begun", self.sessions_opened.clone());
        registry.register("logins", "Logins by how they went", self.logins.clone());
        registry.register("messages_sent", "Messages that clients have fetched", self.messages_sent.clone());
        registry.register(
            "octets_sent",
            "Octets of the messages that clients have fetched",
            self.octets_sent.clone(),
        );
        registry.register(
            "messages_deleted",
            "Messages that clients have deleted",
            self.messages_deleted.clone(),
        );
        registry.register(
            "messages_delivered",
            "Messages that came in, one for each mailbox that took it",
            self.messages_delivered.clone(),
        );
        registry.register(
            "recipients_refused",
            "Recipients that were refused",
            self.recipients_refused.clone(),
        );
        registry.register(
            "faults",
            "What went wrong that the operator should look into",
            self.faults.clone(),
        );
        registry.register("limits_hit", "How often clients have run into a limit", self.limits.clone());
        registry.register("reloads", "Reloads by how they went", self.reloads.clone());
        registry.register(
            "database_up",
            "Whether the database answers; 1 where there is none",
            self.database_up.clone(),
        );
        registry.register("step_seconds", "How long steps of sessions took, in seconds", self.steps.clone());
        // What has not happened yet is there as 0, so that a monitor sees the first time as well.
        for refusal in Refusal::ALL {
            drop(self.logins.get_or_create(&Outcome { outcome: refusal.name() }));
        }
        drop(self.logins.get_or_create(&Outcome { outcome: ACCEPTED }));
        for protocol in PROTOCOLS {
            drop(self.sessions.get_or_create(&Protocol { protocol }));
            drop(self.sessions_opened.get_or_create(&Protocol { protocol }));
        }
        for fault in Fault::ALL {
            drop(self.faults.get_or_create(&Kind { kind: fault.name() }));
        }
        for hit in Hit::ALL {
            drop(self.limits.get_or_create(&Limit { limit: hit.name() }));
        }
        for outcome in [ACCEPTED, REFUSED] {
            drop(self.reloads.get_or_create(&Outcome { outcome }));
        }
        self
    }

    /// Whether the database answers.
    pub fn database_is_there(&self, answers: bool) {
        self.database_up.set(answers.into());
    }

    /// A session has begun.
    pub fn session_begun(&self, protocol: &'static str) {
        self.sessions.get_or_create(&Protocol { protocol }).inc();
        self.sessions_opened.get_or_create(&Protocol { protocol }).inc();
    }

    /// A session has ended.
    pub fn session_ended(&self, protocol: &'static str) {
        self.sessions.get_or_create(&Protocol { protocol }).dec();
    }

    /// A login was good, or was refused.
    pub fn login(&self, refused: Option<Refusal>) {
        let outcome = refused.map_or(ACCEPTED, Refusal::name);
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// A message was fetched.
    pub fn sent(&self, octets: u64) {
        self.messages_sent.inc();
        self.octets_sent.inc_by(octets);
    }

    /// Messages were deleted.
    pub fn deleted(&self, messages: usize) {
        self.messages_deleted.inc_by(messages as u64);
    }

    /// A message was put into a mailbox.
    pub fn delivered(&self) {
        self.messages_delivered.inc();
    }

    /// A recipient was refused.
    pub fn recipient_refused(&self) {
        self.recipients_refused.inc();
    }

    /// Something went wrong.
    pub fn fault(&self, fault: Fault) {
        self.faults.get_or_create(&Kind { kind: fault.name() }).inc();
    }

    /// A client ran into a limit.
    pub fn hit(&self, limit: Hit) {
        self.limits.get_or_create(&Limit { limit: limit.name() }).inc();
    }

    /// The configuration was read again, and taken or not.
    pub fn reloaded(&self, taken: bool) {
        let outcome = if taken { ACCEPTED } else { REFUSED };
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    /// Some work took so long.
    pub fn took(&self, work: Work, time: Duration) {
        if let Some(histogram) = self.by_work.get(work as usize) {
            histogram.observe(time.as_secs_f64());
        }
    }

    /// All of it, in the text form of `OpenMetrics`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.session_begun("POP2");
        metrics.session_begun("POP2");
        metrics.session_ended("POP2");
        metrics.login(None);
        metrics.login(Some(Refusal::Password));
        metrics.sent(25);
        metrics.took(Work::Read, Duration::from_millis(3));
        let text = metrics.to_text();
        for line in [
            "doghouse_sessions{protocol=\"POP2\"} 1",
            "doghouse_sessions_opened_total{protocol=\"POP2\"} 2",
            "doghouse_logins_total{outcome=\"accepted\"} 1",
            "doghouse_logins_total{outcome=\"password\"} 1",
            "doghouse_logins_total{outcome=\"cleartext\"} 0",
            "doghouse_octets_sent_total 25",
            "doghouse_faults_total{kind=\"delete\"} 0",
            "doghouse_step_seconds_bucket{le=\"0.005\",step=\"read\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}
