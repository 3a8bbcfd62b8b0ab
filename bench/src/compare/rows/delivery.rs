//! Delivery by LMTP: what was confirmed is on the disk, and is what was sent.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

use super::{Bench, Layout, Outcome, clients_are, reading, says};
use crate::{
    corpus::{Corpus, LineEnds, make_maildir, wire},
    figures::{CPU_A_THOUSAND_MESSAGES, MESSAGES, Sheet},
    load::{Job, Target},
    servers::{Store, Subject},
    talk::{Letter, Protocol},
};

/// Different messages.
const LETTERS: usize = 1000;

/// Messages a connection, as an MTA with a queue sends them.
const A_CONNECTION: usize = 50;

impl Bench<'_> {
    pub(super) fn deliver(&self, sheet: &mut Sheet) {
        let corpus = Corpus { messages: LETTERS, ..self.small().corpus };
        let layout = Layout { corpus, store: Store::Maildir, ends: LineEnds::Lf };
        let texts: Vec<Vec<u8>> = (0..LETTERS).map(|message| wire(&corpus.text(0, message))).collect();
        let known: BTreeSet<u64> = texts.iter().map(|text| xxh3_64(text)).collect();
        let letters: Arc<Vec<Arc<Letter>>> =
            Arc::new(texts.iter().map(|text| Arc::new(Letter::new(text))).collect());
        self.take_turns(sheet, &[Subject::Doghouse, Subject::DovecotBest], |subject| {
            let mut readings = Vec::new();
            for clients in [1, self.some_clients()] {
                let mail = self.scratch.join("mail").join(format!("{}-delivery", subject.word()));
                let _ = fs::remove_dir_all(&mail);
                for account in 0..corpus.accounts {
                    make_maildir(&mail.join(Corpus::user(account))).map_err(says)?;
                }
                self.give_folders(&mail).map_err(says)?;
                let server = self.start(subject, layout, &mail, true)?;
                let door = server.lmtp.ok_or("takes no mail by LMTP here (Debian: dovecot-lmtpd)")?;
                let site = super::Site { server, mail, accounts: Arc::default() };
                let target = Target { protocol: Protocol::Bare, door, tls: None };
                let job = Job::Deliver {
                    accounts: corpus.accounts,
                    letters: letters.clone(),
                    a_connection: A_CONNECTION,
                };
                let done = self.run_at(&target, &site, job, clients, self.until())?;
                let stored = check(&site.mail, &known)?;
                if stored < done.messages {
                    return Err(format!("{} messages confirmed and {stored} stored", done.messages));
                }
                let name = clients_are(clients);
                readings.push(reading(name.clone(), MESSAGES, done.a_second(done.messages)));
                let cost = done.cpu_each(done.messages) * 1e3;
                readings.push(reading(name, CPU_A_THOUSAND_MESSAGES, cost));
            }
            Ok(readings)
        });
    }
}

/// Counts what was delivered, and compares each with what was sent; fields above it are the server's own.
fn check(mail: &Path, known: &BTreeSet<u64>) -> Outcome<u64> {
    let mut stored = 0;
    for account in fs::read_dir(mail).map_err(says)? {
        let folder = account.map_err(says)?.path();
        for part in ["new", "cur"] {
            for entry in fs::read_dir(folder.join(part)).map_err(says)? {
                let path = entry.map_err(says)?.path();
                let text = fs::read(&path).map_err(says)?;
                let sent = memmem::find(&text, b"Message-ID: <")
                    .and_then(|begin| text.get(begin..))
                    .unwrap_or_default();
                let sent: Vec<u8> = sent.iter().copied().filter(|octet| *octet != b'\r').collect();
                if !known.contains(&xxh3_64(&wire(&sent))) {
                    return Err(format!("{} holds other octets than what was sent", path.display()));
                }
                stored += 1;
            }
        }
    }
    Ok(stored)
}
