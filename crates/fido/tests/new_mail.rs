//! Only new mail is fetched, and none is missed or stored twice, with a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;
mod house;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use common::{Outcome, bare_fido, messages, run};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use house::House;

/// A workstation: a state that is kept, and a place for mail.
struct Fido {
    folder: TempDir,
    address: String,
}

impl Fido {
    fn new(house: &House) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), address: house.address.to_string() }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut fido = bare_fido();
        fido.env("XDG_STATE_HOME", self.folder.path().join("state"));
        fido.args(["fetch", &self.address, "--user", "fido", "--password-command", "echo bone"])
            .args(arguments);
        fido
    }

    fn fetch_to(&self, target: &str, arguments: &[&str]) -> Outcome {
        run(&mut self.command(&[&["--to", target], arguments].concat()), "")
    }

    fn fetch(&self, arguments: &[&str]) -> Outcome {
        self.fetch_to(&format!("maildir:{}", self.place().display()), arguments)
    }

    fn mail(&self) -> Vec<String> {
        messages(&self.place())
    }
}

fn message(number: usize) -> String {
    format!("Subject: {number}\n\nWoof, {number}.\n")
}

#[test]
fn only_new_mail_comes_and_others_may_delete_meanwhile() {
    let house = House::new();
    let fido = Fido::new(&house);
    fido.fetch(&[]).ends(0, "no new messages");
    for number in 1..=3 {
        house.put(number, message(number));
    }
    fido.fetch(&[]).ends(0, "3 messages");
    fido.fetch(&[]).ends(0, "no new messages");
    house.put(4, message(4));
    fido.fetch(&["--verbose"]).ends(0, "1 message (");
    house.remove(2);
    house.put(5, message(5));
    // As many as before, and of the same sizes.
    fido.fetch(&[]).ends(0, "1 message (");
    assert_eq!(fido.mail(), (1..=5).map(message).collect::<Vec<_>>());
    // A place of its own has all of it.
    let other = fido.folder.path().join("box");
    fido.fetch_to(&format!("mbox:{}", other.display()), &[]).ends(0, "4 messages");
    fido.fetch(&["--all"]).ends(0, "4 messages");
    assert_eq!(fido.mail().len(), 9);
}

#[test]
fn what_is_kept_first_can_be_deleted_later() {
    let house = House::new();
    let fido = Fido::new(&house);
    house.put(1, message(1));
    house.put(2, message(2));
    fido.fetch(&["--keep"]).ends(0, "2 messages");
    house.put(3, message(3));
    fido.fetch(&["--delete"]).ends(0, "3 deleted on the server");
    assert_eq!((fido.mail().len(), house.left()), (3, 0));
    house.put(4, message(1));
    fido.fetch(&["--delete"]).ends(0, "1 message (");
    assert_eq!(fido.mail().len(), 4, "the same octets again are another message");
}

#[test]
fn what_is_wanted_can_be_bounded() {
    let house = House::new();
    let fido = Fido::new(&house);
    for number in 1..=5 {
        house.put(number, message(number));
    }
    house.put(6, format!("Subject: large\n\n{}\n", "x".repeat(10_000)));
    fido.fetch(&["--newest", "2", "--max-size", "1000"]).ends(0, "1 message");
    assert_eq!(fido.mail(), [message(5)]);
    let limited = fido.fetch(&["--limit", "2", "--max-size", "1000"]);
    limited.ends(0, "2 messages");
    let rest = fido.fetch(&["--max-size", "1000", "--json"]);
    rest.ends(0, "");
    let report: serde_json::Value = serde_json::from_str(&rest.stdout).unwrap();
    assert_eq!((&report["messages"], &report["error"]), (&2.into(), &serde_json::Value::Null), "{report}");
    assert_eq!(report["skipped"][0]["number"], 6);
    assert_eq!(fido.mail().len(), 5);
    fido.fetch(&["--max-size", "1000", "--exit-empty"]).ends(1, "no new messages");
    fido.fetch(&["--exit-empty"]).ends(0, "1 message");
    assert_eq!((fido.mail().len(), house.left()), (6, 6));
}

#[test]
fn a_delivery_command_gets_each_message_and_says_whether_it_has_it() {
    let house = House::new();
    let fido = Fido::new(&house);
    house.put(1, message(1));
    house.put(2, format!("Subject: 2\n\n{}", "0123456789abcde\n".repeat(200_000)));
    let took = fido.folder.path().join("took");
    let take = format!("cat >>'{}'", took.display());
    let refuse = "cat >/dev/null; exit 75";
    run(&mut fido.command(&["--delete", "--mda", refuse]), "").ends(75, "did not take the message");
    assert_eq!(house.left(), 2);
    run(&mut fido.command(&["--delete", "--mda", "true"]), "").ends(0, "2 messages");
    assert_eq!(house.left(), 0, "it need not read what it takes");
    house.put(3, message(3));
    house.put(4, message(4));
    run(&mut fido.command(&["--mda", &take]), "").ends(0, "2 messages");
    assert_eq!(fs::read_to_string(&took).unwrap(), message(3) + &message(4));
    run(&mut fido.command(&["--mda", &take]), "").ends(0, "no new messages");
}

fn killed(mut child: Child) {
    let _ = kill_process(Pid::from_child(&child), Signal::KILL);
    child.wait().unwrap();
}

/// Fetches until killed, after `delay`.
fn fetch_and_be_killed(fido: &Fido, target: &str, arguments: &[&str], delay: Duration) {
    let mut command = fido.command(&[&["--to", target], arguments].concat());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    killed(child);
}

#[test]
fn a_kill_at_any_moment_neither_loses_nor_doubles_a_message() {
    for (kind, arguments) in
        [("maildir", &["--delete"][..]), ("maildir", &[]), ("mbox", &["--delete"]), ("mh", &[])]
    {
        let house = House::new();
        let fido = Fido::new(&house);
        let count = 60;
        for number in 1..=count {
            house.put(number, message(number));
        }
        let target = format!("{kind}:{}", fido.place().display());
        for round in 0..12 {
            // From before the first message to somewhere in the middle.
            fetch_and_be_killed(&fido, &target, arguments, Duration::from_millis(4 + 9 * round));
            // Nothing is gone on the server that is not here.
            let (left, here) = (house.left(), stored(kind, &fido.place()).len());
            assert!(left + here >= count, "{kind}: {left} left, {here} here");
        }
        // A session that was killed may still hold nothing of the server's, but its last deletion is at its end.
        fido.fetch_to(&target, arguments).ends(0, "");
        let mut all = stored(kind, &fido.place());
        all.sort();
        let mut expected: Vec<String> = (1..=count).map(message).collect();
        expected.sort();
        assert_eq!(all, expected, "{kind} {arguments:?}");
    }
}

/// The messages of a store, in no order.
fn stored(kind: &str, place: &Path) -> Vec<String> {
    match kind {
        "maildir" => messages(place),
        "mh" => {
            let Ok(entries) = fs::read_dir(place.join("inbox")) else { return Vec::new() };
            let names = entries.map(|entry| entry.unwrap().path());
            let is_message =
                |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok();
            names.filter(is_message).map(|path| fs::read_to_string(path).unwrap()).collect()
        }
        _ => {
            let mbox = fs::read_to_string(place).unwrap_or_default();
            let parts = mbox.split("From ").skip(1);
            parts
                .map(|part| part.split_once('\n').unwrap().1.strip_suffix('\n').unwrap().to_owned())
                .collect()
        }
    }
}

#[test]
fn every_so_often_mail_is_fetched_again_until_it_is_stopped() {
    let house = House::new();
    let fido = Fido::new(&house);
    house.put(1, message(1));
    let target = format!("maildir:{}", fido.place().display());
    let mut command = fido.command(&["--to", &target, "--every", "1s"]);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("1 message"));
    house.put(2, message(2));
    assert!(said.any(|line| line.unwrap().contains("1 message")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fido.mail().len(), 2);
}

#[test]
fn two_fetches_of_one_folder_do_not_run_at_once() {
    let house = House::new();
    let fido = Fido::new(&house);
    house.put(1, message(1));
    let wait = format!(
        "cat >/dev/null; touch '{0}/begun'; while [ ! -e '{0}/go' ]; do sleep 0.05; done",
        fido.folder.path().display()
    );
    let mut first =
        fido.command(&["--mda", &wait]).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !fido.folder.path().join("begun").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    run(&mut fido.command(&["--mda", &wait]), "").ends(75, "another fido is fetching");
    fs::File::create(fido.folder.path().join("go")).unwrap().write_all(b"").unwrap();
    assert!(first.wait().unwrap().success());
    let mut rest = String::new();
    assert!(first.stdout.take().is_none_or(|mut out| out.read_to_string(&mut rest).is_ok()));
}
