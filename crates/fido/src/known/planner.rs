//! What to ask of the server, and which message is new.
//!
//! Each message that is here is a credit of one: a message on the server with that digest takes it and is known;
//! where none is left, more of them are on the server than here, and it is new. So nothing is stored twice,
//! whatever others did to the mailbox.
//!
//! Retrieving everything would find out all. To spare that, the remembered messages are *assumed* to be where they
//! were once their sizes fit and the last of them is retrieved and is what it was. Where others only append and
//! delete, a message's number never grows, and falls by one with each message before it that goes; so the last one
//! can have its old number only if all the others do. An assumed message holds its credit. Where another
//! message turns up with the same digest, it may be that one, moved; then nothing is assumed any more.
//!
//! `docs/design/new-mail-only.md` has the whole of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{Entry, Fingerprint, Memory};

/// The largest message, in octets, that is retrieved only to see whether another program has put another message
/// of the same size in its place. Of those up to this size one is looked at in each session, in turn, so that such
/// a change is found after as many sessions as there are messages. [`Options::verify`] finds it at once.
pub const ROTATION_LARGEST: u64 = 64 * 1024;

/// What is wanted of a session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Assume nothing: retrieve everything and compare.
    pub verify: bool,
    /// Only the last messages of the mailbox, so many; another session may still get the others.
    pub newest: Option<u32>,
    /// At most so many new messages; the next session gets the others.
    pub limit: Option<u32>,
    /// No message larger than so many octets on the wire; a session that allows it gets it.
    pub max_size: Option<u64>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Say READ with this number, and tell the size to [`Planner::size`].
    Size(u32),
    /// Say RETR, and tell what came to [`Planner::retrieved`]. It is always the message of which the size was
    /// asked just before.
    Retrieve(u32),
    /// Say QUIT, and go on with [`Planner::finish`].
    Done,
}

/// What a retrieved message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be stored, and may be deleted on the server then.
    New,
    /// It is here, and may be deleted on the server.
    Known,
    /// It may be new: it is neither to be stored nor to be deleted. It is asked for again, in this session
    /// or in another.
    Later,
}

/// How the server took QUIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    /// It answered: what was marked is deleted.
    Answered,
    /// It did not: what was marked may still be there.
    Unanswered,
}

/// How many messages with one digest are here, and have not been seen on the server in this session.
#[derive(Debug)]
struct Credit {
    size: u64,
    free: u32,
    /// Those of messages that are assumed to be where they were.
    held: u32,
}

/// The plan of a session with one folder.
#[derive(Debug)]
pub struct Planner {
    options: Options,
    count: u32,
    remembered: BTreeMap<u32, Entry>,
    /// The first number that is wanted.
    first: u32,
    /// What is still to be compared with the remembered sizes.
    expected: VecDeque<(u32, Entry)>,
    /// The number of the message whose turn it is.
    pick: Option<u32>,
    turn: u32,
    /// The last number that is proved to be what it was.
    proved: u32,
    assumed: BTreeMap<u32, Fingerprint>,
    /// What is certain of this session's numbers.
    found: BTreeMap<u32, Entry>,
    credits: HashMap<[u8; 32], Credit>,
    /// The next number to fetch; `None` while sizes are compared.
    fetch: Option<u32>,
    ask: Ask,
    /// The size that was told last.
    size: u64,
    stored: u32,
    skipped: Vec<(u32, u64)>,
    marked: BTreeSet<u32>,
}

impl Planner {
    /// The plan for a folder of which this is known, and in which the server counts `count` messages.
    #[must_use]
    pub fn new(memory: &Memory, count: u32, options: Options) -> Self {
        let mut credits = HashMap::new();
        let there = memory.there.values().filter_map(|entry| entry.fingerprint());
        for Fingerprint { size, digest } in there.chain(memory.here.iter().copied()) {
            credits.entry(digest).or_insert(Credit { size, free: 0, held: 0 }).free += 1;
        }
        let may_prove = |entry: &Entry| {
            entry.digest.is_some() && options.max_size.is_none_or(|largest| entry.size <= largest)
        };
        let mut expected: VecDeque<_> =
            memory.there.iter().map(|(&number, &entry)| (number, entry)).collect();
        while expected.pop_back_if(|(_, entry)| !may_prove(entry)).is_some() {}
        let last = expected.back().map_or(0, |(number, _)| *number);
        if options.verify || count < last {
            expected.clear();
        }
        let turns = || {
            let small = |entry: &Entry| may_prove(entry) && entry.size <= ROTATION_LARGEST;
            expected.iter().rev().filter(move |(number, entry)| *number < last && small(entry))
        };
        // Downwards, so that new messages do not keep the round from ending.
        let pick = turns().find(|(number, _)| *number < memory.turn).or_else(|| turns().next());
        let pick = pick.map(|(number, _)| *number);
        let mut planner = Self {
            options,
            count,
            remembered: memory.there.clone(),
            first: options.newest.map_or(1, |newest| count.saturating_sub(newest).saturating_add(1)),
            expected,
            pick,
            turn: 0,
            proved: 0,
            assumed: BTreeMap::new(),
            found: BTreeMap::new(),
            credits,
            fetch: None,
            ask: Ask::Done,
            size: 0,
            stored: 0,
            skipped: Vec::new(),
            marked: BTreeSet::new(),
        };
        planner.ask = planner.next();
        planner
    }

    /// What to do next. It stays the same until that is answered.
    #[must_use]
    pub fn ask(&self) -> Ask {
        self.ask
    }

    /// The answer to [`Ask::Size`]: octets on the wire, 0 where there is no such message.
    pub fn size(&mut self, size: u64) {
        let Ask::Size(number) = self.ask else { return };
        self.size = size;
        let wanted = if self.fetch.is_none() { self.compare(number, size) } else { self.weigh(number, size) };
        self.ask = if wanted { Ask::Retrieve(number) } else { self.next() };
    }

    /// The answer to [`Ask::Retrieve`].
    pub fn retrieved(&mut self, Fingerprint { digest, .. }: Fingerprint) -> Verdict {
        let Ask::Retrieve(number) = self.ask else { return Verdict::Later };
        if self.fetch.is_none() {
            match self.release(number) {
                Some(expected) if expected.digest == digest => self.proved = self.proved.max(number),
                _ => self.assume_nothing(),
            }
        }
        let verdict = self.judge(number, &digest);
        if verdict != Verdict::Later {
            self.found.insert(number, Entry { size: self.size, digest: Some(digest) });
        }
        self.ask = self.next();
        verdict
    }

    /// A message that was retrieved in this session is marked to be deleted.
    pub fn marked(&mut self, number: u32) {
        if self.found.get(&number).is_some_and(|entry| entry.digest.is_some()) {
            self.marked.insert(number);
        }
    }

    /// The messages that were larger than [`Options::max_size`]: number and octets on the wire.
    #[must_use]
    pub fn skipped(&self) -> &[(u32, u64)] {
        &self.skipped
    }

    /// What is known of the folder after the session; `None` where it ended before [`Ask::Done`], so that only
    /// what was stored is to be added to what was known.
    #[must_use]
    pub fn finish(mut self, quit: Quit) -> Option<Memory> {
        if self.ask != Ask::Done {
            return None;
        }
        let mut here = Vec::new();
        // What was not seen may be among the messages that were not looked at, or that are not what they are
        // assumed to be. And a server that has lost sight of a folder says that it is empty.
        let seen = self.found.values().filter(|entry| entry.digest.is_some()).count();
        if self.count == 0 || seen < usize::try_from(self.count).unwrap_or(usize::MAX) {
            for (&digest, credit) in &self.credits {
                let fingerprint = Fingerprint { size: credit.size, digest };
                here.extend((0..credit.free).map(|_| fingerprint));
            }
        }
        let assumed = std::mem::take(&mut self.assumed).into_iter();
        self.found
            .extend(assumed.map(|(number, Fingerprint { size, digest })| {
                (number, Entry { size, digest: Some(digest) })
            }));
        if quit == Quit::Unanswered && !self.marked.is_empty() {
            return Some(self.in_doubt(here));
        }
        let mut memory = Memory { there: BTreeMap::new(), here, turn: self.turn };
        let mut removed = 0;
        for (&number, &entry) in &self.found {
            if self.marked.contains(&number) {
                removed += 1;
                memory.turn -= u32::from(number < self.turn);
            } else {
                memory.there.insert(number - removed, entry);
            }
        }
        while memory.there.last_entry().is_some_and(|last| last.get().digest.is_none()) {
            memory.there.pop_last();
        }
        Some(memory)
    }

    /// What is known where it is not known what was deleted. The list of before still holds, for the server has
    /// deleted from it or has not; that of now would be wrong where it has not.
    fn in_doubt(self, mut here: Vec<Fingerprint>) -> Memory {
        let mut listed: HashMap<[u8; 32], u32> = HashMap::new();
        for digest in self.remembered.values().filter_map(|entry| entry.digest) {
            *listed.entry(digest).or_default() += 1;
        }
        here.extend(self.found.values().filter_map(|entry| entry.fingerprint()));
        here.retain(|message| match listed.get_mut(&message.digest) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        Memory { there: self.remembered, here, turn: self.turn }
    }

    fn next(&mut self) -> Ask {
        loop {
            let Some(number) = self.fetch else {
                let next = match self.expected.front() {
                    Some((number, _)) => *number,
                    // Where the last one has become a hole, the one before it has to prove the others.
                    None => match self.assumed.last_key_value() {
                        Some((&last, _)) if last > self.proved => last,
                        _ => {
                            self.fetch = Some(self.first);
                            continue;
                        }
                    },
                };
                return Ask::Size(next);
            };
            if number > self.count || self.options.limit.is_some_and(|limit| self.stored >= limit) {
                return Ask::Done;
            }
            if !self.found.contains_key(&number) && !self.assumed.contains_key(&number) {
                return Ask::Size(number);
            }
            let Some(next) = number.checked_add(1) else { return Ask::Done };
            self.fetch = Some(next);
        }
    }

    /// Compares a size with the remembered one, and says whether the content is to be compared too.
    fn compare(&mut self, number: u32, size: u64) -> bool {
        let expected = self.expected.pop_front().map(|(_, entry)| entry.fingerprint().ok_or(entry.size));
        // Of the last one the size is asked once more where the one behind it has become a hole.
        let Some(expected) = expected.or_else(|| self.release(number).map(Ok)) else { return false };
        let turn = self.pick == Some(number);
        if turn {
            self.turn = number;
        }
        if size == 0 {
            // It is not there any more, and those behind it have kept their numbers.
            self.found.insert(number, Entry::HOLE);
        } else if size != expected.map_or_else(|size| size, |message| message.size) {
            self.assume_nothing();
        } else if let Ok(message) = expected {
            self.hold(number, message);
            return turn || self.expected.is_empty();
        }
        false
    }

    /// Whether a message that is not known, of this size, is to be retrieved.
    fn weigh(&mut self, number: u32, size: u64) -> bool {
        if size == 0 {
            self.found.insert(number, Entry::HOLE);
        } else if self.options.max_size.is_some_and(|largest| size > largest) {
            self.found.insert(number, Entry { size, digest: None });
            self.skipped.push((number, size));
        } else {
            return true;
        }
        false
    }

    fn judge(&mut self, number: u32, digest: &[u8; 32]) -> Verdict {
        match self.credits.get_mut(digest) {
            Some(credit) if credit.free > 0 => {
                credit.free -= 1;
                Verdict::Known
            }
            Some(credit) if credit.held > 0 => {
                self.assume_nothing();
                Verdict::Later
            }
            _ if number < self.first || self.options.limit.is_some_and(|limit| self.stored >= limit) => {
                Verdict::Later
            }
            _ => {
                self.stored += 1;
                Verdict::New
            }
        }
    }

    /// Assumes that a message is where it was.
    fn hold(&mut self, number: u32, fingerprint: Fingerprint) {
        if let Some(credit) = self.credits.get_mut(&fingerprint.digest)
            && credit.free > 0
        {
            credit.free -= 1;
            credit.held += 1;
            self.assumed.insert(number, fingerprint);
        }
    }

    fn release(&mut self, number: u32) -> Option<Fingerprint> {
        let fingerprint = self.assumed.remove(&number)?;
        let credit = self.credits.get_mut(&fingerprint.digest)?;
        credit.held -= 1;
        credit.free += 1;
        Some(fingerprint)
    }

    /// Goes on with retrieving everything.
    fn assume_nothing(&mut self) {
        self.expected.clear();
        self.assumed.clear();
        for credit in self.credits.values_mut() {
            credit.free += credit.held;
            credit.held = 0;
        }
        self.turn = 0;
        self.fetch = Some(self.first);
    }
}

#[cfg(test)]
mod tests;
