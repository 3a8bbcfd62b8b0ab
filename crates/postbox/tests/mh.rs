//! MH folders of others, and nmh's own programs at the same folder.
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
    env, fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use battery::{all, deliver, folder, inbox, marks, number, text};
use postbox::{FolderName, Mailbox, Postbox, mh::Mh};

/// A mail directory with these files in `inbox`.
fn mail(files: &[(&str, &str)]) -> (Mh, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("Mail/inbox")).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join("Mail/inbox").join(name), content).unwrap();
    }
    (Mh::new(folder.path().join("Mail")), folder)
}

fn path(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join("Mail/inbox").join(name)
}

#[tokio::test]
async fn only_numbered_files_are_messages_and_they_are_in_order() {
    let (mh, folder) = mail(&[
        ("10", "ten"),
        ("2", "two"),
        ("4294967295", "last"),
        ("03", "no"),
        (",4", "no"),
        (".5", "no"),
        ("6x", "no"),
        ("7\n", "no"),
        ("0", "no"),
        ("99999999999", "no"),
    ]);
    fs::create_dir(path(&folder, "8")).unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, path(&folder, "9")).unwrap();
    assert_eq!(all(&mh).await, ["two", "ten", "last"]);
    let full = mh.deliver(&FolderName::inbox(), &b"x"[..]).await.unwrap_err();
    assert!(full.to_string().contains("folder -pack"), "{full}");
    fs::remove_file(path(&folder, "4294967295")).unwrap();
    deliver(&mh, b"eleven").await;
    assert_eq!(fs::read(path(&folder, "11")).unwrap(), b"eleven");
}

#[tokio::test]
async fn a_number_that_was_given_again_is_another_message() {
    let (mh, folder) = mail(&[("1", "one"), ("2", "two")]);
    let mut mailbox = inbox(&mh).await;
    fs::remove_file(path(&folder, "2")).unwrap();
    fs::write(path(&folder, "2"), "new").unwrap();
    assert!(mailbox.message(number(2)).await.unwrap().is_none());
    assert_eq!(mailbox.release(&marks(&[2])).await.kept, 0);
    assert_eq!(all(&mh).await, ["one", "new"]);
}

#[tokio::test]
async fn a_message_is_found_again_after_renumbering() {
    let (mh, folder) = mail(&[("3", "three"), ("5", "five"), ("9", "nine")]);
    let mut mailbox = inbox(&mh).await;
    for (from, to) in [("3", "1"), ("5", "2"), ("9", "3")] {
        fs::rename(path(&folder, from), path(&folder, to)).unwrap();
    }
    assert_eq!(text(&mut mailbox, 1).await, "three");
    assert_eq!(text(&mut mailbox, 3).await, "nine");
    assert_eq!(mailbox.release(&marks(&[1, 2])).await.kept, 0);
    assert_eq!(all(&mh).await, ["nine"]);
}

#[tokio::test]
async fn sequences_are_kept_and_what_is_odd_in_them_does_no_harm() {
    let files = [("1", "a"), ("2", "b"), ("3", "c"), (".mh_sequences", "cur: 2\nunseen: 2-3\nwork: 1 2\n")];
    let (mh, folder) = mail(&files);
    let sequences = path(&folder, ".mh_sequences");
    deliver(&mh, b"d").await;
    assert_eq!(fs::read_to_string(&sequences).unwrap(), "cur: 2\nunseen: 2-4\nwork: 1 2\n");
    assert_eq!(inbox(&mh).await.release(&marks(&[2, 4])).await.kept, 0);
    assert_eq!(fs::read_to_string(&sequences).unwrap(), "cur: 2\nunseen: 3\nwork: 1\n");
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "unseen: 1\n").unwrap();
    fs::remove_file(&sequences).unwrap();
    symlink(&elsewhere, &sequences).unwrap();
    deliver(&mh, b"e").await;
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "unseen: 1\n");
    assert_eq!(all(&mh).await, ["a", "c", "e"]);
}

#[tokio::test]
async fn folders_are_folders_and_numbers_are_none() {
    let (mh, folder) = mail(&[]);
    mh.deliver(&self::folder("lists.rust"), &b"x"[..]).await.unwrap();
    assert!(folder.path().join("Mail/lists/rust/1").is_file());
    assert!(mh.deliver(&self::folder("lists.7"), &b"x"[..]).await.is_err());
    assert_eq!(mh.select(&self::folder("7")).await.unwrap().count(), 0);
    symlink(folder.path(), folder.path().join("Mail/out")).unwrap();
    assert!(mh.select(&self::folder("out")).await.is_err());
}

/// One of nmh's programs over the mail directory, if they are installed.
struct Nmh<'a>(&'a Path);

impl<'a> Nmh<'a> {
    fn at(folder: &'a Path) -> Option<Self> {
        if !Path::new("/usr/bin/mh/scan").exists() {
            assert!(env::var_os("CI").is_none(), "not to be skipped in CI: nmh is not installed");
            eprintln!("skipped, nmh is not installed");
            return None;
        }
        let mail = folder.join("Mail").display().to_string();
        fs::write(folder.join("mh_profile"), format!("Path: {mail}\nUnseen-Sequence: unseen\n")).unwrap();
        Some(Self(folder))
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let folder = ["/usr/bin/mh", "/usr/lib/mh"].map(Path::new).into_iter();
        let program = folder.map(|folder| folder.join(program)).find(|path| path.exists()).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).env("MH", self.0.join("mh_profile")).env("HOME", self.0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test]
async fn nmh_delivers_looks_marks_and_packs_while_sessions_fetch() {
    let (mh, folder) = mail(&[]);
    let Some(nmh) = Nmh::at(folder.path()) else { return };
    let letter = |n: u32| format!("From: fred\nSubject: letter {n}\n\nwoof {n}\n");
    for n in 1..=6 {
        if n % 2 == 0 {
            nmh.run("rcvstore", &["+inbox", "-unseen"], &letter(n));
        } else {
            deliver(&mh, letter(n).as_bytes()).await;
        }
    }
    let scan = nmh.run("scan", &["+inbox"], "");
    assert_eq!(scan.lines().filter(|line| line.contains("letter")).count(), 6, "{scan}");
    let unseen = || fs::read_to_string(path(&folder, ".mh_sequences")).unwrap();
    assert!(unseen().contains("unseen: 2-6"), "{}", unseen());

    let mut mailbox = inbox(&mh).await;
    assert_eq!(mailbox.count(), 6);
    // Another program removes one and renumbers the rest.
    nmh.run("rmm", &["+inbox", "2"], "");
    nmh.run("folder", &["+inbox", "-pack"], "");
    for n in [1, 3, 6] {
        assert!(text(&mut mailbox, n).await.ends_with(&format!("woof {n}\r\n")));
    }
    assert!(mailbox.message(number(2)).await.unwrap().is_none());
    assert_eq!(mailbox.release(&marks(&[1, 2, 3])).await.kept, 0);
    let scan = nmh.run("scan", &["+inbox"], "");
    let left: Vec<bool> = (1..=6).map(|n| scan.contains(&format!("letter {n}"))).collect();
    assert_eq!(left, [false, false, false, true, true, true], "{scan}");
    assert!(unseen().contains("unseen: 3-5"), "{}", unseen());
    nmh.run("mark", &["+inbox", "-sequence", "work", "-add", "3"], "");
    nmh.run("rcvstore", &["+inbox", "-unseen"], &letter(7));
    assert_eq!(inbox(&mh).await.release(&marks(&[1])).await.kept, 0);
    assert!(!unseen().contains("work"), "{}", unseen());
    assert_eq!(inbox(&mh).await.count(), 3);
}
