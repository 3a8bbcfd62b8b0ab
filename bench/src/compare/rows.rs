//! The work that is measured, a row a letter. In each the servers take turns, round after round, each alone.

mod delivery;
mod selecting;
mod sessions;

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    Options,
    corpus::{Corpus, LineEnds, Size, copy_tree, give, link_tree},
    figures::{CPU_A_GB, CPU_A_THOUSAND, MESSAGES, Measure, OCTETS, Reading, SESSIONS, Sheet},
    load::{Done, Job, Target, Until, run},
    process::wait_if_told_to_end,
    servers::{Certificate, Owner, Programs, Server, Setting, Store, Subject, start},
    talk::{Account, Pace, Work},
    tls,
};

/// The rows, by their letters in the order of the report, and what they are.
pub(crate) const ROWS: [(char, &str); 10] = [
    ('a', "log in, count, quit"),
    ('b', "fetch all and keep: small messages"),
    ('c', "fetch large messages on one connection"),
    ('d', "select a large mailbox"),
    ('e', "private memory of the server for a connection that is held after its login"),
    ('f', "fetch and delete all: small messages"),
    ('h', "the time of a session that logs in, counts and quits, while 64 others fetch"),
    ('i', "TLS"),
    ('j', "delivery by LMTP, each message on the disk before it is taken"),
    ('k', "fetch all and keep, by the kind of Doghouse's store"),
];

/// How many messages are asked for ahead.
const WINDOW: usize = 64;

/// What a measurement can say went wrong.
type Outcome<T> = Result<T, String>;

/// All that rows need.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) programs: &'a Programs,
    pub(crate) scratch: &'a Path,
    pub(crate) certificate: &'a Certificate,
    pub(crate) owner: Option<&'a Owner>,
    pub(crate) cores: usize,
    /// Of each start there is a folder.
    pub(crate) starts: Cell<usize>,
}

/// A server over the mail of a corpus, and what it is to send.
struct Site {
    server: Server,
    mail: PathBuf,
    accounts: Arc<Vec<Arc<Account>>>,
}

/// Mail as it is laid out for somebody.
#[derive(Debug, Clone, Copy)]
struct Layout {
    corpus: Corpus,
    store: Store,
    ends: LineEnds,
}

fn says(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Bench<'_> {
    /// Measures a row.
    pub(crate) fn row(&self, letter: char, title: &'static str) -> Sheet {
        let mut sheet = Sheet::new(letter, title);
        match letter {
            'a' => self.log_in(&mut sheet),
            'b' => self.keep(&mut sheet),
            'c' => self.large(&mut sheet),
            'd' => self.select(&mut sheet),
            'e' => self.held(&mut sheet),
            'f' => self.delete(&mut sheet),
            'h' => self.latency(&mut sheet),
            'i' => self.encrypted(&mut sheet),
            'j' => self.deliver(&mut sheet),
            _ => self.stores(&mut sheet),
        }
        sheet
    }

    /// Has each of some subjects measured in each round, the last one first in every other round.
    fn take_turns(
        &self,
        sheet: &mut Sheet,
        subjects: &[Subject],
        mut measure: impl FnMut(Subject) -> Outcome<Vec<Reading>>,
    ) {
        for round in 0..self.options.rounds {
            let mut order: Vec<Subject> =
                subjects.iter().copied().filter(|subject| self.options.wants(*subject)).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for subject in order {
                if sheet.has_failed(subject) {
                    continue;
                }
                eprintln!("({}) round {} of {}: {subject}", sheet.row, round + 1, self.options.rounds);
                match measure(subject) {
                    Ok(readings) => readings.into_iter().for_each(|reading| sheet.note(subject, reading)),
                    Err(why) => {
                        wait_if_told_to_end();
                        eprintln!("({}) {subject} FAILED: {why}", sheet.row);
                        sheet.fail(subject, why);
                    }
                }
            }
        }
    }

    /// A corpus of the accounts and small messages that most rows use.
    fn small(&self) -> Layout {
        let corpus =
            Corpus { accounts: self.options.accounts, messages: self.options.messages, size: Size::Small };
        Layout { corpus, store: Store::Maildir, ends: LineEnds::Lf }
    }

    /// The mail of a layout, made once.
    fn master(&self, layout: Layout) -> Outcome<PathBuf> {
        let Layout { corpus, store, ends } = layout;
        let name =
            format!("{}-{ends:?}-{}-{}-{:?}", store.word(), corpus.accounts, corpus.messages, corpus.size);
        let master = self.scratch.join("master").join(name.replace(['(', ')'], ""));
        if !master.exists() {
            let written = match store {
                Store::Maildir => corpus.write_maildirs(&master, ends),
                Store::Mbox => corpus.write_mboxes(&master),
                Store::Mh => corpus.write_mh(&master),
                Store::Mtx => corpus.write_mtx(&master),
            };
            written.and_then(|()| give(&master, self.owner.map(|owner| owner.ids))).map_err(says)?;
        }
        Ok(master)
    }

    /// The same mail as a copy of somebody's own; `again` makes a new one.
    fn mail_of(&self, subject: Subject, layout: Layout, again: bool) -> Outcome<PathBuf> {
        let master = self.master(layout)?;
        let name = master.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mail = self.scratch.join("mail").join(format!("{}-{name}", subject.word()));
        if mail.exists() && again {
            fs::remove_dir_all(&mail).map_err(says)?;
        }
        if !mail.exists() {
            // Links where a message is a file that nobody writes to.
            let one_file = matches!(layout.store, Store::Mbox | Store::Mtx);
            let copied = if one_file { copy_tree(&master, &mail) } else { link_tree(&master, &mail) };
            copied.and_then(|()| self.give_folders(&mail)).map_err(says)?;
        }
        Ok(mail)
    }

    fn give_folders(&self, path: &Path) -> io::Result<()> {
        give(path, self.owner.map(|owner| owner.ids))
    }

    /// Starts somebody over mail.
    fn start(&self, subject: Subject, layout: Layout, mail: &Path, durable: bool) -> Outcome<Server> {
        let number = self.starts.get();
        self.starts.set(number + 1);
        let setting = Setting {
            programs: self.programs,
            home: self.scratch.join("run").join(format!("{number}-{}", subject.word())),
            mail: mail.to_owned(),
            store: layout.store,
            corpus: layout.corpus,
            certificate: self.certificate,
            owner: self.owner,
            durable,
            cores: self.cores,
        };
        start(subject, &setting).map_err(says)
    }

    /// Starts somebody over a layout, and has every account fetched once, so that all are as warm as they get.
    fn site(&self, subject: Subject, layout: Layout, accounts: &Arc<Vec<Arc<Account>>>) -> Outcome<Site> {
        let layout =
            if subject == Subject::Popa3d { Layout { store: Store::Mbox, ..layout } } else { layout };
        let mail = self.mail_of(subject, layout, false)?;
        let server = self.start(subject, layout, &mail, false)?;
        let site = Site { server, mail, accounts: accounts.clone() };
        let job = site.sessions(Work::Keep, Pace::Lockstep);
        self.run(&site, job, 8, Until::Sessions(accounts.len()))?;
        Ok(site)
    }

    /// Lets clients work for the time of a measurement.
    fn for_a_while(&self, site: &Site, work: Work, pace: Pace, clients: usize) -> Outcome<Done> {
        self.run(site, site.sessions(work, pace), clients, self.until())
    }

    fn run(&self, site: &Site, job: Job, clients: usize, until: Until) -> Outcome<Done> {
        self.run_at(&site.target(), site, job, clients, until)
    }

    fn run_at(&self, target: &Target, site: &Site, job: Job, clients: usize, until: Until) -> Outcome<Done> {
        run(target, job, clients, self.cores, until, || site.server.tree.cpu()).map_err(says)
    }

    fn until(&self) -> Until {
        Until::Passed(Duration::from_secs_f64(self.options.seconds))
    }

    /// The door where TLS is spoken.
    fn encrypted_target(&self, site: &Site) -> Outcome<Target> {
        let door = site.server.tls.ok_or("does not speak TLS")?;
        let tls = Some(tls::connector(self.certificate).map_err(says)?);
        Ok(Target { protocol: site.server.protocol, door, tls })
    }

    /// The numbers of clients in the middle of those that are asked for: most rows have one only.
    fn some_clients(&self) -> usize {
        let clients = &self.options.clients;
        clients.get(clients.len() / 2).copied().unwrap_or(1)
    }
}

impl Site {
    fn target(&self) -> Target {
        Target { protocol: self.server.protocol, door: self.server.door, tls: None }
    }

    fn sessions(&self, work: Work, pace: Pace) -> Job {
        Job::Sessions { accounts: self.accounts.clone(), work, pace }
    }
}

fn reading(work: impl Into<String>, measure: Measure, value: f64) -> Reading {
    Reading { work: work.into(), measure, value }
}

/// Messages and octets a second, and what they cost the server.
#[expect(clippy::cast_precision_loss, reason = "octets of a few seconds")]
fn transfer(work: &str, done: &Done) -> Vec<Reading> {
    let gigabytes = done.octets as f64 / 1e9;
    let mut readings = vec![
        reading(work, MESSAGES, done.a_second(done.messages)),
        reading(work, OCTETS, done.a_second(done.octets) / 1e6),
    ];
    if gigabytes > 0.0 {
        readings.push(reading(work, CPU_A_GB, done.cpu.as_secs_f64() / gigabytes));
    }
    readings
}

/// Sessions a second, and what they cost the server.
fn visits(work: &str, done: &Done) -> Vec<Reading> {
    vec![
        reading(work, SESSIONS, done.a_second(done.sessions)),
        reading(work, CPU_A_THOUSAND, done.cpu_each(done.sessions) * 1e3),
    ]
}

/// `1 client`, `16 clients`.
fn clients_are(clients: usize) -> String {
    format!("{clients} client{}", if clients == 1 { "" } else { "s" })
}

/// The letters of the rows that there are.
pub(crate) fn letters() -> BTreeSet<char> {
    ROWS.iter().map(|(letter, _)| *letter).collect()
}
