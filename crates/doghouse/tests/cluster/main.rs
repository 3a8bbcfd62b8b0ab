//! Two servers over one database and one object store, while everything breaks: nothing that was confirmed is lost,
//! nothing is doubled, and nothing that was acknowledged comes back.
//!
//! Writers deliver numbered messages by LMTP, as mail servers do: what was not confirmed is tried again, by the other
//! server. Readers fetch and acknowledge by POP2. Meanwhile servers are killed and started again, and paused for longer
//! than anything is waited for; the database is restarted, and its stand-by server takes over; the object store fails one
//! put in a hundred.
//!
//! `DOGHOUSE_CLUSTER_MESSAGES` says how many messages; `./check` wants 20,000.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

#[path = "../common/mod.rs"]
mod common;
mod node;
mod reader;
mod writer;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use common::site::Site;
use node::Node;
use testing::{How, Postgres, S3};

const USERS: usize = 8;
const WRITERS: usize = 6;

/// Every so many messages one goes into the object store.
const LARGE: usize = 20;

/// What a server waits for at most, in seconds; a pause is longer than all of it together.
const PATIENCE: &str = "connections = 8\nconnect_seconds = 1\nquery_seconds = 2\nretry_seconds = 3\n";
const PAUSE: Duration = Duration::from_secs(9);

/// What clients wait for at most. Real mail servers wait longer; whoever waits less tries again more often.
const CLIENT_PATIENCE: Duration = Duration::from_secs(6);

/// The whole must not go on for ever.
const MOST: Duration = Duration::from_mins(25);

/// What has happened.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) total: usize,
    /// Confirmed to a writer, by number.
    pub(crate) confirmed: Mutex<BTreeSet<usize>>,
    /// Fetched whole at least once.
    pub(crate) fetched: Mutex<BTreeSet<usize>>,
    /// Acknowledged by ACKD, and the QUIT behind it confirmed.
    pub(crate) gone: Mutex<BTreeSet<usize>>,
    /// Acknowledged in a session of which it is not known whether its QUIT was heard.
    pub(crate) perhaps_gone: Mutex<BTreeSet<usize>>,
    pub(crate) faults: Mutex<Vec<String>>,
    pub(crate) deliveries_tried_again: AtomicUsize,
    pub(crate) fetches: AtomicUsize,
    pub(crate) sessions: AtomicUsize,
    pub(crate) sessions_broken: AtomicUsize,
    pub(crate) all_confirmed: AtomicBool,
    pub(crate) over: AtomicBool,
}

impl Board {
    pub(crate) fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
    }
}

/// The message of a number, as it is sent; without the lines that servers put before it.
pub(crate) fn message(n: usize) -> String {
    let lines = if n.is_multiple_of(LARGE) { 15_000 } else { n % 60 };
    format!(
        "Received: from writer.example by mta.example\n\twith ESMTP id Q{n};\n\tSun, 29 Nov 2026 12:00:00 +0000\n\
         Subject: {n}\n\n{}\nthe end of {n}\n",
        "woof woof\n".repeat(lines)
    )
}

pub(crate) fn user_of(n: usize) -> String {
    format!("u{}", n % USERS)
}

fn messages() -> usize {
    std::env::var("DOGHOUSE_CLUSTER_MESSAGES")
        .map_or(1_500, |count| count.parse().expect("a number of messages"))
}

#[test]
fn two_nodes_one_killed() {
    let (postgres, s3) = (Postgres::start(), S3::start());
    let stand_by = postgres.stand_by();
    postgres.commits_wait_for_stand_by();
    let mut site = Site::at(&postgres, &s3);
    let database = site.connect.split("dbname=").nth(1).unwrap().to_owned();
    site.connect = postgres.with_stand_by(&site.connect, &stand_by);
    site.more = PATIENCE.to_owned();
    s3.faults("fail_put_every=100");
    let nodes = [Node::start(&site), Node::start(&site)];
    let board = Arc::new(Board { total: messages(), ..Board::default() });
    let begun = Instant::now();
    let mut work = Vec::new();
    for writer in 0..WRITERS {
        let (board, places) = (Arc::clone(&board), [nodes[0].lmtp, nodes[1].lmtp]);
        work.push(thread::spawn(move || writer::run(writer, places, &board)));
    }
    let mut reading = Vec::new();
    for reader in 0..2 * USERS {
        let (board, places) = (Arc::clone(&board), [nodes[0].pop2, nodes[1].pop2]);
        reading.push(thread::spawn(move || reader::run(reader, places, &board)));
    }

    let mut troubles = Troubles {
        postgres: &postgres,
        stand_by: &stand_by,
        nodes,
        kills: 0,
        pauses: 0,
        restarts: 0,
        fail_overs: 0,
    };
    troubles.come(&board);
    for writer in work {
        writer.join().unwrap();
    }
    board.all_confirmed.store(true, SeqCst);
    let count = || stand_by.sql(&database, "SELECT count(*) FROM message").trim().to_owned();
    while count() != "0" && begun.elapsed() < MOST {
        thread::sleep(Duration::from_millis(200));
    }
    board.over.store(true, SeqCst);
    for reader in reading {
        reader.join().unwrap();
    }

    let given_out = stand_by.sql(&database, "SELECT count(*) FROM delivery").trim().to_owned();
    let left = count();
    let miscounted = stand_by.sql(
        &database,
        "SELECT count(*) FROM postbox WHERE (messages, octets) <> (
            SELECT count(*), coalesce(sum(message.size), 0)::bigint FROM message
            JOIN folder ON folder.id = message.folder WHERE folder.postbox = postbox.id)",
    );
    report(&board, &troubles, &s3, &given_out, begun.elapsed());

    let all: BTreeSet<usize> = (0..board.total).collect();
    assert_eq!(*board.faults.lock().unwrap(), [""; 0]);
    assert_eq!(*board.confirmed.lock().unwrap(), all, "every message is confirmed in the end");
    assert_eq!(*board.fetched.lock().unwrap(), all, "every confirmed message was fetched");
    assert_eq!(
        given_out,
        board.total.to_string(),
        "each was put into a mailbox once, however often it was sent"
    );
    let gone: BTreeSet<usize> =
        board.gone.lock().unwrap().union(&board.perhaps_gone.lock().unwrap()).copied().collect();
    assert_eq!(gone, all, "every message was acknowledged in the end");
    assert_eq!((left.as_str(), miscounted.trim()), ("0", "0"), "and is gone");
    // Those before the faults were asked for are not among the hundreds.
    let hundreds = s3.count("puts").saturating_sub(2) / 100;
    assert!(s3.count("injected") >= hundreds, "the object store has failed as it was told");
}

/// What goes wrong.
struct Troubles<'a> {
    postgres: &'a Postgres,
    stand_by: &'a Postgres,
    nodes: [Node; 2],
    kills: usize,
    pauses: usize,
    restarts: usize,
    fail_overs: usize,
}

impl Troubles<'_> {
    /// One after the other, while there is work; each at least once.
    fn come(&mut self, board: &Board) {
        let share = |part: usize| board.total * part / 100;
        for (part, trouble) in [
            (5, "kill 0"),
            (15, "pause 1"),
            (30, "fast"),
            (40, "kill 1"),
            (55, "immediate"),
            (65, "pause 0"),
            (80, "kill 0"),
            (90, "fail over"),
        ] {
            while board.confirmed.lock().unwrap().len() < share(part) {
                thread::sleep(Duration::from_millis(5));
            }
            match trouble.split_once(' ') {
                Some(("kill", node)) => {
                    self.nodes[node.parse::<usize>().unwrap()].kill_and_start_again();
                    self.kills += 1;
                }
                Some(("fail", _)) => {
                    self.postgres.stop(How::Immediate);
                    self.stand_by.promote();
                    self.fail_overs += 1;
                }
                Some((_, node)) => {
                    self.nodes[node.parse::<usize>().unwrap()].pause(PAUSE);
                    self.pauses += 1;
                }
                None => {
                    let how = if trouble == "fast" { How::Fast } else { How::Immediate };
                    self.postgres.restart(how);
                    self.restarts += 1;
                }
            }
        }
    }
}

fn report(board: &Board, troubles: &Troubles<'_>, s3: &S3, given_out: &str, took: Duration) {
    let count = |set: &Mutex<BTreeSet<usize>>| set.lock().unwrap().len();
    let came_back = board.faults.lock().unwrap().iter().filter(|fault| fault.contains("came back")).count();
    let confirmed = board.confirmed.lock().unwrap();
    let fetched = board.fetched.lock().unwrap();
    let lost = confirmed.difference(&fetched).count();
    let rows = [
        ("messages", board.total.to_string()),
        ("confirmed to their senders", confirmed.len().to_string()),
        ("deliveries tried again", board.deliveries_tried_again.load(SeqCst).to_string()),
        ("put into mailboxes", given_out.to_owned()),
        ("fetched, each at least once", fetched.len().to_string()),
        ("fetched, in all", board.fetches.load(SeqCst).to_string()),
        ("acknowledged, and the session ended well", count(&board.gone).to_string()),
        ("acknowledged, and the session broke then", count(&board.perhaps_gone).to_string()),
        ("sessions", board.sessions.load(SeqCst).to_string()),
        ("sessions that broke", board.sessions_broken.load(SeqCst).to_string()),
        ("servers killed (SIGKILL)", troubles.kills.to_string()),
        ("servers paused (SIGSTOP, 9 s)", troubles.pauses.to_string()),
        ("restarts of PostgreSQL", troubles.restarts.to_string()),
        ("fail-overs to its stand-by server", troubles.fail_overs.to_string()),
        ("objects put", s3.count("puts").to_string()),
        ("of them refused on purpose", s3.count("injected").to_string()),
        ("confirmed and lost", lost.to_string()),
        ("acknowledged and came back", came_back.to_string()),
        ("seconds", took.as_secs().to_string()),
    ];
    let mut table = format!("\n{:44} {:>9}\n", "two nodes, one killed", "count");
    for (what, value) in rows {
        writeln!(table, "{what:44} {value:>9}").unwrap();
    }
    // Past the test harness, which shows it where the test fails only.
    io::stderr().write_all(format!("{table}\n").as_bytes()).unwrap();
}
