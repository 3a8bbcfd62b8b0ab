//! Sessions of every kind with mailboxes to which others do everything, and what always holds.
//!
//! Messages that cannot be told apart by their octets are counted: of those with the same octets no more may be
//! stored than ever arrived, and none is missed if as many are here as are on the server.
//!
//! Where others only append and delete, it is assumed that a message with the octets of the one that proves does
//! not arrive in the time in which others delete messages that were known: such a session verifies here.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    Ask, Fingerprint, Memory, Options, Planner, Quit, Verdict,
    format::{Event, Known},
};

/// The size of most messages; so that sizes alone tell little.
const SIZE: u64 = 10;

/// A message on the server.
#[derive(Clone, Copy, Debug)]
struct Mail {
    id: usize,
    /// What it consists of; two of one kind have the same octets.
    kind: u8,
    /// How much the server adds to its header.
    status: u64,
    /// Whether the server counts it, and has no size for it.
    hole: bool,
}

impl Mail {
    fn fingerprint(self) -> Fingerprint {
        Fingerprint { size: SIZE + u64::from(self.kind / 6) + self.status, digest: [self.kind; 32] }
    }
}

/// What others do.
#[derive(Clone, Debug)]
enum Others {
    Append(u8),
    Copy(usize),
    Delete(usize),
    /// As many go as come.
    Slide(usize, Vec<u8>),
    /// What a server does: its size is 0 from now on, or no longer.
    Hole(usize),
    Status(usize, u64),
    Move(usize, usize),
    /// By another one of its size; the old one may come to the end.
    Replace(usize, u8, bool),
}

#[derive(Clone, Copy, Debug)]
struct Session {
    options: Options,
    delete: bool,
    /// After how many steps it is cut off.
    cut: Option<usize>,
    /// Whether QUIT is answered, and whether the server deletes.
    answered: bool,
    deletes: bool,
    /// After so many steps others delete a message, counted from the last.
    vanishes: Option<(usize, usize)>,
}

const PLAIN: Session = Session {
    options: Options { verify: false, newest: None, limit: None, max_size: None },
    delete: false,
    cut: None,
    answered: true,
    deletes: true,
    vanishes: None,
};

fn plain(verify: bool) -> Session {
    Session { options: Options { verify, ..PLAIN.options }, ..PLAIN }
}

/// The server, and what is here.
#[derive(Default)]
struct World {
    mails: Vec<Mail>,
    arrived: Vec<u8>,
    stored: Vec<u8>,
    record: Known,
    /// Whether the message in doubt is here.
    placed: bool,
    /// The messages of the remembered list.
    remembered: Vec<Mail>,
    /// The numbers that were retrieved in this session.
    retrieved: Vec<u32>,
}

fn count(kinds: &[u8], kind: u8) -> usize {
    kinds.iter().map(|&other| usize::from(other == kind)).sum()
}

struct Cut;

impl World {
    fn happens(&mut self, what: &Others) {
        let length = self.mails.len();
        let (Others::Append(kind) | Others::Replace(_, kind, _)) = *what else {
            if length > 0 {
                match *what {
                    Others::Copy(index) => self.append(self.mails[index % length].kind),
                    Others::Delete(index) => drop(self.mails.remove(index % length)),
                    Others::Slide(index, ref kinds) => {
                        for &kind in kinds {
                            self.mails.remove(index % length);
                            self.append(kind);
                        }
                    }
                    Others::Hole(index) => self.mails[index % length].hole ^= true,
                    Others::Status(index, status) => self.mails[index % length].status = status * 20,
                    Others::Move(from, to) => {
                        let mail = self.mails.remove(from % length);
                        self.mails.insert(to % length, mail);
                    }
                    Others::Append(_) | Others::Replace(..) => {}
                }
            }
            return;
        };
        self.append(kind);
        if let Others::Replace(index, _, keep) = *what {
            let same = |mail: &Mail| mail.fingerprint().size == SIZE + u64::from(kind / 6);
            let like: Vec<_> = (0..length).filter(|&index| same(&self.mails[index])).collect();
            if !like.is_empty() {
                let old = self.mails.swap_remove(like[index % like.len()]);
                self.mails.extend(keep.then_some(old));
            }
        }
    }

    fn append(&mut self, kind: u8) {
        self.mails.push(Mail { id: self.arrived.len(), kind, status: 0, hole: false });
        self.arrived.push(kind);
    }

    /// Whether what is assumed of copies does not hold.
    fn is_ambiguous(&self, session: &Session) -> bool {
        let is = |mail: &Mail, other: &Mail| mail.id == other.id;
        let there = |mail: &Mail| self.mails.iter().any(|other| is(mail, other));
        if session.vanishes.is_none() && self.remembered.iter().all(there) {
            return false;
        }
        let proof = self.remembered.last().map(|mail| mail.kind);
        // With these another one than the last may have to prove.
        let any = session.options.max_size.is_some() || self.mails.iter().any(|mail| mail.hole);
        let any = any || session.vanishes.is_some();
        self.mails.iter().any(|mail| {
            !self.remembered.iter().any(|other| is(mail, other))
                && (Some(mail.kind) == proof
                    || any && self.remembered.iter().any(|other| other.kind == mail.kind))
        })
    }

    /// Whether the session came to its end and its memory is kept.
    fn fetch(&mut self, session: &Session) -> bool {
        self.try_fetch(session).is_ok()
    }

    fn try_fetch(&mut self, session: &Session) -> Result<(), Cut> {
        let mut steps = 0;
        let mut step = || {
            steps += 1;
            if session.cut == Some(steps) { Err(Cut) } else { Ok(()) }
        };
        // As from the disk.
        let text = self.record.write("folder").unwrap();
        self.record = Known::read(text.as_bytes(), "folder").unwrap().0;
        for doubt in self.record.doubts.clone() {
            self.record.happen(if self.placed { Event::Stored(doubt) } else { Event::Dropped(doubt) });
        }
        let snapshot = self.mails.clone();
        let mut planner =
            Planner::new(&self.record.memory, u32::try_from(snapshot.len()).unwrap(), session.options);
        let mut marked = Vec::new();
        self.retrieved.clear();
        let mut asks = 0;
        loop {
            asks += 1;
            assert!(asks < 200, "it does not end");
            if let Some((when, back)) = session.vanishes
                && when == asks
                && let Some(index) = self.mails.len().checked_sub(back)
            {
                self.mails.remove(index);
            }
            step()?;
            let mail = |number: u32| snapshot[number as usize - 1];
            let number = match planner.ask() {
                Ask::Done => break,
                Ask::Size(number) => {
                    let mail = mail(number);
                    let gone = mail.hole || !self.mails.iter().any(|other| mail.id == other.id);
                    planner.size(if gone { 0 } else { mail.fingerprint().size });
                    continue;
                }
                Ask::Retrieve(number) => number,
            };
            let message = mail(number).fingerprint();
            self.retrieved.push(number);
            match planner.retrieved(message) {
                Verdict::Later => continue,
                Verdict::Known => {}
                Verdict::New => {
                    self.placed = false;
                    self.record.happen(Event::Intent(message));
                    step()?;
                    self.placed = true;
                    let kind = mail(number).kind;
                    self.stored.push(kind);
                    assert!(
                        count(&self.stored, kind) <= count(&self.arrived, kind),
                        "message {number} is stored twice"
                    );
                    step()?;
                    self.record.happen(Event::Stored(message));
                }
            }
            step()?;
            if session.delete {
                planner.marked(number);
                marked.push(mail(number).id);
            }
        }
        step()?;
        if session.deletes {
            self.mails.retain(|mail| !marked.contains(&mail.id));
        }
        step()?;
        let quit = if session.answered { Quit::Answered } else { Quit::Unanswered };
        if let Some(memory) = planner.finish(quit) {
            if session.answered || marked.is_empty() {
                self.remembered = snapshot.into_iter().filter(|mail| !marked.contains(&mail.id)).collect();
                let last = memory.there.last_key_value().map_or(0, |(&last, _)| last as usize);
                self.remembered.truncate(last);
            }
            self.record.memory = memory;
        }
        Ok(())
    }

    fn misses_nothing(&self) -> Result<(), TestCaseError> {
        let mut there: BTreeMap<u8, usize> = BTreeMap::new();
        for mail in self.mails.iter().filter(|mail| !mail.hole) {
            *there.entry(mail.kind).or_default() += 1;
        }
        for (kind, there) in there {
            prop_assert!(count(&self.stored, kind) >= there, "one of kind {kind} is missed");
        }
        Ok(())
    }
}

fn appended() -> impl Strategy<Value = Others> {
    prop_oneof![4 => (0..8_u8).prop_map(Others::Append), 1 => any::<usize>().prop_map(Others::Copy)]
}

fn in_order() -> impl Strategy<Value = Others> {
    prop_oneof![
        4 => appended(),
        3 => any::<usize>().prop_map(Others::Delete),
        1 => (any::<usize>(), 0..3_u64).prop_map(|(index, status)| Others::Status(index, status)),
        1 => any::<usize>().prop_map(Others::Hole),
        1 => (any::<usize>(), prop::collection::vec(0..8_u8, 1..5))
            .prop_map(|(index, kinds)| Others::Slide(index, kinds)),
    ]
}

fn anything() -> impl Strategy<Value = Others> {
    prop_oneof![
        6 => in_order(),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Others::Move(from, to)),
        2 => (any::<usize>(), 0..8_u8, any::<bool>())
            .prop_map(|(index, kind, keep)| Others::Replace(index, kind, keep)),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let some = |range: std::ops::Range<u32>| prop::option::weighted(0.2, range);
    (any::<bool>(), prop::bool::weighted(0.1), some(0..8), some(0..4), some(5..35)).prop_map(
        |(plain, verify, newest, limit, max_size)| {
            let options = Options { verify, newest, limit, max_size: max_size.map(u64::from) };
            if plain { PLAIN.options } else { options }
        },
    )
}

prop_compose! {
    fn sessions()(
        options in options(),
        delete in prop::bool::weighted(0.3),
        cut in prop::option::weighted(0.3, 1..30_usize),
        answered in prop::bool::weighted(0.8),
        deletes in any::<bool>(),
        vanishes in prop::option::weighted(0.2, (1..12_usize, 1..5_usize)),
    ) -> Session {
        Session { options, delete, cut, answered, deletes: answered || deletes, vanishes }
    }
}

fn history<O: Strategy<Value = Others>>(others: O) -> impl Strategy<Value = Vec<(Vec<Others>, Session)>>
where
    O::Value: Clone,
{
    prop::collection::vec((prop::collection::vec(others, 0..5), sessions()), 1..9)
}

fn wants_everything(options: Options) -> bool {
    Options { verify: false, ..options } == PLAIN.options
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn where_others_append_and_delete_each_complete_session_gets_everything_once(
        history in history(in_order()),
    ) {
        let mut world = World::default();
        for (others, mut session) in history {
            for what in &others {
                world.happens(what);
            }
            session.options.verify |= world.is_ambiguous(&session);
            if world.fetch(&session) && wants_everything(session.options) {
                world.misses_nothing()?;
            }
        }
        let verify = world.is_ambiguous(&PLAIN);
        prop_assert!(world.fetch(&plain(verify)));
        world.misses_nothing()?;
    }

    #[test]
    fn whatever_others_do_nothing_is_stored_twice_and_enough_sessions_miss_nothing(
        history in history(anything()), verify in any::<bool>(),
    ) {
        let mut world = World::default();
        for (others, session) in history {
            for what in &others {
                world.happens(what);
            }
            let complete = world.fetch(&session);
            if complete && session.options.verify && wants_everything(session.options) {
                world.misses_nothing()?;
            }
        }
        // One to see what is there, and one for each that has its turn.
        let enough = if verify { 1 } else { world.mails.len() + 1 };
        for _ in 0..enough {
            prop_assert!(world.fetch(&plain(verify)));
        }
        world.misses_nothing()?;
    }

    #[test]
    fn where_others_only_append_nothing_known_is_retrieved_but_the_proofs(
        batches in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..6), 1..9),
    ) {
        let mut world = World::default();
        let mut kind = 0;
        for batch in batches {
            let before = world.mails.len();
            for _ in &batch {
                world.append(kind);
                kind += 1;
            }
            prop_assert!(world.fetch(&PLAIN));
            world.misses_nothing()?;
            let old = world.retrieved.iter().filter(|&&number| number as usize <= before).count();
            prop_assert_eq!(old, before.min(2));
            prop_assert_eq!(world.retrieved.len() - old, batch.len());
            prop_assert_eq!(world.record.memory.len(), world.mails.len());
        }
    }

    #[test]
    fn a_memory_of_anything_and_a_server_that_says_anything_come_to_an_end(
        mails in prop::collection::vec((1..30_u32, 0..4_u64, any::<Option<bool>>()), 0..8),
        count in 0..30_u32, sizes in prop::collection::vec(0..4_u64, 1..30), options in options(),
        turn in any::<u32>(),
    ) {
        let mut memory = Memory { turn, ..Memory::default() };
        for (number, size, kind) in mails {
            memory.there.insert(number, super::Entry { size, digest: kind.map(|kind| [kind.into(); 32]) });
        }
        let mut planner = Planner::new(&memory, count, options);
        let mut sizes = sizes.iter().cycle();
        for _ in 0..200 {
            match planner.ask() {
                Ask::Size(number) => {
                    prop_assert!((1..=count).contains(&number));
                    planner.size(*sizes.next().unwrap());
                }
                Ask::Retrieve(number) => {
                    let digest = [(sizes.next().unwrap() % 2) as u8; 32];
                    planner.retrieved(Fingerprint { size: 1, digest });
                    planner.marked(number);
                }
                Ask::Done => break,
            }
        }
        prop_assert_eq!(planner.ask(), Ask::Done);
        prop_assert!(planner.finish(Quit::Answered).is_some());
    }
}
