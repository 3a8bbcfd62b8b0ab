//! What a reader changes.

use std::{fs, io::Read, os::unix::fs::MetadataExt};

use fido::local::{Flags, Name, Place};

use crate::{House, subjects};

#[test]
fn marks_are_the_letters_of_maildir_sorted() {
    let house = House::new();
    house.message("new/1.a,S=9", "Subject: a");
    let mut folder = house.inbox();
    for (flags, on, name) in [
        (Flags::SEEN, true, "1.a,S=9:2,S"),
        (Flags::REPLIED.with(Flags::FLAGGED), true, "1.a,S=9:2,FRS"),
        (Flags::TRASHED, true, "1.a,S=9:2,FRST"),
        (Flags::TRASHED, false, "1.a,S=9:2,FRS"),
        (Flags::SEEN, true, "1.a,S=9:2,FRS"),
        (Flags::PASSED.with(Flags::DRAFT), true, "1.a,S=9:2,DFPRS"),
        (Flags::SEEN, false, "1.a,S=9:2,DFPR"),
    ] {
        let outcome = folder.mark(&[0], flags, on);
        assert_eq!((outcome.done, outcome.fault.is_none()), (vec![0], true));
        assert_eq!(house.names("cur"), [name]);
        assert_eq!(folder.entries()[0].file_name(), name.as_bytes());
    }
    assert!(house.names("new").is_empty());
}

#[test]
fn a_new_message_becomes_old_and_taking_away_moves_none() {
    let house = House::new();
    house.message("new/1.a", "Subject: a");
    let mut folder = house.inbox();
    assert_eq!(folder.mark(&[0], Flags::SEEN, false).done, [0]);
    assert_eq!(house.names("new"), ["1.a"]);
    assert_eq!(folder.mark(&[0], Flags::NONE, true).done, [0]);
    assert_eq!(house.names("cur"), ["1.a:2,"]);
    assert_eq!(folder.entries()[0].place(), Place::Cur);
}

#[test]
fn a_mark_overwrites_no_other_message() {
    let house = House::new();
    house.message("new/1.a", "Subject: one");
    let mut folder = house.inbox();
    house.message("cur/1.a:2,S", "Subject: other");
    let outcome = folder.mark(&[0], Flags::SEEN, true);
    assert_eq!((outcome.failed, outcome.fault.is_some()), (vec![0], true));
    assert_eq!((house.names("new").len(), house.names("cur").len()), (1, 1));
}

#[test]
fn what_another_program_renamed_is_found_and_keeps_its_flags() {
    let house = House::new();
    house.message("new/1.a", "Subject: a");
    house.message("new/2.b", "Subject: b");
    let mut folder = house.inbox();
    fs::rename(house.path().join("new/1.a"), house.path().join("cur/1.a:2,Fk")).unwrap();
    fs::remove_file(house.path().join("new/2.b")).unwrap();
    let outcome = folder.mark(&[0, 1, 7], Flags::SEEN, true);
    assert_eq!((outcome.done, outcome.gone), (vec![0], vec![7, 1]));
    assert!(outcome.failed.is_empty() && outcome.fault.is_none());
    assert_eq!(house.names("cur"), ["1.a:2,FSk"]);
    fs::rename(house.path().join("cur/1.a:2,FSk"), house.path().join("cur/1.a:2,S")).unwrap();
    let mut text = String::new();
    folder.open_message(0).unwrap().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "Subject: a\n\nwoof\n");
    assert!(folder.open_message(1).unwrap().is_none());
    assert_eq!(folder.entries().len(), 2, "only a refresh takes it away");
    assert_eq!(folder.refresh(|_, _| {}).unwrap().removed, 1);
}

#[test]
fn a_purge_removes_what_is_still_marked() {
    let house = House::new();
    for name in ["cur/1.a:2,", "cur/2.b:2,ST", "cur/3.c:2,T", "cur/4.d:2,T", "new/5.e"] {
        house.message(name, &format!("Subject: {name}"));
    }
    let mut folder = house.inbox();
    // Another program takes one mark back, and removes one itself.
    fs::rename(house.path().join("cur/3.c:2,T"), house.path().join("cur/3.c:2,")).unwrap();
    fs::remove_file(house.path().join("cur/4.d:2,T")).unwrap();
    let outcome = folder.purge();
    assert_eq!((outcome.done, outcome.left, outcome.gone), (vec![1], vec![2], vec![3]));
    assert_eq!(house.names("cur"), ["1.a:2,", "3.c:2,"]);
    assert_eq!(house.names("new"), ["5.e"]);
    assert_eq!(folder.entries().len(), 4);
}

#[test]
fn messages_move_with_their_flags_and_never_onto_another() {
    let house = House::new();
    let to = Name::parse("Bones").unwrap();
    house.local().make_folder(&to).unwrap();
    for name in ["cur/1.a:2,S", "new/2.b", "cur/3.c:2,F", "cur/4.d:2,"] {
        house.message(name, &format!("Subject: {name}"));
    }
    house.message(".Bones/cur/3.c:2,F", "Subject: another");
    let mut folder = house.inbox();
    fs::remove_file(house.path().join("cur/4.d:2,")).unwrap();
    let outcome = folder.move_to(&to, &[0, 1, 2, 3]).unwrap();
    assert_eq!((outcome.done, outcome.gone), (vec![0, 1, 2], vec![3]));
    assert!(outcome.fault.is_none());
    assert_eq!(subjects(&folder), ["cur/4.d:2,"]);
    assert!(house.names("cur").is_empty() && house.names("new").is_empty());
    assert_eq!(house.names(".Bones/new"), ["2.b"]);
    let moved = house.local().folder(&to, |_, _| {}).unwrap();
    let mut all = subjects(&moved);
    all.sort();
    assert_eq!(all, ["another", "cur/1.a:2,S", "cur/3.c:2,F", "new/2.b"]);
    assert_eq!(moved.entries().iter().filter(|entry| entry.flags() == Flags::FLAGGED).count(), 2);
    assert!(folder.move_to(&Name::parse("Cats").unwrap(), &[0]).is_err());
}

#[test]
fn a_copy_has_the_octets_and_the_flags_and_its_sizes_in_its_name() {
    let house = House::new();
    let to = Name::parse("Bones").unwrap();
    house.local().make_folder(&to).unwrap();
    house.message("cur/1.a:2,FS", "Subject: a");
    let mut folder = house.inbox();
    assert_eq!(folder.copy_to(&to, &[0]).unwrap().done, [0]);
    let names = house.names(".Bones/cur");
    assert!(names[0].contains(",S=17,W=20:2,FS"), "{names:?}");
    let copy = fs::read(house.path().join(".Bones/cur").join(&names[0])).unwrap();
    assert_eq!(copy, fs::read(house.path().join("cur/1.a:2,FS")).unwrap());
    assert!(house.names(".Bones/tmp").is_empty());
}

#[test]
fn a_draft_is_added_for_its_owner_alone() {
    let house = House::new();
    let mut folder = house.inbox();
    let at = folder.add(&b"Subject: draft\n\nwoof\n"[..], Flags::DRAFT).unwrap();
    assert_eq!((at, folder.entries()[at].summary().subject()), (0, "draft"));
    let names = house.names("cur");
    assert!(names[0].ends_with(",S=21,W=24:2,D"), "{names:?}");
    assert_eq!(fs::metadata(house.path().join("cur").join(&names[0])).unwrap().mode() & 0o777, 0o600);
    let new = folder.add(&b"Subject: new\n\n"[..], Flags::NONE).unwrap();
    assert_eq!(folder.entries()[new].place(), Place::New);
    let refreshed = folder.refresh(|_, _| {}).unwrap();
    assert_eq!((refreshed.added, refreshed.removed, refreshed.changed), (0, 0, 0), "they are known");
    assert_eq!(folder.remove(&[at]).done, [at]);
    assert!(house.names("cur").is_empty() && house.names("tmp").is_empty());
}

#[test]
fn a_draft_that_cannot_be_read_to_its_end_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let house = House::new();
    let mut folder = house.inbox();
    assert!(folder.add((&b"Subject: x\n"[..]).chain(Broken), Flags::DRAFT).is_err());
    assert!(house.names("cur").is_empty() && house.names("tmp").is_empty() && folder.entries().is_empty());
}
