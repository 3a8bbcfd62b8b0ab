//! `.mh_sequences`: names for sets of messages, such as `unseen: 3-5 9`.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::fs::{FileType, Mode, OFlags};

use crate::{
    Error,
    error::failed,
    lock::{Lock, Manner, Purpose},
    place,
};

const NAME: &str = ".mh_sequences";

/// The set of messages that nobody has looked at, by the name that everybody's profile gives it.
const UNSEEN: &str = "unseen";

/// The message that was looked at last: it stays where it is, as MH's own `rmm` leaves it.
const CURRENT: &str = "cur";

/// The largest file that is looked into, in octets.
const LARGEST: u64 = 1024 * 1024;

/// A message has come: it is unseen, where such a set is kept.
pub(super) fn added(folder: &OwnedFd, place: &Path, number: u32) {
    told(place, update(folder, place, |text| add(text, number)));
}

/// Messages have gone.
pub(super) fn removed(folder: &OwnedFd, place: &Path, numbers: &BTreeSet<u32>) {
    told(place, update(folder, place, |text| remove(text, numbers)));
}

/// The mail is what matters; the sets are a convenience.
fn told(place: &Path, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(place = %place.display(), %error, "cannot update the sequences of an MH folder");
    }
}

fn update(folder: &OwnedFd, place: &Path, change: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    let path = place.join(NAME);
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, NAME, flags, Mode::empty()).map_err(io::Error::from);
    let Some(file) = place::existing(opened, "open", &path)? else { return Ok(()) };
    let mut file = File::from(file);
    let status = rustix::fs::fstat(&file).map_err(|error| failed("examine", &path)(error.into()))?;
    let size = u64::try_from(status.st_size).unwrap_or_default();
    let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile && status.st_nlink == 1;
    if !is_file || size > LARGEST {
        return Err(Error::Strange { place: path, what: "no plain list of sequences" });
    }
    let locked = file.try_clone().map_err(failed("lock", &path))?;
    let _lock = Lock::take(&locked, (folder, NAME.as_ref()), &path, Manner::Dotlock, Purpose::Write)?;
    let mut text = String::new();
    (&file).take(LARGEST).read_to_string(&mut text).map_err(failed("read", &path))?;
    let Some(changed) = change(&text) else { return Ok(()) };
    // In place, as MH does: others may wait for the lock on this file.
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.write_all(changed.as_bytes()))
        .and_then(|()| file.set_len(changed.len() as u64))
        .map_err(failed("write", &path))
}

/// The text with a number more in the set of unseen messages; `None` where there is no such set.
fn add(text: &str, number: u32) -> Option<String> {
    changed(text, |name, numbers| {
        if name == UNSEEN {
            numbers.insert(number);
        }
    })
}

/// The text without numbers, in whatever set; `None` where it has none of them.
fn remove(text: &str, gone: &BTreeSet<u32>) -> Option<String> {
    changed(text, |name, numbers| {
        if name != CURRENT {
            numbers.retain(|number| !gone.contains(number));
        }
    })
}

/// The text with its sets changed; lines that are none stay what they are. `None` where nothing changes.
fn changed(text: &str, change: impl Fn(&str, &mut BTreeSet<u32>)) -> Option<String> {
    let (mut all, mut any) = (String::new(), false);
    for line in text.split_inclusive('\n') {
        let set = line.split_once(':').and_then(|(name, list)| Some((name, numbers(list)?)));
        match set {
            Some((name, before)) => {
                let mut after = before.clone();
                change(name, &mut after);
                if after == before {
                    all.push_str(line);
                    continue;
                }
                any = true;
                if !after.is_empty() {
                    all.extend([name, ": ", &list(&after), "\n"]);
                }
            }
            None => all.push_str(line),
        }
    }
    any.then_some(all)
}

/// What `1-3 7` stands for; `None` where it is no such list, or one of more messages than there can be.
fn numbers(list: &str) -> Option<BTreeSet<u32>> {
    const MOST: u32 = 1_000_000;
    let mut numbers = BTreeSet::new();
    for part in list.split_whitespace() {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last - first >= MOST || numbers.len() >= MOST as usize {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The shortest list of a set.
fn list(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |&(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_added_and_removed() {
        let text = "cur: 2\nunseen: 1-3 7\nwork: 2\nodd line\nbad: x\n";
        assert_eq!(add(text, 4).unwrap(), "cur: 2\nunseen: 1-4 7\nwork: 2\nodd line\nbad: x\n");
        assert_eq!(add("cur: 2\n", 4), None);
        let gone = BTreeSet::from([2, 7]);
        assert_eq!(remove(text, &gone).unwrap(), "cur: 2\nunseen: 1 3\nodd line\nbad: x\n");
        assert_eq!(remove(text, &BTreeSet::from([9])), None);
        for hostile in ["unseen: 1-4294967295\n", "unseen: 9-1\n", "unseen: -1\n", ":\n", "unseen"] {
            assert_eq!(remove(hostile, &gone), None, "{hostile}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_read_back(set in prop::collection::btree_set(1_u32..200, 0..40)) {
            prop_assert_eq!(numbers(&list(&set)), Some(set));
        }

        #[test]
        fn any_text_is_taken_somehow(text in "([a-z]{0,3}[:\n -]{0,2}[0-9]{0,3}){0,9}", number: u32) {
            let _ = (add(&text, number), remove(&text, &BTreeSet::from([number])));
        }
    }
}
