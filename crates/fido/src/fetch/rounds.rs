//! All accounts that are to be fetched, once or again and again.

use std::{future::Future, io::Write, time::Duration};

use serde::Serialize;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{Fetching, Tally, Wanted};
use crate::{
    Exit, Failure, accounts,
    args::Fetch,
    config::{Config, Profile},
    known::Options,
    paths,
    progress::Show,
    session::Account,
    sink::Target,
};

/// An account, and where its mail goes.
struct Job {
    account: Account,
    target: Target,
    wanted: Wanted,
}

/// What was done for an account, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    account: &'a str,
    target: String,
    #[serde(flatten)]
    tally: &'a Tally,
    error: Option<String>,
}

/// Does what `fido fetch` is asked.
pub async fn run(config: &Config, fetch: &Fetch) -> Result<(), Failure> {
    let profiles = accounts::chosen(config, &fetch.accounts)?;
    let jobs = profiles.into_iter().map(|profile| job(profile, fetch)).collect::<Result<Vec<_>, _>>()?;
    let mut signals = Signals::new()?;
    let Some(every) = fetch.every else {
        let messages = round(&jobs, fetch, &mut signals).await?;
        return if messages == 0 && fetch.exit_empty {
            Err(Failure::new(Exit::Empty, "no new messages"))
        } else {
            Ok(())
        };
    };
    loop {
        if let Err(failure) = round(&jobs, fetch, &mut signals).await {
            if failure.exit == Exit::Interrupted {
                return Ok(());
            }
            // The next time it may go better, and there is nobody who would start it again.
            eprintln!("fido: {failure}");
        }
        if signals.before(sleep(every)).await.is_err() {
            return Ok(());
        }
    }
}

fn job(profile: Profile, fetch: &Fetch) -> Result<Job, Failure> {
    let given = fetch.mda.clone().map(Target::Command).or_else(|| fetch.to.clone());
    let Some(target) = given.or_else(|| profile.to.clone()) else {
        let name = &profile.name;
        let text =
            format!("{name}: it is not said where mail is to go; use --to, or `to` in the configuration");
        return Err(Failure::new(Exit::Usage, text));
    };
    if fetch.json && target == Target::Stdout {
        return Err(Failure::new(Exit::Usage, "standard output cannot have both mail and --json"));
    }
    let wanted = Wanted {
        delete: fetch.delete || (profile.delete && !fetch.keep),
        options: Options {
            verify: fetch.verify,
            newest: fetch.newest,
            limit: fetch.limit,
            max_size: fetch.max_size,
        },
        all: fetch.all,
        state: paths::state().map(|folder| folder.join("fetched")),
        // A bar would be torn by the dialogue.
        progress: if fetch.accounts.way.verbose { Show::Nothing } else { Show::Bar },
    };
    Ok(Job { account: Account::new(profile, fetch.accounts.way.verbose)?, target, wanted })
}

/// Fetches all accounts, and tells how many messages were new. Where one fails, the others are fetched all the same.
async fn round(jobs: &[Job], fetch: &Fetch, signals: &mut Signals) -> Result<u64, Failure> {
    let (mut messages, mut failed) = (0, None::<Failure>);
    for Job { account, target, wanted } in jobs {
        let mut fetching = Fetching::new(account, target.clone(), wanted.clone())?;
        let fetched = signals.before(fetching.run(&fetch.folders)).await.flatten();
        let tally = fetching.tally();
        messages += tally.messages;
        let name = account.profile().name.as_str();
        if fetch.json {
            let error = fetched.as_ref().err().map(ToString::to_string);
            report(&Report { account: name, target: target.to_string(), tally, error })?;
        } else if fetched.is_ok() || tally.messages > 0 {
            let name = if jobs.len() > 1 { format!("{name}: ") } else { String::new() };
            eprintln!("fido: {name}{}", tally.summary(target));
        }
        match fetched {
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                // The last one is told by whoever called.
                if let Some(before) = failed.replace(failure) {
                    eprintln!("fido: {before}");
                }
            }
            Ok(()) => {}
        }
    }
    failed.map_or(Ok(messages), Err)
}

fn report(report: &Report<'_>) -> Result<(), Failure> {
    let line =
        serde_json::to_string(report).map_err(|error| Failure::new(Exit::Software, error.to_string()))?;
    writeln!(std::io::stdout(), "{line}")
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write to standard output: {error}")))
}

/// The signals by which a person or the system ends a fetch.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let cannot = |error| Failure::new(Exit::Software, format!("cannot wait for signals: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
        })
    }

    /// What comes of `work`, which ends between two of its steps when a signal comes: never while a file is being
    /// written.
    async fn before<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            done = work => return Ok(done),
        }
        Err(Failure::new(Exit::Interrupted, "interrupted; what is not here yet is still on the server"))
    }
}

/// Reads a time such as `90s`, `5m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "write a time such as 90s, 5m or 1h, at most a week";
    let unit = text.chars().last().ok_or(WRONG)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(WRONG),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or(WRONG)?;
    let all = number.checked_mul(seconds).filter(|all| (1..=7 * 24 * 3600).contains(all));
    all.map(Duration::from_secs).ok_or(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        for wrong in ["", "5", "m", "0s", "-1s", "1d", "5é", "999999999999999999h", "169h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
