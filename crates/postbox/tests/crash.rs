//! Killed, or failed, at every step of delivery and release: nothing is missing, nothing half-written is visible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, ExitCode},
};

#[cfg(feature = "postgres")]
mod site;

use postbox::{
    FolderName, Location, Mailbox, Postbox, Store,
    faults::{self, Fault},
};
use tempfile::TempDir;

/// The kinds of store, as a location names them.
const STORES: &[&str] = &[
    "maildir",
    "mbox",
    "mh",
    "mtx",
    #[cfg(feature = "postgres")]
    "postgres",
];

/// Tells a child what to do: `store role fault step path`.
const TASK: &str = "POSTBOX_CRASH_TASK";

/// Messages long enough for several writes each.
fn message(n: usize) -> Vec<u8> {
    format!("Subject: {n}\n\n{}", format!("woof {n}\n").repeat(20_000)).into_bytes()
}

/// A case: a kind of store, what is done with it, and what goes wrong meanwhile.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    store: &'a str,
    role: &'a str,
    fault: &'a str,
}

// A fault is armed for a whole process, so each case is one: this program runs itself.
fn main() -> ExitCode {
    if let Ok(task) = std::env::var(TASK) {
        let words: Vec<&str> = task.splitn(5, ' ').collect();
        let case = Case { store: words[0], role: words[1], fault: words[2] };
        return child(case, words[3].parse().unwrap(), Path::new(words[4]));
    }
    let mut cases = 0;
    for &store in STORES {
        for role in ["deliver", "release"] {
            for fault in ["kill", "nospace", "io", "short"] {
                let case = Case { store, role, fault };
                let steps = case.every_step();
                println!("{store}, {role}, {fault}: {steps} steps");
                assert!(steps >= 3, "{case:?} has more steps than that");
                cases += steps;
            }
        }
    }
    println!("\ntest result: ok. {cases} passed; 0 failed");
    ExitCode::SUCCESS
}

impl Case<'_> {
    /// Runs it with the fault at step 1, 2, 3 ... until it ends without meeting it; returns the last step.
    fn every_step(self) -> u64 {
        for step in 1.. {
            let folder = TempDir::new().unwrap();
            let path = folder.path();
            #[cfg(feature = "postgres")]
            if self.store == "postgres" {
                runtime().block_on(site::found(path));
            }
            if self.role == "release" {
                runtime().block_on(lay_out(self.store, path));
            }
            let Case { store, role, fault } = self;
            let task = format!("{store} {role} {fault} {step} {}", path.display());
            let output = Command::new(std::env::current_exe().unwrap()).env(TASK, task).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let place = format!(
                "{store}, {role}, {fault} at step {step}: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(fault == "kill" || output.status.success(), "{place}");
            match role {
                "deliver" => check_delivery(self, path, &said, &place),
                _ => check_release(self, path, &said, &place),
            }
            if said.contains("not struck") {
                return step - 1;
            }
        }
        unreachable!()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An account's mail below `path`.
fn open(store: &str, path: &Path) -> Store {
    #[cfg(feature = "postgres")]
    if store == "postgres" {
        return Store::Postgres(site::at(path));
    }
    Location::parse(&format!("{store}:{{user}}"), path).unwrap().postbox("fido", None).unwrap()
}

async fn lay_out(store: &str, path: &Path) {
    for n in 0..6 {
        open(store, path).deliver(&FolderName::inbox(), &message(n)[..]).await.unwrap();
    }
    if store == "maildir" {
        // Another program has read some of them.
        let (new, cur) = (path.join("fido/new"), path.join("fido/cur"));
        let names: Vec<_> = fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        for name in &names[..3] {
            fs::rename(new.join(name), cur.join(format!("{}:2,S", name.to_str().unwrap()))).unwrap();
        }
    }
}

fn child(case: Case<'_>, step: u64, path: &Path) -> ExitCode {
    let fault = match case.fault {
        "kill" => Fault::Kill,
        "nospace" => Fault::NoSpace,
        "io" => Fault::InputOutput,
        _ => Fault::ShortWrite,
    };
    runtime().block_on(async {
        let postbox = open(case.store, path);
        let mailbox = postbox.select(&FolderName::inbox()).await.unwrap();
        faults::arm(fault, step);
        if case.role == "deliver" {
            for n in 0..3 {
                match postbox.deliver(&FolderName::inbox(), &message(n)[..]).await {
                    Ok(()) => println!("confirmed {n}"),
                    Err(error) => println!("failed {n}: {error}"),
                }
            }
        } else {
            let marks = [1, 3, 5].into_iter().filter_map(std::num::NonZeroU32::new).collect();
            println!("kept {}", mailbox.release(&marks).await.kept);
        }
    });
    if !faults::struck() {
        println!("not struck");
    }
    ExitCode::SUCCESS
}

/// The messages that are visible, each of them whole.
fn visible(store: &str, path: &Path, place: &str) -> BTreeSet<usize> {
    runtime().block_on(async {
        let mut mailbox = open(store, path).select(&FolderName::inbox()).await.unwrap();
        let mut found = BTreeSet::new();
        for n in 1..=mailbox.count() {
            let message = mailbox.message(n.try_into().unwrap()).await.unwrap().unwrap();
            let (mut octets, mut wire) = (message.octets(), Vec::new());
            while octets.next(&mut wire).await.unwrap() {}
            let text = String::from_utf8(wire).unwrap().replace("\r\n", "\n");
            let number = text.split(['\n', ' ']).nth(1).unwrap_or_default().parse().unwrap_or(99);
            assert!(text.as_bytes() == self::message(number), "half a message is visible: {place}");
            assert!(found.insert(number), "a message is there twice: {place}");
        }
        found
    })
}

fn numbers(said: &str, word: &str) -> BTreeSet<usize> {
    let lines = said.lines().filter_map(|line| line.strip_prefix(word));
    lines.map(|rest| rest.trim().split(':').next().unwrap().parse().unwrap()).collect()
}

/// Files that are of use only while something is being done.
fn left_behind(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let passing = name.starts_with(['.', ',']) || path.extension().is_some_and(|end| end == "lock");
        if path.is_dir() {
            left.extend(left_behind(&path));
        } else if (passing && name != ".mh_sequences") || folder.ends_with("tmp") {
            left.push(name.to_owned());
        }
    }
    left
}

fn check_delivery(case: Case<'_>, path: &Path, said: &str, place: &str) {
    let (confirmed, failed) = (numbers(said, "confirmed"), numbers(said, "failed"));
    let found = visible(case.store, path, place);
    assert!(confirmed.is_subset(&found), "a confirmed message is missing: {place}");
    if case.fault == "kill" {
        assert!(found.len() <= confirmed.len() + 1, "only the one in flight may be there too: {place}");
    } else {
        assert_eq!(found, confirmed, "{place}");
        assert_eq!(confirmed.len() + failed.len(), 3, "{place}");
        assert_eq!(left_behind(path), [""; 0], "a failed delivery cleans up: {place}");
    }
}

fn check_release(case: Case<'_>, path: &Path, said: &str, place: &str) {
    let found = visible(case.store, path, place);
    assert!(found.is_superset(&[1, 3, 5].into()), "a message that was not marked is gone: {place}");
    if let Some(kept) = numbers(said, "kept").first() {
        assert_eq!(found.len(), 3 + kept, "{place}");
    }
}
