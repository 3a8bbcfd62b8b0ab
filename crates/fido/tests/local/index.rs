//! The index saves reading, and is never believed over the folder.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fido::local::{Folder, Name, header};

use crate::{House, subjects};

const INDEX: &str = "fido-index";

/// The inbox, and how many headers were read for it.
fn opened(house: &House, version: u32) -> (Folder, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let local = house.local().summarised_by(version, move |octets| {
        count.fetch_add(1, Ordering::Relaxed);
        header::summary(octets)
    });
    let folder = local.folder(&Name::inbox(), |_, _| {}).unwrap();
    (folder, read.load(Ordering::Relaxed))
}

fn house() -> House {
    let house = House::new();
    for n in 1..=5 {
        house.message(&format!("cur/{n}.x:2,"), &format!("From: rex\nSubject: {n}"));
    }
    house
}

#[test]
fn messages_are_read_once() {
    let house = house();
    assert_eq!(opened(&house, 1).1, 5);
    let (folder, read) = opened(&house, 1);
    assert_eq!((subjects(&folder), read), ((1..=5).map(|n| n.to_string()).collect(), 0));
    assert_eq!(fs::metadata(house.path().join(INDEX)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(house.names("tmp").is_empty());
    let names: Vec<String> = house.local().folders().unwrap().iter().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["INBOX"], "the index is no folder");
}

#[test]
fn the_folder_is_right_and_the_index_is_not() {
    let house = house();
    drop(opened(&house, 1));
    let path = |name: &str| house.path().join("cur").join(name);
    fs::remove_file(path("1.x:2,")).unwrap();
    fs::rename(path("2.x:2,"), path("2.x:2,S")).unwrap();
    // Another file takes the name of a message, with the same size and times.
    house.message("cur/other", "From: rex\nSubject: !");
    fs::rename(path("other"), path("3.x:2,")).unwrap();
    house.message("new/6.x", "From: rex\nSubject: 6");
    let (folder, read) = opened(&house, 1);
    assert_eq!((subjects(&folder).join(""), read), ("2!456".to_owned(), 2));
    assert_eq!(folder.entries()[0].flags().to_string(), "S");
    drop(folder);
    assert_eq!(opened(&house, 1).1, 0);
}

#[test]
fn an_index_that_is_damaged_or_of_another_version_is_made_anew() {
    let house = house();
    drop(opened(&house, 1));
    let path = house.path().join(INDEX);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    for bad in [&b""[..], b"fidoidx\n", &good[..good.len() - 1], &flipped, &[0xff; 5000]] {
        fs::write(&path, bad).unwrap();
        let (folder, read) = opened(&house, 1);
        assert_eq!((subjects(&folder).join(""), read), ("12345".to_owned(), 5));
        drop(folder);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
    assert_eq!(opened(&house, 2).1, 5, "other summaries");
    assert_eq!(opened(&house, 2).1, 0);
}

#[test]
fn an_index_that_is_no_plain_file_is_not_followed() {
    let house = house();
    drop(opened(&house, 1));
    let (path, outside) = (house.path().join(INDEX), house.0.path().join("outside"));
    fs::rename(&path, &outside).unwrap();
    let before = fs::read(&outside).unwrap();
    symlink(&outside, &path).unwrap();
    assert_eq!(opened(&house, 1).1, 5);
    assert_eq!(fs::read(&outside).unwrap(), before, "nothing outside is touched");
    assert!(fs::symlink_metadata(&path).unwrap().is_file(), "the link has made place");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(opened(&house, 1).1, 5);
    assert_eq!(opened(&house, 1).1, 5, "and the reader works without one");
}

#[test]
fn a_folder_that_may_not_be_written_is_read() {
    let house = house();
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let (folder, read) = opened(&house, 1);
    assert_eq!((folder.entries().len(), read), (5, 5));
    drop(folder);
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o700)).unwrap();
}
