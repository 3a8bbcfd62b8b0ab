//! fido and doghouse, end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;
mod house;

use std::{fs, path::Path};

use common::{Outcome, fido, run};
use house::House;

/// Mail as it is stored, of the kinds that are met.
fn mail() -> Vec<Vec<u8>> {
    vec![
        b"Subject: plain\n\nWoof.\n".to_vec(),
        "Subject: 8-bit\n\nFür heute: Knochen, groß.\n".into(),
        b"Subject: odd\n\n.\n..\nFrom me\n>From you\nNUL \0 and a lone \r CR".to_vec(),
        b"Subject: long\n\n".iter().copied().chain([b'x'; 200_000]).chain(*b"\n").collect(),
        b"Subject: large\n\n".iter().copied().chain(b"0123456789abcdef\n".repeat(300_000)).collect(),
        Vec::new(),
    ]
}

fn lay_out(mail: &[Vec<u8>]) -> House {
    let house = House::with("", |folder| {
        let old = folder.join("mail/fido/.old/new");
        fs::create_dir_all(&old).unwrap();
        fs::write(old.join("1.x"), "Subject: old\n\nGrr.\n").unwrap();
        fs::write(folder.join("users"), "fido:{PLAIN}old bone\n").unwrap();
    });
    for (number, message) in mail.iter().enumerate() {
        house.put(number, message);
    }
    house
}

fn ask(house: &House, command: &str, arguments: &[&str]) -> Outcome {
    let login = ["--user", "fido", "--password-stdin"];
    run(&mut fido(house.address, command, &[&login, arguments].concat()), "old bone\n")
}

fn stored(maildir: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(maildir.join("new")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn all_mail_comes_as_it_is_stored_and_is_deleted_when_it_is_safe() {
    let mut mail = mail();
    let house = lay_out(&mail);
    let target = house.path().join("fetched");
    let to = format!("maildir:{}", target.display());

    let kept = ask(&house, "fetch", &["--to", &to]);
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    assert_eq!(house.left(), mail.len(), "keeping is what it does unless told otherwise");
    // A message of no octets travels as an empty line, and is one from then on.
    *mail.last_mut().unwrap() = b"\n".to_vec();
    assert!(stored(&target) == mail);
    fs::remove_dir_all(&target).unwrap();

    let deleted = ask(&house, "fetch", &["--delete", "--to", &to]);
    assert_eq!(deleted.code, Some(0), "{}", deleted.stderr);
    assert!(stored(&target) == mail);
    assert_eq!(house.left(), 0);
    house.close();
}

#[test]
fn folders_are_counted_and_fetched() {
    let house = lay_out(&mail());
    let checked = ask(&house, "check", &["--folder", "INBOX", "--folder", "old", "--folder", "none"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for (folder, count) in [("INBOX", "6"), ("old", "1"), ("none", "no messages")] {
        assert!(
            checked.stdout.lines().any(|line| line.contains(folder) && line.contains(count)),
            "{folder}: {}",
            checked.stdout
        );
    }
    let fetched = ask(&house, "fetch", &["--folder", "old", "--to", "-"]);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    assert!(fetched.stdout.starts_with("From ") && fetched.stdout.contains("\nSubject: old\n\nGrr.\n\n"));
    house.close();
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let house = lay_out(&[]);
    let login = ["--user", "fido", "--password-stdin"];
    let refused = run(&mut fido(house.address, "check", &login), "cat\n");
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
    assert!(refused.stderr.contains("login refused"), "{}", refused.stderr);
    house.close();
}
