//! What fido has fetched, as other programs read it: mutt, nmh and GNU mailutils.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;
mod house;
#[path = "common/mutt.rs"]
mod mutt;
#[path = "common/needs.rs"]
mod needs;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{fido, run};
use house::House;
use mutt::{can_run, mutt};
use needs::are_there;

const MESSAGES: usize = 3;

/// The kinds of store with a name for fido and one for mailutils, and where the mailbox is.
const KINDS: [(&str, &str); 3] =
    [("maildir", "fetched-maildir"), ("mbox", "fetched-mbox"), ("mh", "fetched-mh/inbox")];

fn body(number: usize) -> String {
    format!("From here to there\n.\nWoof {number}.\n")
}

/// A house whose mail was fetched into each kind of store.
fn fetched() -> House {
    let house = House::new();
    for number in 1..=MESSAGES {
        let date = format!("Date: Tue, 05 Mar 2024 10:0{number}:00 +0000");
        let text =
            format!("From: Rex <rex@bone.example>\n{date}\nSubject: bone {number}\n\n{}", body(number));
        house.put(number, text);
    }
    // mutt knows an MH folder by this file.
    fs::create_dir_all(house.path().join("fetched-mh/inbox")).unwrap();
    fs::write(house.path().join("fetched-mh/inbox/.mh_sequences"), "").unwrap();
    for (kind, _) in KINDS {
        let to = format!("{kind}:{}", house.path().join(format!("fetched-{kind}")).display());
        let arguments = ["--user", "fido", "--password-stdin", "--to", &to];
        let outcome = run(&mut fido(house.address, "fetch", &arguments), "bone\n");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    house
}

fn mailbox(house: &House, name: &str) -> PathBuf {
    house.path().join(name)
}

fn said(command: &mut Command, home: &Path) -> String {
    let output = command.env("HOME", home).env("LC_ALL", "C.UTF-8").output().unwrap();
    // frm ends with 1 where there is no new message; what it lists is what counts.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn mailutils_read_every_kind() {
    if !are_there(&["frm", "readmsg"]) {
        return;
    }
    let house = fetched();
    for (kind, name) in KINDS {
        let url = format!("{kind}:{}", mailbox(&house, name).display());
        let list = said(Command::new("frm").arg(&url), house.path());
        let listed: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(listed, [["Rex", "bone 1"], ["Rex", "bone 2"], ["Rex", "bone 3"]], "{kind}");
        for number in 1..=MESSAGES {
            let mut readmsg = Command::new("readmsg");
            readmsg.args(["-f", &url, &number.to_string()]);
            let text = said(&mut readmsg, house.path());
            // In an mbox a line that begins with From has a mark, which not every program takes off.
            let text = if kind == "mbox" { text.replace("\n>From ", "\nFrom ") } else { text };
            assert!(text.contains(&body(number)), "{kind}: {text:?}");
        }
    }
    house.close();
}

#[test]
fn mutt_reads_every_kind() {
    if !can_run() {
        return;
    }
    let house = fetched();
    for (kind, name) in KINDS {
        let (seen, take) = (house.path().join("seen"), house.path().join("take"));
        fs::write(&take, format!("grep ^Subject: >>'{}'\n", seen.display())).unwrap();
        let pipe = format!("<tag-prefix><pipe-message>sh {}<enter>", take.display());
        let settings = "set quit=yes wait_key=no mark_old=no sort=date-sent";
        let keys = format!("<tag-pattern>.<enter>{pipe}<exit>");
        mutt(house.path(), &mailbox(&house, name), settings, &keys);
        let subjects = fs::read_to_string(&seen).unwrap_or_default();
        assert_eq!(subjects, "Subject: bone 1\nSubject: bone 2\nSubject: bone 3\n", "{kind}");
        fs::remove_file(&seen).unwrap();
    }
    house.close();
}

#[test]
fn nmh_reads_the_folder() {
    if !are_there(&["/usr/bin/mh/scan"]) {
        return;
    }
    let house = fetched();
    let profile = house.path().join("mh_profile");
    fs::write(&profile, format!("Path: {}\n", mailbox(&house, "fetched-mh").display())).unwrap();
    let mut scan = Command::new("/usr/bin/mh/scan");
    scan.args(["+inbox", "-format", "%(msg) %{subject}"]).env("MH", &profile);
    assert_eq!(said(&mut scan, house.path()), "1 bone 1\n2 bone 2\n3 bone 3\n");
    let mut show = Command::new("/usr/bin/mh/show");
    show.args(["-showproc", "cat", "-noheader", "2"]).env("MH", &profile);
    assert!(said(&mut show, house.path()).ends_with(&body(2)));
    house.close();
}
