//! Writers deliver numbered messages while sessions fetch and delete them: at the end each has been seen, none
//! is left, and none was seen after it was gone.
//!
//! `POSTBOX_MESSAGES` says how many a store; `./check` wants 10,000.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    dead_code,
    unused_imports,
    unused_macros
)]
// Tests stop at the first surprise, and this one uses a part of the battery.

mod battery;
#[cfg(feature = "postgres")]
mod site;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

use battery::{deliver, inbox, number, text};
use postbox::{Location, Mailbox, Store};

const WRITERS: usize = 4;
const SESSIONS: usize = 3;

/// What the sessions have seen and deleted, together.
#[derive(Debug, Default)]
struct Seen {
    seen: BTreeSet<usize>,
    /// Deleted, and the deletion was confirmed.
    gone: BTreeSet<usize>,
}

fn messages() -> usize {
    std::env::var("POSTBOX_MESSAGES").map_or(1_000, |count| count.parse().expect("a number of messages"))
}

fn open(store: &str, folder: &Path) -> Store {
    Location::parse(&format!("{store}:{{user}}"), folder).unwrap().postbox("fido", None).unwrap()
}

/// As stored: the number, and as many octets behind it as make sizes differ.
fn message(n: usize) -> Vec<u8> {
    format!("Subject: {n}\n\nFrom {n} to {n}\n{}\n", "woof\n".repeat(n % 50)).into_bytes()
}

fn number_of(text: &str) -> usize {
    let n = text.lines().next().unwrap().strip_prefix("Subject: ").unwrap().parse().unwrap();
    assert_eq!(text.replace("\r\n", "\n").as_bytes(), message(n), "it is whole");
    n
}

/// Fetches and deletes until all has been seen. It takes only some of what there is, as sessions do.
async fn session(postbox: &Store, board: &Mutex<Seen>, total: usize) {
    let mut turn = 0;
    while board.lock().unwrap().seen.len() < total {
        let gone_before = board.lock().unwrap().gone.clone();
        let mut mailbox = inbox(postbox).await;
        let (mut marks, mut taken) = (postbox::Marks::new(), Vec::new());
        for n in (1..=mailbox.count()).take(200) {
            turn += 1;
            // Another session may have deleted it since this one selected.
            let Some(message) = mailbox.message(number(n)).await.unwrap() else { continue };
            let octets = battery::octets(&message).await;
            let id = number_of(&String::from_utf8(octets).unwrap());
            assert!(!gone_before.contains(&id), "{id} was gone, and is back");
            board.lock().unwrap().seen.insert(id);
            if turn % 7 != 0 {
                marks.insert(number(n));
                taken.push(id);
            }
        }
        assert_eq!(mailbox.release(&marks).await.kept, 0);
        board.lock().unwrap().gone.extend(taken);
        tokio::task::yield_now().await;
    }
}

async fn nothing_is_lost_or_doubled(store: &str) {
    let folder = tempfile::tempdir().unwrap();
    nothing_is_lost_or_doubled_in(|| open(store, folder.path())).await;
}

/// `open` gives the same store again and again, each with memory of its own, as processes have.
async fn nothing_is_lost_or_doubled_in(open: impl Fn() -> Store) {
    let (shared, total, board) = (Arc::new(open()), messages(), Arc::new(Mutex::new(Seen::default())));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let postbox = if writer == 0 { Arc::new(open()) } else { Arc::clone(&shared) };
        tasks.spawn(async move {
            for n in (writer..total).step_by(WRITERS) {
                deliver(&*postbox, &message(n)).await;
            }
        });
    }
    for reader in 0..SESSIONS {
        let postbox = if reader == 0 { Arc::new(open()) } else { Arc::clone(&shared) };
        let board = Arc::clone(&board);
        tasks.spawn(async move { session(&postbox, &board, total).await });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let Seen { seen, gone } = std::mem::take(&mut *board.lock().unwrap());
    assert_eq!(seen, (0..total).collect());
    // What was seen and not deleted is there, once.
    let mut mailbox = inbox(&*shared).await;
    let mut left = Vec::new();
    for n in 1..=mailbox.count() {
        left.push(number_of(&text(&mut mailbox, n).await));
    }
    left.sort_unstable();
    assert_eq!(left, seen.difference(&gone).copied().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn maildir() {
    nothing_is_lost_or_doubled("maildir").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mbox() {
    nothing_is_lost_or_doubled("mbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mh() {
    nothing_is_lost_or_doubled("mh").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mtx() {
    nothing_is_lost_or_doubled("mtx").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_and_s3() {
    let settings = site::settings().await;
    nothing_is_lost_or_doubled_in(|| {
        // What is hardly more than a few lines is an object here.
        let settings = postbox::postgres::Settings { inline: 240, ..settings.clone() };
        Store::Postgres(postbox::postgres::Database::new(settings).postbox("fido"))
    })
    .await;
}
