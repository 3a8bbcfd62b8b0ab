//! mbox files of others, and others at the same file.
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

use std::{fs, os::unix::fs::symlink, path::Path};

use battery::{all, deliver, folder, inbox, marks, number, text};
use postbox::{Error, Mailbox, Postbox, one_file::MailFile};

const FROM: &str = "From fred Fri Feb  1 09:12:33 1985\n";

fn message(subject: &str) -> String {
    format!("{FROM}Subject: {subject}\n\nwoof\n\n")
}

/// An mbox with that content in a folder of its own.
fn mbox(content: &str) -> (MailFile, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mbox"), content).unwrap();
    (MailFile::mbox(folder.path().join("mbox")), folder)
}

fn content(folder: &tempfile::TempDir) -> String {
    fs::read_to_string(folder.path().join("mbox")).unwrap()
}

#[tokio::test]
async fn files_of_other_programs_are_read_as_they_mean_it() {
    let wire = |text: &str| text.replace('\n', "\r\n");
    for (mail, expected) in [
        (message("a") + &message("b"), vec!["Subject: a\n\nwoof\n", "Subject: b\n\nwoof\n"]),
        (format!("{FROM}>From x\n>>From y\n> From z\n\n"), vec!["From x\n>From y\n> From z\n"]),
        (format!("{FROM}no blank line\n{FROM}and no end"), vec!["no blank line\n", "and no end"]),
        (format!("{FROM}Subject: cr\r\n\r\nwoof\r\n\r\n{FROM}x\n"), vec!["Subject: cr\n\nwoof\n", "x\n"]),
        (format!("\n\n{FROM}x\n\n"), vec!["x\n"]),
        (String::new(), vec![]),
    ] {
        let (mbox, _folder) = mbox(&mail);
        let expected: Vec<String> = expected.into_iter().map(wire).collect();
        assert_eq!(all(&mbox).await, expected, "{mail:?}");
    }
}

#[tokio::test]
async fn what_others_append_during_a_session_is_kept() {
    let (mbox, folder) = mbox(&(message("a") + &message("b")));
    let mut mailbox = inbox(&mbox).await;
    fs::write(folder.path().join("mbox"), message("a") + &message("b") + &message("c")).unwrap();
    assert!(text(&mut mailbox, 1).await.contains("Subject: a"));
    assert_eq!(mailbox.release(&marks(&[1])).await.kept, 0);
    assert_eq!(content(&folder), message("b") + &message("c"));
}

#[tokio::test]
async fn messages_are_found_again_after_others_rewrote_the_file() {
    let (mbox, folder) = mbox(&["a", "b", "c", "d"].map(message).concat());
    let mut mailbox = inbox(&mbox).await;
    // Another program has deleted a and noted that c was read; d is another now.
    let noted = message("c").replace("\n\nwoof", "\nStatus: RO\nX-UID: 7\n\nwoof");
    let rewritten = message("b") + &noted + &message("e");
    fs::write(folder.path().join("mbox"), &rewritten).unwrap();
    assert!(mailbox.message(number(1)).await.unwrap().is_none());
    assert!(mailbox.message(number(4)).await.unwrap().is_none());
    assert!(text(&mut mailbox, 3).await.contains("Status: RO"));
    assert_eq!(mailbox.release(&marks(&[1, 3, 4])).await.kept, 0);
    assert_eq!(content(&folder), message("b") + &message("e"), "what was not seen stays");
}

#[tokio::test]
async fn a_file_that_changes_behind_its_times_is_noticed() {
    let (mbox, folder) = mbox(&(message("a") + &message("b")));
    let path = folder.path().join("mbox");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut mailbox = inbox(&mbox).await;
    // The same size, the same time, the same first message.
    fs::write(&path, message("a") + &message("x")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert!(mailbox.message(number(2)).await.unwrap().is_none());
    assert_eq!(mailbox.release(&marks(&[2])).await.kept, 0);
    assert_eq!(content(&folder), message("a") + &message("x"));
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_another_during_a_session_gives_no_wrong_message() {
    let whole = message("a") + &message("b") + &message("c");
    let (mbox, folder) = mbox(&whole);
    let path = folder.path().join("mbox");
    let mut mailbox = inbox(&mbox).await;
    fs::write(&path, &whole[..message("a").len() + 50]).unwrap();
    assert!(text(&mut mailbox, 1).await.contains("Subject: a"));
    assert!(mailbox.message(number(2)).await.unwrap().is_none(), "it is not whole");
    assert!(mailbox.message(number(3)).await.unwrap().is_none());
    assert_eq!(mailbox.release(&marks(&[2, 3])).await.kept, 0);
    assert_eq!(content(&folder), &whole[..message("a").len() + 50], "what is left of it stays");

    // Another file of the same size and time in its place.
    fs::write(&path, &whole).unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut mailbox = inbox(&mbox).await;
    let other = message("x") + &message("y") + &message("z");
    fs::write(folder.path().join("new"), &other).unwrap();
    fs::File::options().write(true).open(folder.path().join("new")).unwrap().set_modified(before).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(mailbox.message(number(1)).await.unwrap().is_none());
    assert_eq!(mailbox.release(&marks(&[1, 2, 3])).await.kept, 0);
    assert_eq!(content(&folder), other);
}

#[tokio::test]
async fn a_mailbox_that_is_deleted_empty_stays_a_file_and_keeps_its_mode() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (mbox, folder) = mbox(&message("a"));
    let path = folder.path().join("mbox");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    assert_eq!(inbox(&mbox).await.release(&marks(&[1])).await.kept, 0);
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.ino(), after.mode(), after.len()), (before.ino(), before.mode(), 0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock, no journal");
}

#[tokio::test]
async fn what_is_no_mbox_is_left_alone() {
    for content in ["woof\n", "\u{0}\u{0}", "Subject: x\n\nFrom fred Fri Feb  1 09:12:33 1985\n"] {
        let (mbox, folder) = mbox(content);
        let error = mbox.select(&postbox::FolderName::inbox()).await.unwrap_err();
        assert!(error.to_string().contains("does not begin with a From line"), "{error}");
        assert_eq!(self::content(&folder), content);
    }
}

#[tokio::test]
async fn links_lead_nowhere_and_a_second_name_is_refused() {
    let (_, other) = mbox(&message("secret"));
    let secret = other.path().join("mbox");
    let links: [fn(&Path, &Path); 2] =
        [|to, at| symlink(to, at).unwrap(), |to, at| fs::hard_link(to, at).unwrap()];
    for link in links {
        let folder = tempfile::tempdir_in(other.path()).unwrap();
        let path = folder.path().join("mbox");
        link(&secret, &path);
        let mbox = MailFile::mbox(&path);
        assert!(matches!(mbox.select(&postbox::FolderName::inbox()).await, Err(Error::Strange { .. })));
        let delivered = mbox.deliver(&postbox::FolderName::inbox(), &b"x"[..]).await;
        assert!(matches!(delivered, Err(Error::Strange { .. })));
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), message("secret"));
}

#[tokio::test]
async fn a_name_that_is_a_locks_is_no_folder() {
    let (mbox, folder) = mbox("");
    assert_eq!(mbox.select(&self::folder("x.lock")).await.unwrap().count(), 0);
    let error = mbox.deliver(&self::folder("x.lock"), &b"x"[..]).await.unwrap_err();
    assert!(error.to_string().contains("choose another"), "{error}");
    let lock = MailFile::mbox(folder.path().join("smith.lock"));
    assert!(lock.deliver(&postbox::FolderName::inbox(), &b"x"[..]).await.is_err());
}

#[tokio::test]
async fn mail_is_appended_in_a_form_that_others_read() {
    let (mbox, folder) = mbox(&format!("{FROM}no end"));
    deliver(&mbox, b"Return-Path: <rex@bone.example>\nSubject: x\n\nFrom me\n").await;
    let content = content(&folder);
    let (before, after) = content.split_once("\n\nFrom rex@bone.example ").unwrap();
    assert_eq!(before, format!("{FROM}no end"));
    assert!(after.ends_with("\nReturn-Path: <rex@bone.example>\nSubject: x\n\n>From me\n\n"), "{after}");
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_for() {
    let (mbox, folder) = mbox(&message("a"));
    let lock = folder.path().join("mbox.lock");
    fs::write(&lock, "1\n").unwrap();
    let waiting = tokio::spawn(async move { deliver(&mbox, b"late\n").await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(content(&folder), message("a"));
    fs::remove_file(&lock).unwrap();
    waiting.await.unwrap();
    assert!(content(&folder).ends_with("\nlate\n\n"));
}
