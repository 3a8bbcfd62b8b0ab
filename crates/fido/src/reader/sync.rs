//! Fetching while mail is read: in a thread beside, with a runtime of its own.

use std::{
    sync::mpsc::{self, Sender},
    thread,
};

use pop2::Secret;
use tokio::runtime;

use super::{
    event::{Event, Refused},
    place::Place,
    terminal::Terminal,
};
use crate::{
    Exit, Failure,
    args::Folders,
    config::Profile,
    consent::Consent,
    fetch::{Fetching, Wanted},
    known::Options,
    password::{self, Source},
    paths,
    progress::{Show, Step},
    session::Account,
};

/// The question for the password of an account.
#[must_use]
pub(super) fn question(profile: &Profile) -> String {
    format!("Password of {} on {}:", profile.user, profile.route.host)
}

/// Starts fetches, and keeps the password from one to the next.
pub(super) struct Syncer {
    sender: Sender<Event>,
    password: Option<Secret>,
}

impl Syncer {
    pub(super) fn new(sender: Sender<Event>) -> Self {
        Self { sender, password: None }
    }

    /// Starts a fetch. A password command may talk to the user: it has the terminal meanwhile.
    pub(super) fn start(&mut self, place: &Place, password: Option<Secret>, terminal: &mut Terminal) {
        let Some(profile) = place.account.clone() else { return };
        let got = self.password_of(&profile, password, |source| {
            terminal.outside(|| password::get(source, &profile.user, &profile.route.host)).flatten()
        });
        match got {
            Ok(password) => fetch(place, profile, password, self.sender.clone()),
            Err(failure) => {
                let refused = Refused { text: failure.to_string(), question: None };
                let _ = self.sender.send(Event::Synced(Err(refused)));
            }
        }
    }

    /// The password: the one that was typed, which holds until another is, or what `get` finds, anew each time, since
    /// one that was refused may have been corrected.
    fn password_of(
        &mut self,
        profile: &Profile,
        typed: Option<Secret>,
        get: impl FnOnce(&Source) -> Result<Secret, Failure>,
    ) -> Result<Secret, Failure> {
        if profile.password != Source::Person {
            return get(&profile.password);
        }
        self.password = typed.or_else(|| self.password.take());
        self.password
            .clone()
            .ok_or_else(|| Failure::new(Exit::Usage, "the password is missing; press G again"))
    }
}

fn fetch(place: &Place, mut profile: Profile, password: Secret, sender: Sender<Event>) {
    let (target, delete) = place.target(&profile);
    // Nobody can be asked on the screen.
    if profile.route.consent == Consent::Asked {
        profile.route.consent = Consent::Remembered;
    }
    let question = (profile.password == Source::Person).then(|| question(&profile));
    let (steps, told) = mpsc::channel::<Step>();
    let progress = sender.clone();
    thread::spawn(move || {
        for Step { folder, number, count } in told {
            let text = format!("fetching {folder}: {number} of {count}");
            if progress.send(Event::Syncing(text)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let work = thread::spawn(move || {
            let account = Account::with_password(profile, password, false).quiet();
            let wanted = Wanted {
                delete,
                options: Options { verify: false, newest: None, limit: None, max_size: None },
                all: false,
                state: paths::state().map(|folder| folder.join("fetched")),
                progress: Show::Told(steps),
            };
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime
                .map_err(|error| Failure::new(Exit::Software, format!("cannot start the fetch: {error}")))?;
            let mut fetching = Fetching::new(&account, target.clone(), wanted)?;
            let fetched = runtime.block_on(fetching.run(&Folders { folder: Vec::new() }));
            let summary = fetching.tally().summary(&target);
            runtime.shutdown_background();
            fetched.map(|()| summary)
        });
        let broken = || Err(Failure::new(Exit::Software, "the fetch broke down; `fido fetch` tells more"));
        let synced = work.join().unwrap_or_else(|_| broken()).map_err(|failure| Refused {
            text: failure.to_string(),
            question: question.filter(|_| failure.exit == Exit::NoPermission),
        });
        // The reader may have ended.
        let _ = sender.send(Event::Synced(synced));
    });
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn password(syncer: &mut Syncer, source: &str, typed: Option<&str>, found: &str) -> Option<Vec<u8>> {
        let text = format!("[account.a]\nhost = 'x'\nuser = 'fido'\n{source}");
        let profile = Config::parse(&text, Path::new("fido.toml")).unwrap().account("a").unwrap();
        let got = syncer.password_of(&profile, typed.map(Secret::from), |_| Ok(Secret::from(found)));
        got.ok().map(|password| password.expose().to_vec())
    }

    #[test]
    fn a_typed_password_is_kept_and_one_that_is_found_is_found_anew() {
        let mut syncer = Syncer::new(mpsc::channel().0);
        for (typed, expected) in
            [(None, None), (Some("bone"), Some("bone")), (None, Some("bone")), (Some("cat"), Some("cat"))]
        {
            assert_eq!(password(&mut syncer, "", typed, "x"), expected.map(|text| text.as_bytes().to_vec()));
        }
        for source in ["password-command = 'pass'", "keyring = true"] {
            for found in ["wrong", "right"] {
                assert_eq!(password(&mut syncer, source, None, found), Some(found.into()), "{source}");
            }
        }
    }
}
