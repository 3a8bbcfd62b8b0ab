//! Selecting a large mailbox: how long it takes from the login to the count.

use std::{
    fs,
    mem::MaybeUninit,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::{Mode, OFlags, RawDir, open};

use super::{Bench, Layout, Outcome, reading, says};
use crate::{
    corpus::{Corpus, Expected, LineEnds, Size, give, link_tree, write_crowd},
    figures::{MILLISECONDS, Reading, Sheet},
    load::time_select,
    machine::drop_caches,
    servers::{Store, Subject},
    talk::Account,
};

/// Selections of which the median is taken, where nothing changes between them.
const TIMES: usize = 9;

/// What is read of a folder at once.
const BUFFER: usize = 256 * 1024;

/// What the servers know of the mailbox that lies beside the messages, and is taken away before a cold start.
const INDEXES: [&str; 6] = [
    "dovecot.index",
    "dovecot.index.log",
    "dovecot.index.cache",
    "dovecot.list.index.log",
    "dovecot-uidlist",
    "maildirfolder",
];

impl Bench<'_> {
    pub(super) fn select(&self, sheet: &mut Sheet) {
        let subjects = [Subject::Doghouse, Subject::DovecotBest, Subject::Names];
        for messages in &self.options.crowds {
            self.take_turns(sheet, &subjects, |subject| self.select_one(subject, *messages));
        }
    }

    fn select_one(&self, subject: Subject, messages: usize) -> Outcome<Vec<Reading>> {
        let mail = self.crowd(subject, messages)?;
        let home = mail.join(Corpus::user(0));
        let cold = format!("{messages} messages, cold");
        let warm = format!("{messages} messages, unchanged since the last time");
        if subject == Subject::Names {
            drop_caches();
            let first = names(&home)?;
            let mut again = (0..TIMES).map(|_| names(&home)).collect::<Outcome<Vec<_>>>()?;
            return Ok(vec![milliseconds(cold, first), milliseconds(warm, middle(&mut again))]);
        }
        for index in INDEXES {
            // Most are not there.
            let _ = fs::remove_file(home.join(index));
        }
        let corpus = Corpus { accounts: 1, messages: 0, size: Size::Small };
        let layout = Layout { corpus, store: Store::Maildir, ends: LineEnds::Lf };
        let server = self.start(subject, layout, &mail, false)?;
        let site = super::Site { server, mail, accounts: Arc::default() };
        let account = |messages| {
            let messages = vec![Expected { octets: 0, digest: 0 }; messages];
            Arc::new(Account { user: Corpus::user(0), messages })
        };
        let target = site.target();
        let all = account(messages);
        // The server is there, its program read; what it is to read of the mailbox is forgotten.
        std::thread::sleep(Duration::from_millis(300));
        drop_caches();
        let first = time_select(&target, &all).map_err(says)?;
        let once = || time_select(&target, &all).map_err(says);
        once()?;
        let mut again = (0..TIMES).map(|_| once()).collect::<Outcome<Vec<_>>>()?;
        let one_more = home.join("new/1969936000.M1P1.dog-house.example,S=22,W=25");
        let draft = home.join("tmp/one-more");
        fs::write(&draft, "Subject: one more\n\nwoof").map_err(says)?;
        give(&draft, self.owner.map(|owner| owner.ids)).map_err(says)?;
        fs::rename(&draft, &one_more).map_err(says)?;
        let changed = time_select(&target, &account(messages + 1)).map_err(says)?;
        drop(site);
        // Where it is now, another program may have moved it to.
        for part in ["new", "cur"] {
            for entry in fs::read_dir(home.join(part)).map_err(says)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with("1969936000.") {
                    fs::remove_file(entry.path()).map_err(says)?;
                }
            }
        }
        let one_came = format!("{messages} messages, and one that has come since");
        Ok(vec![
            milliseconds(cold, first),
            milliseconds(warm, middle(&mut again)),
            milliseconds(one_came, changed),
        ])
    }

    fn crowd(&self, subject: Subject, messages: usize) -> Outcome<std::path::PathBuf> {
        let mail = self.scratch.join("mail").join(format!("{}-crowd-{messages}", subject.word()));
        if !mail.exists() {
            let master = self.scratch.join("master").join(format!("crowd-{messages}"));
            let home = master.join(Corpus::user(0));
            if !master.exists() {
                write_crowd(&home, messages).map_err(says)?;
            }
            link_tree(&master, &mail).map_err(says)?;
            give(&mail, self.owner.map(|owner| owner.ids)).map_err(says)?;
        }
        Ok(mail)
    }
}

fn milliseconds(work: String, time: Duration) -> Reading {
    reading(work, MILLISECONDS, time.as_secs_f64() * 1e3)
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How long it takes to read the names in `cur` and `new`, and nothing else.
fn names(home: &Path) -> Outcome<Duration> {
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    let begun = Instant::now();
    let mut octets = 0;
    for part in ["new", "cur"] {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(home.join(part), flags, Mode::empty()).map_err(says)?;
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            octets += entry.map_err(says)?.file_name().count_bytes();
        }
    }
    std::hint::black_box(octets);
    Ok(begun.elapsed())
}
