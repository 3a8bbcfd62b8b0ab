//! How much, and how long: `[limits]`.

use std::time::Duration;

use serde::Deserialize;

/// What bounds a session, and all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: usize,
    /// The same, from one address.
    pub sessions_per_address: usize,
    /// The same, of one account.
    pub sessions_per_account: usize,
    /// How long a client may take to log in.
    pub login: Duration,
    /// How many failed logins cost nothing.
    pub login_failures: u32,
    /// How long a login waits at most for those that failed before it.
    pub login_delay: Duration,
    /// T2: how long a client that has logged in may be silent.
    pub idle: Duration,
    /// Sessions in which mail comes in, at once.
    pub mail_sessions: usize,
    /// The same, from one address.
    pub mail_sessions_per_address: usize,
    /// How long whoever delivers may be silent.
    pub mail_idle: Duration,
    /// How long sessions may go on when the server is told to stop.
    pub shutdown: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    sessions: u32,
    sessions_per_address: u32,
    sessions_per_account: u32,
    login_seconds: u64,
    login_failures: u32,
    login_delay_seconds: u64,
    idle_seconds: u64,
    mail_sessions: u32,
    mail_sessions_per_address: u32,
    mail_idle_seconds: u64,
    shutdown_seconds: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            sessions: 2_000,
            sessions_per_address: 50,
            sessions_per_account: 20,
            login_seconds: 60,
            login_failures: 3,
            login_delay_seconds: 30,
            idle_seconds: 600,
            mail_sessions: 200,
            mail_sessions_per_address: 20,
            mail_idle_seconds: 300,
            shutdown_seconds: 10,
        }
    }
}

impl RawLimits {
    /// Refuses what a clock cannot count, or that lets nobody be served.
    pub(super) fn check(self) -> Result<Limits, &'static str> {
        const YEAR: u64 = 366 * 24 * 60 * 60;
        let sessions = [
            self.sessions,
            self.sessions_per_address,
            self.sessions_per_account,
            self.mail_sessions,
            self.mail_sessions_per_address,
        ];
        let waits = [self.login_seconds, self.idle_seconds, self.mail_idle_seconds];
        let times = waits.into_iter().chain([self.shutdown_seconds, self.login_delay_seconds]);
        if sessions.contains(&0) {
            return Err("a number of sessions in limits is at least 1");
        }
        if waits.contains(&0) {
            return Err("limits.login_seconds, idle_seconds and mail_idle_seconds are at least 1");
        }
        if times.into_iter().any(|seconds| seconds > YEAR) {
            return Err("a time in limits is at most a year");
        }
        Ok(Limits {
            sessions: self.sessions as usize,
            sessions_per_address: self.sessions_per_address as usize,
            sessions_per_account: self.sessions_per_account as usize,
            login: Duration::from_secs(self.login_seconds),
            login_failures: self.login_failures,
            login_delay: Duration::from_secs(self.login_delay_seconds),
            idle: Duration::from_secs(self.idle_seconds),
            mail_sessions: self.mail_sessions as usize,
            mail_sessions_per_address: self.mail_sessions_per_address as usize,
            mail_idle: Duration::from_secs(self.mail_idle_seconds),
            shutdown: Duration::from_secs(self.shutdown_seconds),
        })
    }
}
