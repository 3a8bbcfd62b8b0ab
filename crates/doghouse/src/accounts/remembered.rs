//! Passwords that were right, remembered for a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use subtle::{Choice, ConstantTimeEq as _};

use super::keyed::Mac;

/// A login that was right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    login: Mac,
    since: Instant,
}

impl Remembered {
    pub(super) fn now(login: Mac) -> Self {
        Self { login, since: Instant::now() }
    }

    pub(super) fn is_older_than(&self, lifetime: Duration) -> bool {
        self.since.elapsed() >= lifetime
    }

    /// Whether there is one, and it is one of these. The time tells neither.
    pub(super) fn is_one_of(this: Option<Self>, logins: &[Mac]) -> bool {
        let known = this.map_or(Mac::default(), |remembered| remembered.login);
        let same = logins.iter().fold(Choice::from(0), |same, login| same | login.ct_eq(&known));
        this.is_some() && bool::from(same)
    }
}

/// Right logins of many users, one each, and of no more users than can be held.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    users: Mutex<HashMap<String, Remembered>>,
}

impl Memory {
    /// One that holds so many.
    pub(super) fn of(most: usize) -> Self {
        Self { most, users: Mutex::default() }
    }

    /// Whether one of these logins of a user succeeded less than `lifetime` ago.
    pub(super) fn has(&self, user: &str, logins: &[Mac], lifetime: Duration) -> bool {
        let remembered = self.users().get(user).copied();
        Remembered::is_one_of(remembered.filter(|remembered| !remembered.is_older_than(lifetime)), logins)
    }

    /// Keeps this login, in place of an earlier one of the user. Where there are too many, the older half goes.
    pub(super) fn keep(&self, user: &str, login: Mac) {
        let mut users = self.users();
        if users.len() >= self.most && !users.contains_key(user) {
            let mut times: Vec<Instant> = users.values().map(|remembered| remembered.since).collect();
            let (_, middle, _) = times.select_nth_unstable(self.most / 2);
            let middle = *middle;
            users.retain(|_, remembered| remembered.since > middle);
        }
        users.insert(user.to_owned(), Remembered::now(login));
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn one_login_a_user_is_remembered_for_a_while() {
        let memory = Memory::of(10);
        assert!(!memory.has("fido", &[[1; 32]], HOUR));
        memory.keep("fido", [1; 32]);
        assert!(memory.has("fido", &[[2; 32], [1; 32]], HOUR) && !memory.has("smith", &[[1; 32]], HOUR));
        assert!(!memory.has("fido", &[[2; 32]], HOUR) && !memory.has("fido", &[], HOUR));
        assert!(!memory.has("fido", &[[1; 32]], Duration::ZERO));
        memory.keep("fido", [2; 32]);
        assert!(memory.has("fido", &[[2; 32]], HOUR) && !memory.has("fido", &[[1; 32]], HOUR));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let memory = Memory::of(100);
        for n in 0..250 {
            memory.keep(&format!("user{n}"), [1; 32]);
        }
        assert!(memory.users().len() <= 100);
        assert!(memory.has("user249", &[[1; 32]], HOUR) && !memory.has("user0", &[[1; 32]], HOUR));
    }
}
