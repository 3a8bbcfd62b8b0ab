//! Mail from one store to another.
//!
//! A message counts as there if one with the same octets on the wire is there already. So a copy that was
//! interrupted can be made again, and only what is missing is copied; of messages that are alike there are as many
//! afterwards as there were at the source.

use std::{collections::HashMap, num::NonZeroU32};

use postbox::{Digest, Error, FolderName, Mailbox, Message, Postbox, letter};
use serde::Serialize;

/// Told of each message that was looked at or copied; false ends the work before the next one.
pub trait Watcher {
    /// Some messages are to be looked at.
    fn begin(&mut self, what: &'static str, messages: u32);

    /// One is done. Whether to go on.
    fn next(&mut self) -> bool;
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Messages that were copied.
    pub copied: u64,
    /// Messages that were there already.
    pub there: u64,
    /// The octets on the wire of those that were copied.
    pub octets: u64,
    /// Messages that could not be read or are not there afterwards, and why.
    pub faults: Vec<String>,
    /// It was ended before its end.
    pub interrupted: bool,
}

/// Copies a folder's messages in their order, and looks afterwards whether they are there.
///
/// # Errors
/// Where a folder cannot be opened or a message cannot be delivered. What was copied until then is there.
pub async fn copy(
    (from, from_folder): (&impl Postbox, &FolderName),
    (to, folder): (&impl Postbox, &FolderName),
    watcher: &mut impl Watcher,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let Some(mut there) = digests(to, folder, "looking at what is there", watcher, &mut tally).await? else {
        return Ok(tally);
    };
    let mut source = from.select(from_folder).await?;
    let mut wanted: HashMap<Digest, usize> = HashMap::new();
    watcher.begin("copying", source.count());
    for number in (1..=source.count()).filter_map(NonZeroU32::new) {
        if let Some((message, digest)) = read(&mut source, number, from_folder, &mut tally).await {
            let wanted = wanted.entry(digest).or_default();
            *wanted += 1;
            let there = there.entry(digest).or_default();
            if *there >= *wanted {
                tally.there += 1;
            } else {
                deliver(to, folder, &message).await?;
                *there += 1;
                tally.copied += 1;
                tally.octets += message.length();
            }
        }
        if !watcher.next() {
            tally.interrupted = true;
            return Ok(tally);
        }
    }
    if tally.copied > 0 {
        let Some(found) = digests(to, folder, "verifying", watcher, &mut tally).await? else {
            return Ok(tally);
        };
        let missing: usize = wanted
            .iter()
            .map(|(digest, wanted)| wanted.saturating_sub(found.get(digest).copied().unwrap_or_default()))
            .sum();
        if missing > 0 {
            tally.faults.push(format!(
                "{folder}: {missing} messages are not there after the copy; another program may have taken them"
            ));
        }
    }
    Ok(tally)
}

/// Reads every message of a folder to its end.
///
/// # Errors
/// Where the folder cannot be opened.
pub async fn verify(
    postbox: &impl Postbox,
    folder: &FolderName,
    watcher: &mut impl Watcher,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut mailbox = postbox.select(folder).await?;
    if let Err(error) = mailbox.size().await {
        tally.faults.push(format!("{folder}: {error}"));
    }
    watcher.begin("verifying", mailbox.count());
    for number in (1..=mailbox.count()).filter_map(NonZeroU32::new) {
        if let Some((message, _)) = read(&mut mailbox, number, folder, &mut tally).await {
            tally.there += 1;
            tally.octets += message.length();
        }
        if !watcher.next() {
            tally.interrupted = true;
            break;
        }
    }
    Ok(tally)
}

/// How often each message is in a folder; `None` where it was interrupted.
async fn digests(
    postbox: &impl Postbox,
    folder: &FolderName,
    what: &'static str,
    watcher: &mut impl Watcher,
    tally: &mut Tally,
) -> Result<Option<HashMap<Digest, usize>>, Error> {
    let mut mailbox = postbox.select(folder).await?;
    let mut digests: HashMap<Digest, usize> = HashMap::new();
    watcher.begin(what, mailbox.count());
    for number in (1..=mailbox.count()).filter_map(NonZeroU32::new) {
        if let Some((_, digest)) = read(&mut mailbox, number, folder, tally).await {
            *digests.entry(digest).or_default() += 1;
        }
        if !watcher.next() {
            tally.interrupted = true;
            return Ok(None);
        }
    }
    Ok(Some(digests))
}

/// A message and what it is known by; `None` where it is gone, or cannot be read, which is noted.
async fn read(
    mailbox: &mut impl Mailbox,
    number: NonZeroU32,
    folder: &FolderName,
    tally: &mut Tally,
) -> Option<(Message, Digest)> {
    let read = async {
        let Some(message) = mailbox.message(number).await? else { return Ok(None) };
        let digest = message.digest().await?;
        Ok::<_, Error>(Some((message, digest)))
    };
    read.await.unwrap_or_else(|error| {
        tally.faults.push(format!("{folder}, message {number}: {error}"));
        None
    })
}

async fn deliver(to: &impl Postbox, folder: &FolderName, message: &Message) -> Result<(), Error> {
    let (mut feed, letter) = letter::channel();
    let put = async {
        let (mut octets, mut wire) = (message.octets(), Vec::new());
        while octets.next(&mut wire).await? {
            feed.put(&wire).await;
            wire.clear();
        }
        feed.end().await;
        Ok::<_, Error>(())
    };
    // A feed that fails is dropped, and the letter that lacks its end is not delivered.
    let (put, delivered) = tokio::join!(put, to.deliver(folder, letter));
    put.and(delivered)
}

#[cfg(test)]
mod tests {
    use postbox::{Store, maildir::Maildir, memory::Memory, mh::Mh, one_file::MailFile};

    use super::*;

    /// Ends after so many messages.
    struct After(u32);

    impl Watcher for After {
        fn begin(&mut self, _what: &'static str, _messages: u32) {}

        fn next(&mut self) -> bool {
            self.0 -= 1;
            self.0 > 0
        }
    }

    async fn all(postbox: &impl Postbox, folder: &FolderName) -> Vec<Vec<u8>> {
        let mut mailbox = postbox.select(folder).await.unwrap();
        let mut all = Vec::new();
        for number in (1..=mailbox.count()).filter_map(NonZeroU32::new) {
            let message = mailbox.message(number).await.unwrap().unwrap();
            let (mut octets, mut wire) = (message.octets(), Vec::new());
            while octets.next(&mut wire).await.unwrap() {}
            all.push(wire);
        }
        all
    }

    const MAIL: [&[u8]; 9] = [
        b"Subject: one\n\nwoof\n",
        b"",
        b"Subject: two\r\n\r\nFrom me\r\n",
        b"Subject: alike\n\nwoof\n",
        b"no end",
        b"Subject: alike\n\nwoof\n",
        b"\r\r\n\n\n",
        b"From x Fri Feb  1 09:12:33 1985\n\n>From\n\xff\0\n",
        b"Subject: last\n\n.\n..\n",
    ];

    #[tokio::test]
    async fn mail_goes_round_through_every_store_and_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let stores = [
            Store::Memory(Memory::default()),
            Store::Maildir(Maildir::new(at("Maildir"))),
            Store::MailFile(MailFile::mbox(at("mbox"))),
            Store::Mh(Mh::new(at("Mail"))),
            Store::MailFile(MailFile::mtx(at("MAIL.TXT"))),
            Store::Memory(Memory::default()),
        ];
        let lists = FolderName::parse("lists").unwrap();
        for message in MAIL {
            stores[0].deliver(&lists, message).await.unwrap();
        }
        for pair in stores.windows(2) {
            let tally = copy((&pair[0], &lists), (&pair[1], &lists), &mut After(1000)).await.unwrap();
            assert_eq!((tally.copied, tally.there, &*tally.faults), (9, 0, &[][..]));
            assert_eq!(all(&pair[1], &lists).await, all(&stores[0], &lists).await);
            let again = copy((&pair[0], &lists), (&pair[1], &lists), &mut After(1000)).await.unwrap();
            assert_eq!((again.copied, again.there), (0, 9));
            let tally = verify(&pair[1], &lists, &mut After(1000)).await.unwrap();
            assert_eq!((tally.there, tally.faults), (9, vec![]));
        }
    }

    #[tokio::test]
    async fn an_interrupted_copy_is_finished_by_the_next() {
        let inbox = FolderName::inbox();
        let (from, to) = (Memory::default(), Memory::default());
        to.deliver(&inbox, &b"mail of its own"[..]).await.unwrap();
        for message in MAIL {
            from.deliver(&inbox, message).await.unwrap();
        }
        let mut copied = 0;
        for end in 1..30 {
            let tally = copy((&from, &inbox), (&to, &inbox), &mut After(end)).await.unwrap();
            copied += tally.copied;
            if !tally.interrupted {
                break;
            }
        }
        assert_eq!(copied, 9);
        let mut found = all(&to, &inbox).await;
        assert_eq!(found.remove(0), b"mail of its own");
        assert_eq!(found, all(&from, &inbox).await);
    }
}
