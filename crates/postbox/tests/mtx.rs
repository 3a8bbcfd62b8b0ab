//! Mail files of PDP-10s and of c-client, and c-client's own program at the same file.
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

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use battery::{all, deliver, inbox, marks, number, text};
use postbox::{Error, FolderName, Mailbox, Postbox, one_file::MailFile};
use tempfile::TempDir;

fn message(text: &str) -> String {
    format!(" 1-Feb-1985 09:12:33 +0000,{};000000000000\r\n{text}", text.len())
}

/// A mail file with that content in a folder of its own.
fn mtx(content: &str) -> (MailFile, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("MAIL.TXT"), content).unwrap();
    (MailFile::mtx(folder.path().join("MAIL.TXT")), folder)
}

fn content(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("MAIL.TXT")).unwrap()
}

#[tokio::test]
async fn a_file_of_a_pdp_10_is_read_and_continued() {
    let old = "20-Jan-85 10:05:11-PST,19;000000000001\r\nFrom: fred\r\n\r\nHi!\r\n\
               21-Jan-85 23:00:00-PST,6;000000000003\r\nwoof\r\n";
    let (mtx, folder) = mtx(old);
    assert_eq!(all(&mtx).await, ["From: fred\r\n\r\nHi!\r\n", "woof\r\n"]);
    deliver(&mtx, b"Subject: new\n\nwoof\n").await;
    let now = content(&folder);
    assert!(
        now.starts_with(old) && now.ends_with(",22;000000000000\r\nSubject: new\r\n\r\nwoof\r\n"),
        "{now}"
    );
}

#[tokio::test]
async fn lines_that_end_with_lf_are_continued_so() {
    let (mtx, folder) = mtx(" 1-Feb-1985 09:12:33 +0000,5;000000000000\nwoof\n");
    deliver(&mtx, b"one\r\ntwo\n").await;
    assert!(content(&folder).ends_with(",8;000000000000\none\ntwo\n"), "{}", content(&folder));
    assert_eq!(all(&mtx).await, ["woof\r\n", "one\r\ntwo\r\n"]);
}

#[tokio::test]
async fn what_others_change_during_a_session_is_kept() {
    let (mtx, folder) = mtx(&(message("one\r\n") + &message("two\r\n") + &message("three\r\n")));
    let mut mailbox = inbox(&mtx).await;
    // Another program has expunged the first, marked the others and appended one.
    let marked = (message("two\r\n") + &message("three\r\n")).replace(";000000000000", ";000000000022");
    fs::write(folder.path().join("MAIL.TXT"), marked + &message("four\r\n")).unwrap();
    assert!(mailbox.message(number(1)).await.unwrap().is_none());
    assert_eq!(text(&mut mailbox, 2).await, "two\r\n");
    assert_eq!(mailbox.release(&marks(&[1, 2])).await.kept, 0);
    assert_eq!(all(&mtx).await, ["three\r\n", "four\r\n"]);
    assert!(content(&folder).contains(",7;000000000022\r\nthree"), "another's flags are not touched");
}

#[tokio::test]
async fn a_size_that_lies_loses_nothing_and_nothing_is_written() {
    let lie = message("two\r\n").replace(",5;", ",500;");
    let whole = message("one\r\n") + &lie + &message("three\r\n");
    let (mtx, folder) = mtx(&whole);
    assert_eq!(all(&mtx).await, ["one\r\n"]);
    let refused = mtx.deliver(&FolderName::inbox(), &b"new"[..]).await.unwrap_err();
    assert!(matches!(refused, Error::Damaged { at: 48, .. }), "{refused}");
    let released = inbox(&mtx).await.release(&marks(&[1])).await;
    assert_eq!(released.kept, 1);
    assert_eq!(content(&folder), whole);
    // A message that is cut off.
    fs::write(folder.path().join("MAIL.TXT"), whole.split_at(60).0).unwrap();
    assert_eq!(all(&mtx).await, ["one\r\n"]);
    // No such file at all.
    for other in ["From fred Fri Feb  1 09:12:33 1985\n\n", "\0\0\0\0", ",;\r\n", &lie] {
        fs::write(folder.path().join("MAIL.TXT"), other).unwrap();
        let error = mtx.select(&FolderName::inbox()).await.unwrap_err();
        assert!(error.to_string().contains("MAIL.TXT is no TOPS-20 mail file"), "{error}");
        assert!(mtx.deliver(&FolderName::inbox(), &b"new"[..]).await.is_err());
        assert_eq!(content(&folder), other);
    }
}

#[tokio::test]
async fn a_program_that_has_the_file_open_is_waited_for_by_deletion_alone() {
    let (mtx, folder) = mtx(&message("one\r\n"));
    // As c-client holds it as long as its user looks at the mailbox.
    let file = File::open(folder.path().join("MAIL.TXT")).unwrap();
    file.lock_shared().unwrap();
    deliver(&mtx, b"two\n").await;
    let mailbox = inbox(&mtx).await;
    let release = tokio::spawn(async move { mailbox.release(&marks(&[1])).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!release.is_finished());
    assert_eq!(all(&mtx).await, ["one\r\n", "two\r\n"]);
    file.unlock().unwrap();
    assert_eq!(release.await.unwrap().kept, 0);
    assert_eq!(all(&mtx).await, ["two\r\n"]);
}

/// c-client's program for mailboxes, if it is installed. It serves nobody who is root.
struct Mailutil<'a>(&'a Path);

impl<'a> Mailutil<'a> {
    fn at(home: &'a TempDir) -> Option<Self> {
        if !Path::new("/usr/bin/mailutil").exists() {
            assert!(env::var_os("CI").is_none(), "not to be skipped in CI: uw-mailutils is not installed");
            eprintln!("skipped, uw-mailutils is not installed");
            return None;
        }
        fs::set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
        Some(Self(home.path()))
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "mailutil"]);
            command
        } else {
            Command::new("mailutil")
        };
        let output = command.args(arguments).env("HOME", self.0).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// Has it write an mbox's messages to a mail file of a format.
    fn write(&self, verb: &str, messages: &[String], to: &str) {
        let from = "From fred Fri Feb  1 09:12:33 1985\n";
        let mbox: Vec<&str> = messages.iter().flat_map(|message| [from, message, "\n"]).collect();
        fs::write(self.0.join("source"), mbox.concat()).unwrap();
        // It gives up where the lock's file goes and comes again while it looks, and has then done nothing.
        let said =
            (0..20).map(|_| self.run(&[verb, "source", to])).find(|said| !said.contains("Unable to lock"));
        assert_eq!(said.as_deref(), Some(""));
    }
}

fn letter(n: usize) -> String {
    format!("From: fred@bone\nSubject: letter {n}\n\nwoof {n}\n")
}

#[tokio::test]
async fn c_client_and_we_read_what_the_other_has_written() {
    for format in ["mtx", "tenex"] {
        let home = tempfile::tempdir().unwrap();
        let Some(mailutil) = Mailutil::at(&home) else { return };
        mailutil.write("copy", &[letter(1), letter(2)], &format!("#driver.{format}/MAIL.TXT"));
        let mtx = MailFile::mtx(home.path().join("MAIL.TXT"));
        let wire = |n| letter(n).replace('\n', "\r\n");
        assert_eq!(all(&mtx).await, [wire(1), wire(2)], "{format}");

        deliver(&mtx, letter(3).as_bytes()).await;
        deliver(&mtx, b"").await;
        let said = mailutil.run(&["check", "MAIL.TXT"]);
        assert!(said.contains("4 total in MAIL.TXT"), "{format}: {said}");
        mailutil.run(&["prune", "MAIL.TXT", "SUBJECT \"letter 2\""]);
        assert_eq!(all(&mtx).await, [wire(1), wire(3), "\r\n".to_owned()], "{format}");

        assert_eq!(inbox(&mtx).await.release(&marks(&[1, 3])).await.kept, 0);
        mailutil.write("append", &[letter(4)], "MAIL.TXT");
        assert_eq!(all(&mtx).await, [wire(3), wire(4)], "{format}");
        assert_eq!(mailutil.run(&["copy", "MAIL.TXT", "#driver.unix/copy"]), "");
        let copy = fs::read_to_string(home.path().join("copy")).unwrap();
        assert!(copy.contains("\nwoof 3\n") && copy.contains("\nwoof 4\n"), "{format}: {copy}");
    }
}

#[test]
fn c_client_appends_and_expunges_while_sessions_fetch_and_delete() {
    const LETTERS: usize = 40;
    let home = tempfile::tempdir().unwrap();
    let Some(mailutil) = Mailutil::at(&home) else { return };
    mailutil.write("copy", &[letter(LETTERS)], "#driver.mtx/MAIL.TXT");
    let mtx = MailFile::mtx(home.path().join("MAIL.TXT"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut seen, mut pruned) = (BTreeSet::new(), BTreeSet::new());
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..LETTERS {
                // It takes an empty file for an mbox otherwise.
                mailutil.write("append", &[letter(n)], "#driver.mtx/MAIL.TXT");
                if n % 10 == 9 {
                    mailutil.run(&["prune", "MAIL.TXT", &format!("SUBJECT \"letter {}\"", n - 1)]);
                    pruned.insert(n - 1);
                }
            }
        });
        while !writer.is_finished() {
            runtime.block_on(fetch_and_delete(&mtx, &mut seen));
        }
    });
    runtime.block_on(fetch_and_delete(&mtx, &mut seen));
    let missing: Vec<usize> = (0..=LETTERS).filter(|n| !seen.contains(n) && !pruned.contains(n)).collect();
    assert_eq!(missing, [0_usize; 0]);
    assert_eq!(runtime.block_on(all(&mtx)), [""; 0]);
}

/// Fetches all messages, none of which was there before, and deletes them.
async fn fetch_and_delete(mtx: &MailFile, seen: &mut BTreeSet<usize>) {
    let mut mailbox = inbox(mtx).await;
    let mut fetched = Vec::new();
    for n in 1..=mailbox.count() {
        let Some(message) = mailbox.message(number(n)).await.unwrap() else { continue };
        let octets = battery::octets(&message).await;
        let text = String::from_utf8(octets).unwrap();
        let letter = text.rsplit("woof ").next().unwrap().trim_end().parse().unwrap();
        assert!(seen.insert(letter), "{letter} was deleted, and is there again");
        fetched.push(n);
    }
    assert_eq!(mailbox.release(&marks(&fetched)).await.kept, 0);
}
