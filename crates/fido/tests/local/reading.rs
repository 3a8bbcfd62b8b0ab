//! What is found in a Maildir.

use std::{
    fs,
    os::unix::{ffi::OsStringExt, fs::PermissionsExt, fs::symlink},
    process::Command,
};

use fido::local::{Error, Flags, Local, Name, Place};

use crate::{House, subjects, until_quiet};

#[test]
fn other_programs_names_are_understood() {
    let house = House::new();
    for (name, subject) in [
        ("new/1700000003.M1P1.host,S=9,W=10", "c"),
        ("cur/1700000001.M1P1.host,S=9:2,RS", "a"),
        ("cur/1700000002.V8I1.host:2,", "b"),
        ("cur/odd", "0"),
        ("cur/1700000004.x:1,new-fangled", "d"),
        ("new/1700000005.y:2,F", "e"),
        ("cur/:2,S", ""),
    ] {
        house.message(name, &format!("Subject: {subject}"));
    }
    let bad = std::ffi::OsString::from_vec(b"1700000006.\xff\xfe:2,SF".to_vec());
    fs::write(house.path().join("cur").join(bad), "Subject: f\n\n").unwrap();
    let folder = house.inbox();
    assert_eq!(subjects(&folder), ["", "0", "a", "b", "c", "d", "e", "f"]);
    let flags: Vec<String> = folder.entries().iter().map(|entry| entry.flags().to_string()).collect();
    assert_eq!(flags, ["S", "", "RS", "", "", "", "F", "FS"]);
    let a = &folder.entries()[2];
    assert_eq!((a.unique(), a.place()), (&b"1700000001.M1P1.host,S=9"[..], Place::Cur));
    assert_eq!((a.size(), a.received()), (17, 1_700_000_001), "the file's size, whatever its name says");
    assert!(folder.entries()[1].received() > 1_700_000_000, "its mtime");
    assert_eq!(folder.entries()[4].place(), Place::New);
}

#[test]
fn what_is_no_plain_file_is_no_message_and_is_not_followed() {
    let house = House::new();
    house.message("cur/1.a:2,", "Subject: a");
    fs::write(house.0.path().join("secret"), "Subject: secret\n\n").unwrap();
    symlink("../../secret", house.path().join("cur/2.link:2,")).unwrap();
    symlink("nowhere", house.path().join("new/3.dangling")).unwrap();
    fs::create_dir(house.path().join("cur/4.folder")).unwrap();
    assert!(Command::new("mkfifo").arg(house.path().join("new/5.pipe")).status().unwrap().success());
    house.message("cur/.6.hidden", "Subject: hidden");
    let mut folder = house.inbox();
    assert_eq!(subjects(&folder), ["a"]);
    let counts = house.local().folders().unwrap().remove(0);
    assert_eq!((counts.all, counts.new, counts.unseen), (1, 0, 1));

    // A message that turns into a link meanwhile is not read.
    fs::remove_file(house.path().join("cur/1.a:2,")).unwrap();
    symlink("../../secret", house.path().join("cur/1.a:2,")).unwrap();
    assert!(folder.open_message(0).is_err());
    assert!(folder.copy_to(&Name::inbox(), &[0]).unwrap().fault.is_some());
    assert_eq!(folder.refresh(|_, _| {}).unwrap().removed, 1);
}

#[test]
fn links_in_the_place_of_folders_are_not_followed() {
    let house = House::new();
    let outside = House::new();
    outside.message("cur/1.a:2,", "Subject: secret");
    symlink(outside.path(), house.path().join(".Linked")).unwrap();
    fs::create_dir(house.path().join(".Half")).unwrap();
    symlink(outside.path().join("cur"), house.path().join(".Half/cur")).unwrap();
    let names: Vec<String> =
        house.local().folders().unwrap().iter().map(|counts| counts.name.to_string()).collect();
    assert_eq!(names, ["INBOX"]);
    let linked = Name::parse("Linked").unwrap();
    let error = house.local().folder(&linked, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");

    fs::remove_dir(house.path().join("cur")).unwrap();
    symlink(outside.path().join("cur"), house.path().join("cur")).unwrap();
    let error = Local::open(house.path()).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
}

#[test]
fn folders_are_told_with_their_counts() {
    let house = House::new();
    for file in ["new/1.a", "cur/2.b:2,S", "cur/3.c:2,F"] {
        house.message(file, "Subject: x");
    }
    let local = house.local();
    for name in ["Bones", "Bones.Old ones", "Böse"] {
        local.make_folder(&Name::parse(name).unwrap()).unwrap();
        local.make_folder(&Name::parse(name).unwrap()).unwrap();
    }
    house.message(".Bones.Old ones/cur/1.a:2,S", "Subject: x");
    fs::create_dir(house.path().join(".git")).unwrap();
    fs::create_dir(house.path().join("plain")).unwrap();
    fs::write(house.path().join(".file"), "").unwrap();
    let found: Vec<_> = local
        .folders()
        .unwrap()
        .into_iter()
        .map(|counts| (counts.name.to_string(), counts.all, counts.new, counts.unseen))
        .collect();
    let expected =
        [("INBOX", 3, 1, 2), ("Bones", 0, 0, 0), ("Bones.Old ones", 1, 0, 0), (r"B\xc3\xb6se", 0, 0, 0)];
    assert_eq!(found, expected.map(|(name, all, new, unseen)| (name.to_owned(), all, new, unseen)));
    assert!(house.path().join(".Bones/maildirfolder").exists());
}

#[test]
fn errors_name_the_thing_and_the_remedy() {
    let house = House::new();
    let nowhere = house.0.path().join("nowhere");
    for path in [house.0.path().to_owned(), nowhere] {
        let error = Local::open(&path).unwrap_err();
        assert!(matches!(error, Error::NoMaildir { .. }), "{error}");
        assert!(error.to_string().contains("fido fetch --to maildir:"), "{error}");
    }
    let error = house.local().folder(&Name::parse("Cats").unwrap(), |_, _| {}).unwrap_err();
    assert_eq!(fido::Failure::from(Name::parse("a..b").unwrap_err()).exit, fido::Exit::Usage);
    assert!(error.to_string().contains("no folder Cats") && error.to_string().contains("make it"), "{error}");
}

#[test]
fn a_message_that_may_not_be_read_is_there_all_the_same() {
    let house = House::new();
    house.message("cur/1.a:2,S", "Subject: a");
    let path = house.path().join("cur/1.a:2,S");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        return; // nothing is forbidden to root
    }
    assert_eq!(subjects(&house.inbox()), [""]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(subjects(&house.inbox()), ["a"], "it is tried again");
}

#[test]
fn a_long_header_is_read_and_an_endless_one_is_cut() {
    let house = House::new();
    let padding = "X-Padding: bone\n".repeat(1000);
    house.message("cur/1.a:2,", &format!("{padding}Subject: long"));
    house.message("cur/2.b:2,", &format!("Subject: endless\n{}Message-ID: <far@x>", padding.repeat(10)));
    fs::write(house.path().join("cur/3.c:2,"), "Subject: crlf\r\n\r\nSubject: body\r\n").unwrap();
    fs::write(house.path().join("cur/4.d:2,"), "").unwrap();
    fs::write(house.path().join("cur/5.e:2,"), "Subject: no body").unwrap();
    let folder = house.inbox();
    assert_eq!(subjects(&folder), ["long", "endless", "crlf", "", "no body"]);
    assert_eq!(folder.entries()[1].summary().id(), "");
}

#[test]
fn a_refresh_keeps_the_order_and_puts_what_is_new_behind() {
    let house = House::new();
    for file in ["cur/10.a:2,", "cur/20.b:2,", "cur/30.c:2,"] {
        house.message(file, &format!("Subject: {file}"));
    }
    until_quiet();
    let mut folder = house.inbox();
    let none = folder.refresh(|_, _| panic!("nothing is new")).unwrap();
    assert_eq!((none.added, none.removed, none.changed), (0, 0, 0));
    fs::remove_file(house.path().join("cur/10.a:2,")).unwrap();
    fs::rename(house.path().join("cur/30.c:2,"), house.path().join("cur/30.c:2,S")).unwrap();
    house.message("new/15.e", "Subject: new/15.e");
    house.message("new/05.d", "Subject: new/05.d");
    let mut told = Vec::new();
    let some = folder.refresh(|done, of| told.push((done, of))).unwrap();
    assert_eq!((some.added, some.removed, some.changed), (2, 1, 1));
    assert_eq!(told, [(1, 2), (2, 2)]);
    assert_eq!(subjects(&folder), ["cur/20.b:2,", "cur/30.c:2,", "new/05.d", "new/15.e"]);
    assert_eq!(folder.entries()[1].flags(), Flags::SEEN);
    assert_eq!(folder.position(b"15.e"), Some(3));
    assert_eq!(folder.position(b"10.a"), None);
}

#[test]
fn a_change_in_the_same_moment_is_not_missed() {
    let house = House::new();
    let mut folder = house.inbox();
    for n in 0..50 {
        house.message(&format!("new/{n}.x"), "Subject: x");
        assert_eq!(folder.refresh(|_, _| {}).unwrap().added, 1, "{n}");
    }
}
