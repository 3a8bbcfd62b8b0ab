//! Killed, or failed, at every step of delivery and release: nothing is missing, nothing half-written is visible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use postbox::{
    FolderName, Mailbox, Postbox,
    faults::{self, Fault},
    maildir::Maildir,
};
use tempfile::TempDir;

/// Tells a child what to do: `role kind step path`.
const TASK: &str = "POSTBOX_CRASH_TASK";

/// Messages long enough for several writes each.
fn message(n: usize) -> Vec<u8> {
    format!("Subject: {n}\n\n{}", format!("woof {n}\n").repeat(20_000)).into_bytes()
}

// A fault is armed for a whole process, so each case is one: this program runs itself.
fn main() -> ExitCode {
    if let Ok(task) = std::env::var(TASK) {
        let words: Vec<&str> = task.splitn(4, ' ').collect();
        return child(words[0], words[1], words[2].parse().unwrap(), Path::new(words[3]));
    }
    let mut cases = 0;
    for role in ["deliver", "release"] {
        for kind in ["kill", "nospace", "io", "short"] {
            let steps = every_step(role, kind);
            println!("{role}, {kind}: {steps} steps");
            assert!(steps >= 3, "{role} has more steps than that");
            cases += steps;
        }
    }
    println!("\ntest result: ok. {cases} passed; 0 failed");
    ExitCode::SUCCESS
}

/// Runs the role with the fault at step 1, 2, 3 ... until it ends without meeting it; returns the last step.
fn every_step(role: &str, kind: &str) -> u64 {
    for step in 1.. {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("fido");
        if role == "release" {
            runtime().block_on(lay_out(&path));
        }
        let task = format!("{role} {kind} {step} {}", path.display());
        let output = Command::new(std::env::current_exe().unwrap()).env(TASK, task).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let place =
            format!("{role}, {kind} at step {step}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(kind == "kill" || output.status.success(), "{place}");
        match role {
            "deliver" => check_delivery(&path, &said, kind, &place),
            _ => check_release(&path, &said, &place),
        }
        if said.contains("not struck") {
            return step - 1;
        }
    }
    unreachable!()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn lay_out(path: &Path) {
    for n in 0..6 {
        Maildir::new(path).deliver(&FolderName::inbox(), &message(n)[..]).await.unwrap();
    }
    // Another program has read some of them.
    let names: Vec<_> =
        fs::read_dir(path.join("new")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in &names[..3] {
        let read = format!("{}:2,S", name.to_str().unwrap());
        fs::rename(path.join("new").join(name), path.join("cur").join(read)).unwrap();
    }
}

fn child(role: &str, kind: &str, step: u64, path: &Path) -> ExitCode {
    let fault = match kind {
        "kill" => Fault::Kill,
        "nospace" => Fault::NoSpace,
        "io" => Fault::InputOutput,
        _ => Fault::ShortWrite,
    };
    runtime().block_on(async {
        let maildir = Maildir::new(path);
        let mailbox = maildir.select(&FolderName::inbox()).await.unwrap();
        faults::arm(fault, step);
        if role == "deliver" {
            for n in 0..3 {
                match maildir.deliver(&FolderName::inbox(), &message(n)[..]).await {
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
fn visible(path: &Path, place: &str) -> BTreeSet<usize> {
    runtime().block_on(async {
        let mut mailbox = Maildir::new(path).select(&FolderName::inbox()).await.unwrap();
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

fn check_delivery(path: &Path, said: &str, kind: &str, place: &str) {
    let (confirmed, failed) = (numbers(said, "confirmed"), numbers(said, "failed"));
    let found = visible(path, place);
    assert!(confirmed.is_subset(&found), "a confirmed message is missing: {place}");
    if kind == "kill" {
        assert!(found.len() <= confirmed.len() + 1, "only the one in flight may be there too: {place}");
    } else {
        assert_eq!(found, confirmed, "{place}");
        assert_eq!(confirmed.len() + failed.len(), 3, "{place}");
        let left = fs::read_dir(path.join("tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "a failed delivery cleans up: {place}");
    }
}

fn check_release(path: &Path, said: &str, place: &str) {
    let found = visible(path, place);
    assert!(found.is_superset(&[1, 3, 5].into()), "a message that was not marked is gone: {place}");
    if let Some(kept) = numbers(said, "kept").first() {
        assert_eq!(found.len(), 3 + kept, "{place}");
    }
}
