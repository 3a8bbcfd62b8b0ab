//! What a reader changes: flags, places, and whether a message is there at all. Other programs may rename or remove the
//! same messages at the same moment: each is found again by its unique name, and keeps the flags that they gave it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
};

use postbox::{disk, name};

use super::{
    Entry, Error, Flags, Folder, Name, Place,
    deliver::Target,
    error::failed,
    file_name::with_flags,
    folder::{open_file, place_of},
    listing::{self, Item, Parts},
};

/// How often messages are looked for that other programs go on renaming.
const TRIES: usize = 32;
/// A message that is in none of so many listings in a row is gone, although the folder is busy.
const MISSES: usize = 4;

/// How a change of several messages went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Where the messages were, among the entries, with which it is done.
    pub done: Vec<usize>,
    /// Where those were that another program has removed; the next refresh takes them away.
    pub gone: Vec<usize>,
    /// Where those are that were left as they are: another program had taken back what the change depended on.
    pub left: Vec<usize>,
    /// Where those are with which it failed.
    pub failed: Vec<usize>,
    /// Why, of the last failure.
    pub fault: Option<Error>,
}

impl Outcome {
    fn fail(&mut self, at: usize, fault: Error) {
        self.failed.push(at);
        self.fault = Some(fault);
    }
}

impl Folder {
    /// Sets flags of messages, or takes them away; all other flags stay. Setting moves a message from `new` to `cur`,
    /// and so does setting [`Flags::NONE`]; taking away moves none. It is not synced: after a power failure flags may
    /// be as they were.
    pub fn mark(&mut self, at: &[usize], flags: Flags, on: bool) -> Outcome {
        if on && let Err(fault) = self.make_cur() {
            return Outcome { failed: at.to_vec(), fault: Some(fault), ..Outcome::default() };
        }
        self.each(at, |parts, entry| {
            let now = entry.flags();
            let wanted = if on { now.with(flags) } else { now.without(flags) };
            let stays = wanted == now && (entry.place == Place::Cur || !on);
            if stays {
                listing::status(parts.get(entry.place)?, &entry.name)?;
                return Ok(true);
            }
            let (cur, to) = (parts.get(Place::Cur)?, with_flags(&entry.name, wanted));
            let (old, new) = (OsStr::from_bytes(&entry.name), OsStr::from_bytes(&to));
            if old != new || entry.place != Place::Cur {
                disk::rename(parts.get(entry.place)?, old, cur, new)?;
            }
            (entry.name, entry.place) = (to.into(), Place::Cur);
            Ok(true)
        })
    }

    /// Removes the messages that bear the mark of the trash here and on the disk; one from which another program has
    /// taken it is left. Those that are done are no entries any more. It is not synced: after a power failure a message
    /// may be there again.
    pub fn purge(&mut self) -> Outcome {
        let trashed = |(at, entry): (usize, &Entry)| entry.flags().has(Flags::TRASHED).then_some(at);
        let at: Vec<usize> = self.entries.iter().enumerate().filter_map(trashed).collect();
        self.delete(&at, |entry| entry.flags().has(Flags::TRASHED))
    }

    /// Removes messages, whatever their flags, such as a draft that has been sent; otherwise as [`purge`](Self::purge).
    pub fn remove(&mut self, at: &[usize]) -> Outcome {
        self.delete(at, |_| true)
    }

    fn delete(&mut self, at: &[usize], is_wanted: impl Fn(&Entry) -> bool) -> Outcome {
        let outcome = self.each(at, |parts, entry| {
            let is_wanted = is_wanted(entry);
            if is_wanted && !disk::unlink(parts.get(entry.place)?, OsStr::from_bytes(&entry.name))? {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(is_wanted)
        });
        self.forget(&outcome.done);
        outcome
    }

    /// Moves messages to a folder that exists, with their flags; those that are done are no entries here any more.
    /// Their new places are on the disk when this returns.
    pub fn move_to(&mut self, to: &Name, at: &[usize]) -> Result<Outcome, Error> {
        let target = self.target(to)?;
        let mut outcome = self.each(at, |parts, entry| {
            let from = parts.get(entry.place)?;
            let own = OsStr::from_bytes(&entry.name);
            let to = target.part(entry.place);
            match disk::rename(from, own, to, own) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Another message has that name there.
                    let info = entry.name.get(entry.unique().len()..).unwrap_or_default();
                    let other = [name::fresh().as_bytes(), info].concat();
                    disk::rename(from, own, to, OsStr::from_bytes(&other))?;
                }
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    target.put(open_file(from, &entry.name)?, entry.place, entry.flags())?;
                    disk::sync(to)?;
                    disk::unlink(from, own)?;
                }
                moved => moved?,
            }
            Ok(true)
        });
        if let Err(fault) = target.sync() {
            outcome.fault = Some(fault);
        }
        self.forget(&outcome.done);
        Ok(outcome)
    }

    /// Copies messages to a folder that exists, with their flags, as messages that are delivered now. The copies are on
    /// the disk when this returns.
    pub fn copy_to(&mut self, to: &Name, at: &[usize]) -> Result<Outcome, Error> {
        let target = self.target(to)?;
        let mut outcome = self.each(at, |parts, entry| {
            target.put(open_file(parts.get(entry.place)?, &entry.name)?, entry.place, entry.flags())?;
            Ok(true)
        });
        if let Err(fault) = target.sync() {
            outcome.fault = Some(fault);
        }
        Ok(outcome)
    }

    /// Puts a message into this folder: into `cur` if it has flags, such as [`Flags::DRAFT`], else into `new`. It is on
    /// the disk when this returns, which gives its position.
    pub fn add(&mut self, message: impl Read, flags: Flags) -> Result<usize, Error> {
        let target = Target::open(&self.handle, &self.path)?;
        let place = if flags == Flags::NONE { Place::New } else { Place::Cur };
        let name = target.put(message, place, flags).map_err(failed("write a message in", &self.path))?;
        if let Err(fault) = target.sync() {
            // Its writer will be told that it failed, and will write it again.
            let _ = disk::unlink(target.part(place), OsStr::from_bytes(&name));
            return Err(fault);
        }
        self.parts = Parts::open(&self.handle, &self.path)?;
        let item = Item::new(name, place, 0);
        // One that is gone already was there; the next refresh takes it away.
        let known = self.read(&item).unwrap_or_default();
        self.entries.push(Entry { name: item.name, place, known });
        self.is_unsaved = true;
        Ok(self.entries.len() - 1)
    }

    /// Opens a message for reading, wherever it is now; `None` where it is gone. The file is that message whatever
    /// happens in the folder later.
    pub fn open_message(&mut self, at: usize) -> Result<Option<File>, Error> {
        let mut opened = None;
        let outcome = self.each(&[at], |parts, entry| {
            opened = Some(open_file(parts.get(entry.place)?, &entry.name)?);
            Ok(true)
        });
        outcome.fault.map_or(Ok(opened), Err)
    }

    fn target(&self, to: &Name) -> Result<Target, Error> {
        let (handle, path) = self.local.existing(to)?;
        Target::open(&handle, &path)
    }

    fn make_cur(&mut self) -> Result<(), Error> {
        if self.parts.cur.is_none() {
            let path = self.path.join("cur");
            self.parts.cur = Some(disk::make_folder(&self.handle, "cur").map_err(failed("make", &path))?);
        }
        Ok(())
    }

    /// Does something to each message. Where it is not where it was, it is looked for, all such messages at once.
    fn each(&mut self, at: &[usize], mut act: impl FnMut(&Parts, &mut Entry) -> io::Result<bool>) -> Outcome {
        let mut outcome = Outcome::default();
        // Each with how often in a row it was not found.
        let mut waiting: Vec<(usize, usize)> = at.iter().map(|&at| (at, 0)).collect();
        for _ in 0..TRIES {
            waiting.retain(|&(at, _)| {
                let Some(entry) = self.entries.get_mut(at) else {
                    outcome.gone.push(at);
                    return false;
                };
                match act(&self.parts, entry) {
                    Ok(true) => outcome.done.push(at),
                    Ok(false) => outcome.left.push(at),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
                    Err(error) => outcome.fail(at, failed("change", &place_of(&self.path, entry))(error)),
                }
                false
            });
            if waiting.is_empty() {
                return outcome;
            }
            match self.look_again() {
                Ok((is_sure, is_there)) => waiting.retain_mut(|(at, misses)| {
                    *misses = if is_there.get(*at) == Some(&true) { 0 } else { *misses + 1 };
                    let is_gone = *misses > 0 && (is_sure || *misses == MISSES);
                    if is_gone {
                        outcome.gone.push(*at);
                    }
                    !is_gone
                }),
                Err(fault) => {
                    outcome.failed.extend(waiting.iter().map(|(at, _)| at));
                    outcome.fault = Some(fault);
                    return outcome;
                }
            }
        }
        for (at, _) in waiting {
            outcome.fail(at, Error::Restless { place: self.path.clone() });
        }
        outcome
    }

    /// Takes entries away that are no longer of this folder.
    fn forget(&mut self, done: &[usize]) {
        if done.is_empty() {
            return;
        }
        let mut is_done = vec![false; self.entries.len()];
        for &at in done {
            if let Some(is_done) = is_done.get_mut(at) {
                *is_done = true;
            }
        }
        let mut is_done = is_done.into_iter();
        self.entries.retain(|_| is_done.next() != Some(true));
        self.is_unsaved = true;
    }
}
