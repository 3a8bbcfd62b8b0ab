//! How long it takes to select a large Maildir: for the first time, and again; and to read from it when another
//! program has moved all of it since.
//!
//! `cargo run --release -p postbox --example select -- 100000`; under `strace -c -f` it shows the system calls.
#![allow(clippy::unwrap_used)] // a measurement stops at the first surprise

use std::{
    fs,
    num::NonZeroU32,
    path::Path,
    time::{Duration, Instant},
};

use postbox::{FolderName, Mailbox, Postbox, maildir::Maildir};

/// How often each is measured.
const TIMES: usize = 11;

/// How many messages are read.
const READS: u32 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count: usize = std::env::args().nth(1).map_or(100_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    for part in ["new", "cur", "tmp"] {
        fs::create_dir(folder.path().join(part)).unwrap();
    }
    for n in 0..count {
        fs::write(folder.path().join(format!("cur/17000{n:05}.M1P1.host,S=5:2,S")), "woof\n").unwrap();
    }
    // Until the folders' times can be trusted.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        // Another store has nothing kept.
        let maildir = Maildir::new(folder.path());
        first.push(select(&maildir, count).await);
        again.push(select(&maildir, count).await);
    }
    let (first, again) = (median(first), median(again));
    println!("{count} messages: first {first:?}, again {again:?}, median of {TIMES}");
    let moved = read_moved(&Maildir::new(folder.path()), folder.path()).await;
    println!("{READS} of them read after all were moved: {moved:?}");
}

async fn select(maildir: &Maildir, count: usize) -> Duration {
    let begun = Instant::now();
    let mailbox = maildir.select(&FolderName::inbox()).await.unwrap();
    assert_eq!(mailbox.count() as usize, count);
    begun.elapsed()
}

async fn read_moved(maildir: &Maildir, path: &Path) -> Duration {
    let mut mailbox = maildir.select(&FolderName::inbox()).await.unwrap();
    fs::rename(path.join("new"), path.join("old")).unwrap();
    fs::rename(path.join("cur"), path.join("new")).unwrap();
    fs::rename(path.join("old"), path.join("cur")).unwrap();
    let begun = Instant::now();
    for number in (1..=READS).filter_map(NonZeroU32::new) {
        assert!(mailbox.message(number).await.unwrap().is_some());
    }
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
