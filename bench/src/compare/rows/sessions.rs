//! Rows of sessions: logging in, fetching, deleting, waiting, being held, plain and with TLS.

use std::{path::Path, sync::Arc, time::Duration};

use super::{Bench, Layout, Outcome, WINDOW, clients_are, reading, says, transfer, visits};
use crate::{
    corpus::{Corpus, LineEnds, Size},
    figures::{KIB, MILLISECONDS, Sheet, quantile},
    load::{Until, hold, run, time_sessions},
    servers::{Store, Subject},
    talk::{Pace, Work},
};

/// All that fetch small messages.
const ALL: [Subject; 5] = Subject::SERVERS;

/// Those that are near each other.
const BEST: [Subject; 3] = [Subject::Doghouse, Subject::DovecotBest, Subject::Floor];

impl Bench<'_> {
    pub(super) fn log_in(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let clients = self.some_clients();
        self.take_turns(sheet, &ALL, |subject| {
            let site = self.site(subject, layout, &accounts)?;
            let done = self.for_a_while(&site, Work::Count, Pace::Lockstep, clients)?;
            Ok(visits(&clients_are(clients), &done))
        });
    }

    pub(super) fn keep(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let some = self.some_clients();
        self.take_turns(sheet, &ALL, |subject| {
            let site = self.site(subject, layout, &accounts)?;
            let mut readings = Vec::new();
            for clients in &self.options.clients {
                let done = self.for_a_while(&site, Work::Keep, Pace::Lockstep, *clients)?;
                readings.extend(transfer(&clients_are(*clients), &done));
            }
            // A process a session gains nothing from it that is worth the time.
            if subject != Subject::Popa3d {
                let done = self.for_a_while(&site, Work::Keep, Pace::Ahead(WINDOW), some)?;
                readings.extend(transfer(&format!("commands sent ahead, {}", clients_are(some)), &done));
            }
            Ok(readings)
        });
    }

    fn large_layout(&self, ends: LineEnds) -> Layout {
        let (messages, size) = (self.options.large_messages, Size::Of(self.options.large_octets));
        Layout { corpus: Corpus { accounts: 1, messages, size }, store: Store::Maildir, ends }
    }

    pub(super) fn large(&self, sheet: &mut Sheet) {
        let accounts = Arc::new(self.large_layout(LineEnds::Lf).corpus.accounts());
        let forms = [("stored with LF", LineEnds::Lf), ("stored in wire form", LineEnds::CrLf)];
        let bare = [Subject::Floor, Subject::Write, Subject::Sendfile];
        let subjects = [Subject::Doghouse, Subject::DovecotBest].into_iter().chain(bare).collect::<Vec<_>>();
        self.take_turns(sheet, &subjects, |subject| {
            let mut readings = Vec::new();
            for (form, ends) in forms {
                // For what has it in memory there is one form; it stands beside both.
                let layout = self.large_layout(if bare.contains(&subject) { LineEnds::Lf } else { ends });
                let mail = self.mail_of(subject, layout, false)?;
                let server = self.start(subject, layout, &mail, false)?;
                let site = super::Site { server, mail, accounts: accounts.clone() };
                self.run(&site, site.sessions(Work::Keep, Pace::Lockstep), 1, Until::Sessions(1))?;
                let done = self.for_a_while(&site, Work::Keep, Pace::Lockstep, 1)?;
                readings.extend(transfer(form, &done).into_iter().skip(1));
            }
            Ok(readings)
        });
    }

    pub(super) fn held(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let mut short = Vec::new();
        self.take_turns(sheet, &BEST, |subject| {
            let mut readings = Vec::new();
            for encrypted in [false, true] {
                let site = self.site(subject, layout, &accounts)?;
                let target = if encrypted { self.encrypted_target(&site)? } else { site.target() };
                let before = site.server.tree.private().map_err(says)?;
                let kind = if encrypted { "TLS" } else { "plain" };
                let mut reached = 0;
                let note = |held: usize| {
                    reached = held;
                    let now = site.server.tree.private()?;
                    #[expect(clippy::cast_precision_loss, reason = "octets of one machine's memory")]
                    let each = (now as f64 - before as f64) / 1024.0 / held as f64;
                    readings.push(reading(format!("{kind}, {held} held"), KIB, each));
                    Ok(())
                };
                // Who holds fewer has the figures up to there.
                if let Err(why) = hold(&target, &accounts, &self.options.held, note) {
                    let why = format!("{kind}, after {reached} held: {why}");
                    eprintln!("(e) {subject}: {why}");
                    if !short.contains(&(subject, why.clone())) {
                        short.push((subject, why));
                    }
                }
            }
            Ok(readings)
        });
        sheet.failures.extend(short);
    }

    pub(super) fn delete(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let clients = self.some_clients();
        self.take_turns(sheet, &BEST, |subject| {
            let mail = self.mail_of(subject, layout, true)?;
            let server = self.start(subject, layout, &mail, false)?;
            let site = super::Site { server, mail, accounts: accounts.clone() };
            let job = site.sessions(Work::Delete, Pace::Lockstep);
            let done = self.run(&site, job, clients, Until::Sessions(accounts.len()))?;
            if subject != Subject::Floor {
                let left = messages_in(&site.mail)?;
                if left > 0 {
                    return Err(format!("{left} messages are still there"));
                }
            }
            let readings = transfer(&clients_are(clients), &done);
            drop(site);
            let mail = self.mail_of(subject, layout, true)?;
            std::fs::remove_dir_all(mail).map_err(says)?;
            Ok(readings)
        });
    }

    pub(super) fn latency(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let others = self.options.clients.iter().copied().max().unwrap_or(1);
        let subjects = [Subject::Doghouse, Subject::DovecotBest, Subject::DovecotInstalled, Subject::Floor];
        self.take_turns(sheet, &subjects, |subject| {
            let site = self.site(subject, layout, &accounts)?;
            // Long enough for a thousandth to be more than one session.
            let time = Duration::from_secs_f64(self.options.seconds * 2.0);
            let (target, job) = (site.target(), site.sessions(Work::Keep, Pace::Lockstep));
            let (until, threads) = (Until::Passed(time), self.cores);
            let (load, times) = std::thread::scope(|scope| {
                let load = scope.spawn(|| run(&target, job, others, threads, until, || Duration::ZERO));
                let times = time_sessions(&target, &accounts, usize::MAX, time);
                (load.join(), times)
            });
            load.map_err(|_| "a thread fell".to_owned())?.map_err(says)?;
            let mut times: Vec<f64> =
                times.map_err(says)?.iter().map(|time| time.as_secs_f64() * 1e3).collect();
            let parts = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
            let value = |(name, part)| Some(reading(name, MILLISECONDS, quantile(&mut times, part)?));
            Ok(parts.into_iter().filter_map(value).collect())
        });
    }

    pub(super) fn encrypted(&self, sheet: &mut Sheet) {
        let layout = self.small();
        let accounts = Arc::new(layout.corpus.accounts());
        let clients = self.some_clients();
        let large = Arc::new(self.large_layout(LineEnds::CrLf).corpus.accounts());
        self.take_turns(sheet, &BEST, |subject| {
            let name = clients_are(clients);
            let mut readings = {
                let site = self.site(subject, layout, &accounts)?;
                let target = self.encrypted_target(&site)?;
                let once = Until::Sessions(accounts.len());
                self.run_at(&target, &site, site.sessions(Work::Count, Pace::Lockstep), clients, once)?;
                let both = [Work::Count, Work::Keep].map(|work| {
                    self.run_at(&target, &site, site.sessions(work, Pace::Lockstep), clients, self.until())
                });
                let [count, keep] = both;
                let mut readings = visits(&format!("log in, count, quit; {name}"), &count?);
                readings.extend(transfer(&format!("fetch small messages; {name}"), &keep?));
                readings
            };
            let layout = self.large_layout(LineEnds::CrLf);
            let mail = self.mail_of(subject, layout, false)?;
            let server = self.start(subject, layout, &mail, false)?;
            let site = super::Site { server, mail, accounts: large.clone() };
            let target = self.encrypted_target(&site)?;
            let job = || site.sessions(Work::Keep, Pace::Lockstep);
            self.run_at(&target, &site, job(), 1, Until::Sessions(1))?;
            let done = self.run_at(&target, &site, job(), 1, self.until())?;
            readings.extend(transfer("large messages in wire form, 1 client", &done).into_iter().skip(1));
            Ok(readings)
        });
    }

    pub(super) fn stores(&self, sheet: &mut Sheet) {
        let small = self.small();
        let accounts = Arc::new(small.corpus.accounts());
        let clients = self.some_clients();
        self.take_turns(sheet, &[Subject::Doghouse], |subject| {
            let mut readings = Vec::new();
            for store in Store::ALL {
                let site = self.site(subject, Layout { store, ..small }, &accounts)?;
                let done = self.for_a_while(&site, Work::Keep, Pace::Lockstep, clients)?;
                readings.extend(transfer(&format!("{}, {}", store.word(), clients_are(clients)), &done));
            }
            Ok(readings)
        });
    }
}

/// How many messages lie in some accounts' Maildirs.
pub(super) fn messages_in(mail: &Path) -> Outcome<usize> {
    let mut count = 0;
    for account in std::fs::read_dir(mail).map_err(says)? {
        for part in ["new", "cur"] {
            count +=
                std::fs::read_dir(account.as_ref().map_err(says)?.path().join(part)).map_err(says)?.count();
        }
    }
    Ok(count)
}
