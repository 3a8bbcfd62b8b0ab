//! `doghouse mailbox`: mail as the operator lists, moves, checks and removes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fmt::Write,
    fs,
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::House;
use rustix::process::{Pid, Signal, kill_process};

fn mailbox(house: &House, arguments: &[&str]) -> Output {
    house.command(&[&["mailbox"], arguments].concat()).output().unwrap()
}

/// What a command says that goes well.
fn said(house: &House, arguments: &[&str]) -> String {
    let output = mailbox(house, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code of one that does not, and its complaint.
fn complaint(house: &House, arguments: &[&str]) -> (i32, String) {
    let output = mailbox(house, arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// An mbox of so many messages.
fn mbox(count: usize) -> String {
    (0..count).fold(String::new(), |mut mbox, n| {
        write!(mbox, "From fred Fri Feb  1 09:12:33 1985\nSubject: {n}\n\nwoof {n}\n\n").unwrap();
        mbox
    })
}

#[test]
fn mail_is_listed_and_counted() {
    let house = House::new();
    house.deliver("fido", b"Subject: x\n\nwoof\n");
    house.deliver_into("fido", "lists.rust", b"woof\n");
    assert_eq!(
        said(&house, &["list"]),
        "USER   FOLDER      MESSAGES        OCTETS\n\
         fido   INBOX              1            17\n\
         fido   lists.rust         1             5\n\
         smith  INBOX              0             0\n"
    );
    assert_eq!(said(&house, &["count", "fido"]), "1\n");
    assert_eq!(said(&house, &["count", "fido", "--folder", "none"]), "0\n");
    let json: serde_json::Value = serde_json::from_str(&said(&house, &["list", "fido", "--json"])).unwrap();
    assert_eq!(json[1]["folder"], "lists.rust");
    assert_eq!((&json[0]["messages"], &json[0]["octets"]), (&1.into(), &17.into()));
    let (code, line) = complaint(&house, &["list", "nobody"]);
    assert_eq!((code, line.as_str()), (67, "doghouse: there is no user \"nobody\", and no mail of one\n"));
    // The mail of a user who was removed is still to be had.
    fs::write(house.path().join("users"), "smith:{PLAIN}cat\n").unwrap();
    assert_eq!(said(&house, &["count", "fido"]), "1\n");
}

#[test]
fn people_move_house_and_back() {
    let house = House::new();
    let at = |kind: &str, name: &str| format!("{kind}:{}", house.path().join(name).display());
    fs::write(house.path().join("old"), mbox(3)).unwrap();
    house.deliver("fido", b"here before\n");
    let old = at("mbox", "old");
    assert_eq!(
        said(&house, &["import", "fido", &old]),
        "fido INBOX: 3 messages copied, 66 octets; 0 were there already\n"
    );
    assert!(said(&house, &["import", "fido", &old]).contains("0 messages copied, 0 octets; 3 were there"));
    assert!(said(&house, &["import", "fido", &old, "--folder", "archive"]).starts_with("fido archive: 3 "));
    for kind in ["mh", "mtx", "mbox", "maildir"] {
        let there = at(kind, &format!("moved-{kind}"));
        let text = said(&house, &["export", "fido", &there]);
        assert!(text.contains("fido INBOX: 4 messages") && text.contains("fido archive: 3 "), "{text}");
        said(&house, &["import", "smith", &there]);
        assert_eq!(said(&house, &["count", "smith"]), "4\n", "{kind}");
    }
    let one = at("mbox", "one");
    said(&house, &["export", "fido", "-f", "archive", &one]);
    assert_eq!(fs::read_to_string(house.path().join("one")).unwrap().matches("\nwoof ").count(), 3);
    let verified = said(&house, &["verify"]);
    assert!(verified.contains("smith archive: 3 messages read, 66 octets\n"), "{verified}");

    assert_eq!(complaint(&house, &["import", "fido", &at("mbox", "none")]).0, 74);
    assert_eq!(complaint(&house, &["import", "fido", "imap:x"]).0, 64);
    assert_eq!(complaint(&house, &["import", "rex", &old]).0, 67);
    let (code, line) = complaint(&house, &["import", "fido", &at("mbox", "doghouse.toml")]);
    assert!(code == 74 && line.contains("doghouse.toml is no mbox"), "{line}");
}

#[test]
fn an_import_that_was_cut_off_goes_on_where_it_was() {
    const COUNT: usize = 2000;
    let house = House::new();
    fs::write(house.path().join("old"), mbox(COUNT)).unwrap();
    let old = format!("mbox:{}", house.path().join("old").display());
    for signal in [Signal::KILL, Signal::INT] {
        let before = fs::read_dir(house.maildir("fido").join("new")).map_or(0, Iterator::count);
        let mut command = house.command(&["mailbox", "import", "fido", &old]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while fs::read_dir(house.maildir("fido").join("new")).map_or(0, Iterator::count) < before + 20 {
            assert!(begun.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none());
            thread::sleep(Duration::from_millis(1));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if signal == Signal::INT {
            assert_eq!(output.status.code(), Some(75), "{errors}");
            assert!(errors.contains("interrupted; run it again"), "{errors}");
        }
    }
    let text = said(&house, &["import", "fido", &old]);
    assert!(!text.contains("; 0 were there already") && !text.contains(": 0 messages copied"), "{text}");
    assert_eq!(said(&house, &["count", "fido"]), format!("{COUNT}\n"));
}

#[test]
fn what_is_wrong_is_found() {
    let house = House::with_config("[[lmtp]]\naddress = \"127.0.0.1:0\"\n");
    // What a name claims of a small message is not even looked at.
    house.put("fido", "1.x,S=100000,W=120001", &b"woof\n".repeat(20_000));
    house.put("fido", "2.x", b"woof\n");
    let output = mailbox(&house, &["verify", "fido"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert!(errors.contains("fault: INBOX, message 1: ") && errors.contains("doghouse: 1 fault"), "{errors}");
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("fido INBOX: 1 messages read"));
}

#[test]
fn a_purge_asks_and_keeps_what_it_is_told_to_keep() {
    let house = House::new();
    for n in 0..5 {
        house.put("fido", &format!("{n}.x"), format!("woof {n}\n").as_bytes());
    }
    let (code, line) = complaint(&house, &["purge", "fido"]);
    assert_eq!(
        (code, line.as_str()),
        (64, "doghouse: Delete 5 of 5 messages in fido INBOX? Say so with --yes\n")
    );
    assert_eq!(said(&house, &["purge", "fido", "--keep", "2", "--yes"]), "fido INBOX: 3 messages deleted\n");
    let left = house.maildir("fido").join("new");
    assert!(left.join("3.x").exists() && left.join("4.x").exists() && !left.join("2.x").exists());
    let json: serde_json::Value =
        serde_json::from_str(&said(&house, &["purge", "fido", "--yes", "--json"])).unwrap();
    assert_eq!((&json["deleted"], &json["kept"]), (&2.into(), &0.into()));
    assert_eq!(said(&house, &["count", "fido"]), "0\n");
}
