//! Guessing of passwords, slowed down.
//!
//! Each login goes through a *lane*, in which one follows the other and waits for longer the more have failed. So
//! whoever tries many passwords at once is no quicker than with one after the other.
//!
//! - A *known* place, from which the account was logged in to before, has a lane of its own with that account:
//!   nobody elsewhere can slow it down, so nobody can lock a user out of a place that is in use.
//! - All others go through the lane of their address and then through that of the account, so that guessing is slow
//!   from one address for many accounts, and from many addresses for one. An address has one login at a time in
//!   the account's lane, whatever it tries.
//!
//! Names of accounts that there are not are treated as all others.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{accounts::Refused, peer::Block};

/// How long failures count.
const MEMORY: Duration = Duration::from_mins(15);

/// How many lanes, and how many known places, are remembered. What is used least goes first.
const MOST: usize = 50_000;

/// The longest delay of an account's lane: a stranger who knows the password waits for it once for each address that
/// guesses at the same time.
const ACCOUNT: Duration = Duration::from_secs(3);

/// How failed logins are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// So many failures cost nothing.
    pub free: u32,
    /// The longest delay after a failure; each doubles the one before it, from a second on.
    pub longest: Duration,
}

/// Slows down guessing.
#[derive(Debug, Default)]
pub struct Throttle {
    lanes: Mutex<HashMap<Key, Arc<Lane>>>,
    /// From where an account was logged in to, and when last.
    known: Mutex<HashMap<(Account, Block), Instant>>,
    /// Of names, so that nobody can choose one that is taken for another.
    hash: RandomState,
}

/// There were too many failures for this login to be looked at soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// An account's name, in so many octets whatever a client calls it.
type Account = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(Block),
    Account(Account),
    Known(Account, Block),
}

/// Logins one behind the other.
#[derive(Debug, Default)]
struct Lane(tokio::sync::Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last: Option<Instant>,
}

impl Throttle {
    /// Lets a login be checked when its turn has come, and takes note of how it went, if that could be found out. It is
    /// not checked where its turn does not come before `until`.
    pub async fn check<T>(
        &self,
        (user, block): (&str, Block),
        patience: Patience,
        until: Instant,
        check: impl Future<Output = Result<T, Refused>>,
    ) -> Result<Result<T, Refused>, TooMany> {
        let account = self.hash.hash_one(user);
        let place = (account, block);
        let known = self.known().contains_key(&place);
        let keys = if known {
            [Some((Key::Known(account, block), patience.longest)), None]
        } else {
            let shorter = patience.longest.min(ACCOUNT);
            [Some((Key::Address(block), patience.longest)), Some((Key::Account(account), shorter))]
        };
        let lanes = keys.map(|key| key.map(|(key, longest)| (self.lane(key), longest)));
        // Always in this order, so that nobody waits in a circle.
        let mut turns = Vec::with_capacity(lanes.len());
        for (lane, longest) in lanes.iter().flatten() {
            let turn = timeout_at(until, lane.0.lock()).await.map_err(|_elapsed| TooMany)?;
            let begin = turn.begin(patience.free, *longest);
            if begin > until {
                return Err(TooMany);
            }
            sleep_until(begin).await;
            turns.push(turn);
        }
        let outcome = check.await;
        if matches!(outcome, Err(Refused::Unchecked)) {
            return Ok(outcome);
        }
        let now = Instant::now();
        for turn in &mut turns {
            turn.note(outcome.is_ok(), known, now);
        }
        if outcome.is_ok() {
            remember(&mut self.known(), place, now);
        }
        Ok(outcome)
    }

    fn lane(&self, key: Key) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= MOST && !lanes.contains_key(&key) {
            // Those at work stay, and those that have something to tell.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.counts());
            if lanes.len() >= MOST {
                lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
        }
        Arc::clone(lanes.entry(key).or_default())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Account, Block), Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(known: &mut HashMap<(Account, Block), Instant>, place: (Account, Block), now: Instant) {
    if known.len() >= MOST && !known.contains_key(&place) {
        let mut times: Vec<Instant> = known.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        known.retain(|_, last| *last > middle);
    }
    known.insert(place, now);
}

impl Lane {
    /// Whether there are failures that count.
    fn counts(&self) -> bool {
        self.0.try_lock().is_ok_and(|state| state.failures > 0 && !state.is_old(Instant::now()))
    }
}

impl State {
    fn is_old(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.duration_since(last) > MEMORY)
    }

    /// When the next login may be checked.
    fn begin(&self, free: u32, longest: Duration) -> Instant {
        let now = Instant::now();
        match self.last {
            Some(last) if !self.is_old(now) && self.failures >= free && self.failures > 0 => {
                last + delay(self.failures - free, longest)
            }
            _ => now,
        }
    }

    /// A success makes failures forgotten only where nobody else can have been meant: one who has an account must
    /// not be able to wipe out with it the traces of guesses at others.
    fn note(&mut self, went_well: bool, alone: bool, now: Instant) {
        if went_well {
            self.failures = if alone { 0 } else { self.failures };
            return;
        }
        self.failures = if self.is_old(now) { 1 } else { self.failures.saturating_add(1) };
        self.last = Some(now);
    }
}

/// A second, doubled so many times.
fn delay(doubled: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << doubled.min(20)).min(longest)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::peer::Peer;

    const PATIENCE: Patience = Patience { free: 3, longest: Duration::from_secs(30) };

    fn at(last: u8) -> Block {
        Peer::at(IpAddr::from([192, 0, 2, last])).block()
    }

    /// How many seconds a login takes, and whether it was looked at.
    async fn login(throttle: &Throttle, user: &str, from: u8, right: bool) -> (u64, bool) {
        let begun = Instant::now();
        let check = async { if right { Ok(()) } else { Err(Refused::Wrong) } };
        let until = begun + Duration::from_mins(1);
        let outcome = throttle.check((user, at(from)), PATIENCE, until, check).await;
        (begun.elapsed().as_secs(), outcome.is_ok())
    }

    async fn guess(throttle: &Throttle, user: &str, from: u8) -> u64 {
        login(throttle, user, from, false).await.0
    }

    #[tokio::test(start_paused = true)]
    async fn failures_from_an_address_cost_more_and_more_whatever_the_account() {
        let throttle = Throttle::default();
        let mut times = Vec::new();
        for n in 0..10 {
            times.push(guess(&throttle, &format!("user{n}"), 1).await);
        }
        assert_eq!(times, [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(guess(&throttle, "user0", 2).await, 0, "others are not hurt");
        tokio::time::sleep(MEMORY + Duration::from_secs(1)).await;
        assert_eq!(guess(&throttle, "user0", 1).await, 0, "it is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_for_an_account_cost_a_little_whatever_the_address() {
        let throttle = Throttle::default();
        let mut times = Vec::new();
        for n in 0..8 {
            times.push(guess(&throttle, "fido", n).await);
        }
        assert_eq!(times, [0, 0, 0, 1, 2, 3, 3, 3]);
        assert_eq!(guess(&throttle, "smith", 9).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_are_no_quicker_than_one_after_the_other() {
        let throttle = Throttle::default();
        let begun = Instant::now();
        let looked_at =
            futures_of(40, |n| login(&throttle, if n % 2 == 0 { "fido" } else { "rex" }, 1, false));
        let looked_at = looked_at.await.into_iter().filter(|(_, looked_at)| *looked_at).count();
        // After 0, 0, 0, 1, 3, 7, 15 and 31 seconds; the next would have its turn after 61.
        assert_eq!(looked_at, 8);
        assert!(begun.elapsed() <= Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_not_locked_out_of_a_known_place() {
        let throttle = Throttle::default();
        assert_eq!(login(&throttle, "fido", 200, true).await, (0, true));
        let attack = futures_of(100, |n| login(&throttle, "fido", n % 50, false));
        let user = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            login(&throttle, "fido", 200, true).await
        };
        let (_, user) = tokio::join!(attack, user);
        assert_eq!(user, (0, true));
        // Nor does one who guesses from that place, at another account, hurt this one.
        for _ in 0..6 {
            guess(&throttle, "smith", 200).await;
        }
        assert_eq!(login(&throttle, "fido", 200, true).await, (0, true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_checked_is_neither_a_failure_nor_a_success() {
        let throttle = Throttle::default();
        let begun = Instant::now();
        let unchecked = async |user: &str| {
            let until = begun + Duration::from_mins(10);
            let check = async { Err::<(), _>(Refused::Unchecked) };
            throttle.check((user, at(1)), PATIENCE, until, check).await
        };
        for _ in 0..20 {
            assert_eq!(unchecked("fido").await, Ok(Err(Refused::Unchecked)));
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let mut times = Vec::new();
        for n in 0..5 {
            times.push(guess(&throttle, &format!("user{n}"), 1).await);
            unchecked("fido").await.unwrap().unwrap_err();
        }
        // Each waits for its turn, before and after the failures that count.
        assert_eq!(times, [0, 0, 0, 0, 0], "those between have waited");
        assert_eq!(begun.elapsed(), Duration::from_secs(1 + 2 + 4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_of_ones_own_does_not_wipe_out_what_has_failed() {
        let throttle = Throttle::default();
        let mut times = Vec::new();
        for n in 0..6 {
            times.push(guess(&throttle, &format!("user{n}"), 1).await);
            login(&throttle, "mine", 1, true).await;
        }
        assert_eq!(times, [0, 0, 0, 1, 2, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let mut known = HashMap::new();
        for n in 0..u64::try_from(MOST).unwrap() + 10 {
            remember(&mut known, (n, at(1)), Instant::now());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(known.len() <= MOST && known.len() > MOST / 3, "{}", known.len());
        assert!(!known.contains_key(&(0, at(1))), "the oldest go");
    }

    async fn futures_of<F: Future>(count: u8, make: impl Fn(u8) -> F) -> Vec<F::Output> {
        let mut all: Vec<_> = (0..count).map(|n| Box::pin(make(n))).collect();
        let mut done = Vec::new();
        std::future::poll_fn(|context| {
            all.retain_mut(|future| match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => {
                    done.push(output);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        done
    }
}
