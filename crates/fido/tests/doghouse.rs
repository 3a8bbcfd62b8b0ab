//! fido and doghouse, end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{fs, net::SocketAddr, path::Path};

use common::{Outcome, fido, run};
use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use tempfile::TempDir;

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

struct House {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    daemon: Daemon,
    address: SocketAddr,
}

impl House {
    fn new(mail: &[Vec<u8>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("mail/fido/new");
        fs::create_dir_all(&new).unwrap();
        fs::create_dir_all(folder.path().join("mail/fido/.old/new")).unwrap();
        for (number, message) in mail.iter().enumerate() {
            fs::write(new.join(format!("170000000{number}.x.host")), message).unwrap();
        }
        fs::write(folder.path().join("mail/fido/.old/new/1.x"), "Subject: old\n\nGrr.\n").unwrap();
        fs::write(folder.path().join("users"), "fido:{PLAIN}old bone\n").unwrap();
        let config =
            Config::parse("[[listener]]\naddress = \"127.0.0.1:0\"", &folder.path().join("x.toml")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let daemon = {
            let _within = runtime.enter();
            let doors = Doors::open(&config, Handed::default()).unwrap();
            Daemon::start(config, doors, None).unwrap()
        };
        let address = daemon.addresses()[0];
        Self { folder, runtime, daemon, address }
    }

    fn fido(&self, command: &str, arguments: &[&str]) -> Outcome {
        let login = ["--user", "fido", "--password-stdin"];
        run(&mut fido(self.address, command, &[&login, arguments].concat()), "old bone\n")
    }

    fn left(&self) -> usize {
        fs::read_dir(self.folder.path().join("mail/fido/new")).unwrap().count()
    }

    fn close(self) {
        self.runtime.block_on(self.daemon.stop());
    }
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
    let house = House::new(&mail);
    let target = house.folder.path().join("fetched");
    let to = format!("maildir:{}", target.display());

    let kept = house.fido("fetch", &["--to", &to]);
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    assert_eq!(house.left(), mail.len(), "keeping is what it does unless told otherwise");
    // A message of no octets travels as an empty line, and is one from then on.
    *mail.last_mut().unwrap() = b"\n".to_vec();
    assert!(stored(&target) == mail);
    fs::remove_dir_all(&target).unwrap();

    let deleted = house.fido("fetch", &["--delete", "--to", &to]);
    assert_eq!(deleted.code, Some(0), "{}", deleted.stderr);
    assert!(stored(&target) == mail);
    assert_eq!(house.left(), 0);
    house.close();
}

#[test]
fn folders_are_counted_and_fetched() {
    let house = House::new(&mail());
    let checked = house.fido("check", &["--folder", "INBOX", "--folder", "old", "--folder", "none"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for (folder, count) in [("INBOX", "6"), ("old", "1"), ("none", "no messages")] {
        assert!(
            checked.stdout.lines().any(|line| line.contains(folder) && line.contains(count)),
            "{folder}: {}",
            checked.stdout
        );
    }
    let fetched = house.fido("fetch", &["--folder", "old", "--to", "-"]);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    assert!(fetched.stdout.starts_with("From ") && fetched.stdout.contains("\nSubject: old\n\nGrr.\n\n"));
    house.close();
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let house = House::new(&[]);
    let login = ["--user", "fido", "--password-stdin"];
    let refused = run(&mut fido(house.address, "check", &login), "cat\n");
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
    assert!(refused.stderr.contains("login refused"), "{}", refused.stderr);
    house.close();
}
