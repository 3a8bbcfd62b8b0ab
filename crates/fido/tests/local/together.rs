//! Other programs rename and remove while marks are set.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use fido::local::{Flags, Name};

use crate::House;

/// Each message's number is its unique name.
const COUNT: usize = 300;

#[test]
fn marks_are_set_while_others_rename_and_remove() {
    let house = House::new();
    for n in 0..COUNT {
        house.message(&format!("new/{n}.x"), &format!("Subject: {n}"));
    }
    let mut folder = house.inbox();
    let (path, is_over) = (house.path(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&is_over);
    // It flags and unflags all messages by turns, and removes each tenth.
    let other = thread::spawn(move || {
        let mut round = 0;
        while !over.load(Ordering::Relaxed) || round < 4 {
            for part in ["new", "cur"] {
                for entry in fs::read_dir(path.join(part)).unwrap().map(Result::unwrap) {
                    let name = entry.file_name().into_string().unwrap();
                    let (unique, flags) = name.split_once(":2,").unwrap_or((&name, ""));
                    let n: usize = unique.split('.').next().unwrap().parse().unwrap();
                    let kept: String = flags.chars().filter(|&flag| flag != 'F').collect();
                    let flags = if flags.contains('F') { kept } else { format!("F{kept}") };
                    // What is not there any more was renamed by the other side.
                    if n % 10 == 3 {
                        let _ = fs::remove_file(entry.path());
                    } else if n % 3 == round % 3 {
                        let _ =
                            fs::rename(entry.path(), path.join("cur").join(format!("{unique}:2,{flags}")));
                    }
                }
            }
            round += 1;
        }
    });
    let (mut gone, mut failures) = (BTreeSet::new(), 0);
    for flags in [Flags::SEEN, Flags::REPLIED, Flags::PASSED] {
        for at in 0..COUNT {
            let outcome = folder.mark(&[at], flags, true);
            failures += outcome.failed.len();
            gone.extend(outcome.gone);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    other.join().unwrap();
    assert_eq!(failures, 0);
    let removed: BTreeSet<usize> = (0..COUNT).filter(|n| n % 10 == 3).collect();
    let position = |n: &usize| folder.position(format!("{n}.x").as_bytes()).unwrap();
    let removed_at: BTreeSet<usize> = removed.iter().map(position).collect();
    assert!(gone.is_subset(&removed_at), "said to be gone, and were not: {gone:?} {removed_at:?}");
    folder.refresh(|_, _| {}).unwrap();
    assert_eq!(folder.entries().len(), COUNT - removed.len());
    for entry in folder.entries() {
        let all = Flags::SEEN.with(Flags::REPLIED).with(Flags::PASSED);
        assert!(entry.flags().has(all), "{entry:?} lacks a mark");
    }
    let on_disk: BTreeSet<String> =
        house.names("cur").iter().map(|name| name.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(on_disk.len(), house.names("cur").len(), "no message is there twice");
}

#[test]
fn two_readers_move_the_same_messages_and_none_is_lost() {
    let house = House::new();
    let to = Name::parse("Bones").unwrap();
    house.local().make_folder(&to).unwrap();
    for n in 0..COUNT {
        house.message(&format!("new/{n}.x"), "Subject: x");
    }
    let at: Vec<usize> = (0..COUNT).collect();
    let done: usize = thread::scope(|scope| {
        let movers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut folder = house.inbox();
                    let count = folder.entries().len();
                    let outcome = folder.move_to(&to, &at[..count]).unwrap();
                    assert_eq!((outcome.done.len() + outcome.gone.len(), outcome.failed), (count, vec![]));
                    outcome.done.len()
                })
            })
            .collect();
        movers.into_iter().map(|mover| mover.join().unwrap()).sum()
    });
    assert_eq!((done, house.names(".Bones/new").len()), (COUNT, COUNT));
}
