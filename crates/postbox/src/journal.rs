//! Changes of a file of several messages that a crash does not leave half done.
//!
//! Before the file is touched, what is to become of it is written to `.NAME.doghouse-journal` beside it, and
//! synced. Whoever opens the file next finishes what the journal says, or takes it back. Everything here is
//! done while the file is locked for writing.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    ops::Range,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{Error, disk, error::failed};

mod record;

use record::{Change, Record};

/// How much is copied at a time, in octets.
const PIECE: usize = 64 * 1024;

/// How much before and behind the place of a change is looked at to know the file again, in octets.
const WITNESS: u64 = 4 * 1024;

/// The journal of one file.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    folder: &'a OwnedFd,
    name: OsString,
    /// The file's, for messages.
    path: &'a Path,
}

/// What a journal says, with the octets behind it.
#[derive(Debug)]
struct Found {
    record: Record,
    file: File,
}

impl<'a> Journal<'a> {
    /// The journal of the file `name` in `folder`.
    pub(crate) fn of(folder: &'a OwnedFd, name: &OsStr, path: &'a Path) -> Self {
        let mut own = OsString::from(".");
        own.push(name);
        own.push(".doghouse-journal");
        Self { folder, name: own, path }
    }

    /// Whether there is one, which [`recover`](Self::recover) has to see.
    pub(crate) fn exists(&self) -> bool {
        rustix::fs::statat(self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Appends the octets that `each` hands out, and they are on the disk, and the file's name too. Where it fails, the file is as it
    /// was, or will be at the next opening.
    pub(crate) fn append(
        &self,
        file: &File,
        each: impl Fn(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let start = length(file).map_err(failed("examine", self.path))?;
        let record = Record::of(file, Change::Append, start, start).map_err(failed("read", self.path))?;
        self.write(record, &self.name, &each)?;
        let appended = write_all(file, start, &each).and_then(|()| disk::sync(file));
        if let Err(error) = appended {
            if disk::set_length(file, start).and_then(|()| disk::sync(file)).is_ok() {
                self.remove();
            }
            return Err(failed("write", self.path)(error));
        }
        self.remove();
        Ok(())
    }

    /// Puts those parts of the file that `keep` names, in order, in the place of all that begins at `start`.
    /// Where it fails, the file is as it was; what begins to change is changed, if not now then at the next
    /// opening.
    pub(crate) fn rewrite(&self, file: &File, start: u64, keep: &[Range<u64>]) -> Result<(), Error> {
        let fail = failed("write", self.path);
        let new_end = start + keep.iter().map(|range| range.end - range.start).sum::<u64>();
        if new_end > start {
            let record =
                Record::of(file, Change::Rewrite, start, new_end).map_err(failed("read", self.path))?;
            self.write(record, &self.name, |take| {
                keep.iter().try_for_each(|part| copy(file, part.clone(), take))
            })?;
            if let Err(error) = self.finish(file) {
                tracing::warn!(file = %self.path.display(), %error, "a deletion is to be finished at the next opening");
            }
            return Ok(());
        }
        // One call, which happens or does not.
        disk::set_length(file, start).map_err(&fail)?;
        if let Err(error) = disk::sync(file) {
            tracing::warn!(file = %self.path.display(), %error, "deleted mail may be back after a power failure");
        }
        Ok(())
    }

    /// Finishes or takes back what a crash has left half done.
    pub(crate) fn recover(&self, file: &File) -> Result<(), Error> {
        let Some(found) = self.read()? else { return Ok(()) };
        let fail = failed("recover", self.path);
        let Some(Found { record, file: journal }) = found else {
            // It was not complete, so the file was not touched.
            self.remove();
            return Ok(());
        };
        let status = rustix::fs::fstat(file).map_err(|error| fail(error.into()))?;
        let known = status.st_ino == record.inode
            && witness(file, before(record.start)).map_err(&fail)? == record.before;
        match record.change {
            _ if !known => self.set_aside(),
            Change::Append => self.recover_append(file, &record, &journal),
            Change::Rewrite => self.recover_rewrite(file, &record, &journal),
        }
    }

    fn recover_append(&self, file: &File, record: &Record, journal: &File) -> Result<(), Error> {
        let fail = failed("recover", self.path);
        let size = length(file).map_err(&fail)?;
        if size <= record.start {
            self.remove();
            return Ok(());
        }
        let end = record.end();
        let there = record.start..size.min(end);
        match compare(file, there, journal).map_err(&fail)? {
            Likeness::Same if size >= end => self.remove(),
            // Nobody else has written here: it was never confirmed.
            Likeness::Same | Likeness::Gaps if size <= end => {
                disk::set_length(file, record.start).and_then(|()| disk::sync(file)).map_err(&fail)?;
                tracing::info!(file = %self.path.display(), "took back a delivery that was cut off");
                self.remove();
            }
            _ => self.set_aside()?,
        }
        Ok(())
    }

    fn recover_rewrite(&self, file: &File, record: &Record, journal: &File) -> Result<(), Error> {
        let fail = failed("recover", self.path);
        let size = length(file).map_err(&fail)?;
        let (start, new_end, old_end) = (record.start, record.end(), record.old_end);
        let rest = new_end..old_end.min(new_end + WITNESS);
        let not_cut_yet = size >= old_end && witness(file, rest).map_err(&fail)? == record.behind;
        if not_cut_yet && size > old_end {
            // What others have appended since comes along.
            let all = Record { old_end: size, ..*record };
            let mut next = self.name.clone();
            next.push(".new");
            disk::unlink(self.folder, &next).map_err(&fail)?;
            self.write(all, &next, |take| {
                copy(journal, record.in_journal(), &mut *take)?;
                copy(file, old_end..size, take)
            })?;
            disk::replace(self.folder, &next, &self.name).map_err(&fail)?;
            disk::sync(self.folder).map_err(&fail)?;
        } else if !not_cut_yet {
            let is_done = size >= new_end
                && matches!(compare(file, start..new_end, journal).map_err(&fail)?, Likeness::Same);
            if !is_done {
                return self.set_aside();
            }
            self.remove();
            return Ok(());
        }
        self.finish(file).map_err(&fail)?;
        tracing::info!(file = %self.path.display(), "finished a deletion that was cut off");
        Ok(())
    }

    /// Does what a complete journal of a rewrite says.
    fn finish(&self, file: &File) -> io::Result<()> {
        let Ok(Some(Some(Found { record, file: journal }))) = self.read() else {
            return Err(io::Error::other("its journal cannot be read"));
        };
        write_all(file, record.start, |take| copy(&journal, record.in_journal(), take))?;
        // Before what is left of the old end goes, the new end is there.
        disk::sync(file)?;
        disk::set_length(file, record.end())?;
        disk::sync(file)?;
        self.remove();
        Ok(())
    }

    /// Writes a journal with the octets that `each` hands out, and it is on the disk.
    fn write(
        &self,
        record: Record,
        name: &OsStr,
        each: impl Fn(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let path = self.beside(name);
        let fail = failed("write", &path);
        let file = disk::make_file(self.folder, name).map_err(&fail)?;
        let write = || {
            let (mut octets, mut offset) = (Xxh3::new(), Record::SIZE);
            each(&mut |piece| {
                octets.update(piece);
                disk::write_at(&file, piece, offset)?;
                offset += piece.len() as u64;
                Ok(())
            })?;
            let record = Record { length: offset - Record::SIZE, octets: octets.digest(), ..record };
            disk::write_at(&file, &record.to_octets(), 0)?;
            disk::sync(&file)?;
            disk::sync(self.folder)
        };
        write().map_err(|error: io::Error| {
            let _ = disk::unlink(self.folder, name);
            fail(error)
        })
    }

    /// The journal: `None` where there is none, `Some(None)` where it is not complete.
    #[allow(clippy::option_option)] // both cases are told apart at the only place that reads one
    fn read(&self) -> Result<Option<Option<Found>>, Error> {
        let path = self.beside(&self.name);
        let fail = failed("read", &path);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match rustix::fs::openat(self.folder, &self.name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(fail(error.into())),
        };
        let status = rustix::fs::fstat(&file).map_err(|error| fail(error.into()))?;
        let is_ours = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
            && status.st_uid == rustix::process::geteuid().as_raw()
            && status.st_nlink == 1;
        if !is_ours {
            // Whoever made it must not have us write into somebody's mail.
            return Err(Error::Strange { place: path.clone(), what: "a journal that is not ours" });
        }
        let size = u64::try_from(status.st_size).unwrap_or_default();
        let mut head = vec![0; usize::try_from(Record::SIZE).unwrap_or_default()];
        if size < Record::SIZE {
            return Ok(Some(None));
        }
        file.read_exact_at(&mut head, 0).map_err(&fail)?;
        let Some(record) = Record::from_octets(&head).filter(|record| size - Record::SIZE == record.length)
        else {
            return Ok(Some(None));
        };
        let mut octets = Xxh3::new();
        copy(&file, Record::SIZE..size, &mut |piece| {
            octets.update(piece);
            Ok(())
        })
        .map_err(&fail)?;
        Ok(Some((octets.digest() == record.octets).then_some(Found { record, file })))
    }

    /// The file is not the one that the journal speaks of, or another program has changed it: its octets may be
    /// the only ones of some mail, so they are kept.
    fn set_aside(&self) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut name = self.name.clone();
        name.push(format!(".{now}"));
        disk::rename(self.folder, &self.name, self.folder, &name)
            .map_err(failed("rename", &self.beside(&self.name)))?;
        tracing::error!(file = %self.path.display(), journal = %self.beside(&name).display(), "a change was cut off and the file has changed since; look into the journal for mail that the file lacks");
        Ok(())
    }

    fn remove(&self) {
        // What is left is recognised as done at the next opening.
        let _ = disk::unlink(self.folder, &self.name);
    }

    fn beside(&self, name: &OsStr) -> PathBuf {
        self.path.with_file_name(name)
    }
}

impl Record {
    /// A change of `file` as it is now, by which all between `start` and `new_end` becomes other octets.
    fn of(file: &File, change: Change, start: u64, new_end: u64) -> io::Result<Self> {
        let status = rustix::fs::fstat(file)?;
        let old_end = u64::try_from(status.st_size).unwrap_or_default();
        Ok(Self {
            change,
            inode: status.st_ino,
            start,
            length: new_end - start,
            old_end,
            before: witness(file, before(start))?,
            behind: witness(file, new_end..old_end.min(new_end + WITNESS))?,
            octets: 0,
        })
    }
}

/// How octets of a file stand to those of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    /// Some are zero where the journal has others: after a power failure a file may be longer than what of it
    /// has reached the disk.
    Gaps,
    Different,
}

/// Compares a part of `file` with as many octets of a journal, from the first on.
fn compare(file: &File, part: Range<u64>, journal: &File) -> io::Result<Likeness> {
    let mut likeness = Likeness::Same;
    let mut offset = Record::SIZE;
    let mut expected = Vec::new();
    copy(file, part, &mut |piece| {
        expected.resize(piece.len(), 0);
        journal.read_exact_at(&mut expected, offset)?;
        offset += piece.len() as u64;
        if piece != expected {
            let gaps = piece.iter().zip(&expected).all(|(octet, expected)| octet == expected || *octet == 0);
            likeness =
                if gaps && likeness != Likeness::Different { Likeness::Gaps } else { Likeness::Different };
        }
        Ok(())
    })?;
    Ok(likeness)
}

/// Hands out a part of a file, piece by piece.
fn copy(file: &File, part: Range<u64>, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut offset = part.start;
    while offset < part.end {
        let count = usize::try_from(part.end - offset).unwrap_or(PIECE).min(PIECE);
        let room = piece.get_mut(..count).unwrap_or_default();
        file.read_exact_at(room, offset)?;
        take(room)?;
        offset += count as u64;
    }
    Ok(())
}

fn write_all(
    file: &File,
    start: u64,
    each: impl Fn(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<()> {
    let mut offset = start;
    each(&mut |piece| {
        disk::write_at(file, piece, offset)?;
        offset += piece.len() as u64;
        Ok(())
    })
}

fn length(file: &File) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or_default())
}

fn before(start: u64) -> Range<u64> {
    start.saturating_sub(WITNESS)..start
}

/// What a part of a file is known again by; the part may reach beyond its end.
fn witness(file: &File, part: Range<u64>) -> io::Result<u64> {
    let mut octets = vec![0; usize::try_from(part.end.saturating_sub(part.start)).unwrap_or_default()];
    let mut filled = 0;
    while let Some(room) = octets.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, part.start + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    octets.truncate(filled);
    Ok(xxh3_64(&octets))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NAME: &str = ".mbox.doghouse-journal";

    struct Bench {
        folder: tempfile::TempDir,
        at: OwnedFd,
        path: PathBuf,
        file: File,
    }

    fn bench(content: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        fs::write(&path, content).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        Bench { at: disk::open_base(folder.path()).unwrap(), folder, path, file }
    }

    impl Bench {
        fn journal(&self) -> Journal<'_> {
            Journal::of(&self.at, "mbox".as_ref(), &self.path)
        }

        fn content(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }

        /// What lies beside the file.
        fn beside(&self) -> Vec<String> {
            let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).filter(|name| name != "mbox").collect()
        }

        /// A journal as a crash leaves it, before anything else was done.
        fn begun(&self, change: Change, start: u64, octets: &str, old_end: u64) {
            let record = Record::of(&self.file, change, start, start + octets.len() as u64).unwrap();
            let each = |take: &mut dyn FnMut(&[u8]) -> io::Result<()>| take(octets.as_bytes());
            self.journal().write(Record { old_end, ..record }, NAME.as_ref(), each).unwrap();
        }

        fn recovered(&self) -> String {
            self.journal().recover(&self.file).unwrap();
            self.content()
        }
    }

    #[test]
    fn a_file_is_extended_and_rewritten() {
        let bench = bench("one two three ");
        bench.journal().append(&bench.file, |take| take(b"four ").and_then(|()| take(b"five"))).unwrap();
        assert_eq!(bench.content(), "one two three four five");
        bench.journal().rewrite(&bench.file, 4, &[8..14, 19..23]).unwrap();
        assert_eq!(bench.content(), "one three five");
        bench.journal().rewrite(&bench.file, 4, &[]).unwrap();
        assert_eq!(bench.content(), "one ");
        assert_eq!(bench.beside(), [""; 0]);
    }

    #[test]
    fn a_source_that_breaks_leaves_the_file_as_it_was() {
        let bench = bench("one ");
        let broken = |take: &mut dyn FnMut(&[u8]) -> io::Result<()>| {
            take(b"two")?;
            Err(io::Error::other("broken"))
        };
        assert!(bench.journal().append(&bench.file, broken).is_err());
        assert_eq!((bench.content().as_str(), bench.beside().len()), ("one ", 0));
    }

    #[test]
    fn an_append_that_was_cut_off_is_taken_back() {
        for (there, expected) in [
            ("", "one "),
            ("tw", "one "),
            ("tw\0\0\0\0\0", "one "),
            ("two two", "one two two"),
            ("two twothree", "one two twothree"),
        ] {
            let bench = bench("one ");
            bench.begun(Change::Append, 4, "two two", 4);
            bench.file.write_all_at(there.as_bytes(), 4).unwrap();
            assert_eq!(bench.recovered(), expected, "{there:?}");
        }
    }

    #[test]
    fn what_others_wrote_since_is_left_alone_and_the_journal_kept() {
        let bench = bench("one ");
        bench.begun(Change::Append, 4, "two two", 4);
        bench.file.write_all_at(b"twothree", 4).unwrap();
        assert_eq!(bench.recovered(), "one twothree");
        assert_eq!(bench.beside().len(), 1);
        assert!(!bench.journal().exists());
    }

    #[test]
    fn a_rewrite_that_was_cut_off_is_finished() {
        // "two " is to go.
        for (there, expected) in [
            ("one two three four ", "one three four "),
            ("one threehree four ", "one three four "),
            ("one three four our ", "one three four "),
            ("one three four ", "one three four "),
            // Others have appended meanwhile, before the old end was cut off and after.
            ("one threehree four five ", "one three four five "),
            ("one three four our five six ", "one three four five six "),
            ("one three four five ", "one three four five "),
            ("one three four five six seven ", "one three four five six seven "),
        ] {
            let bench = bench("one two three four ");
            bench.begun(Change::Rewrite, 4, "three four ", 19);
            bench.file.set_len(0).unwrap();
            bench.file.write_all_at(there.as_bytes(), 0).unwrap();
            assert_eq!(bench.recovered(), expected, "{there:?}");
            assert_eq!(bench.beside(), [""; 0]);
        }
    }

    #[test]
    fn a_file_that_others_have_rewritten_or_replaced_is_left_alone() {
        for there in ["four ", "one ", "1ne two three four ", "one five ", "one three for  "] {
            let bench = bench("one two three four ");
            bench.begun(Change::Rewrite, 4, "three four ", 19);
            bench.file.set_len(0).unwrap();
            bench.file.write_all_at(there.as_bytes(), 0).unwrap();
            assert_eq!(bench.recovered(), there);
            assert_eq!(bench.beside().len(), 1, "the journal is kept aside");
        }
        let mut bench = bench("one two three four ");
        bench.begun(Change::Rewrite, 4, "three four ", 19);
        fs::write(bench.path.with_file_name("other"), "one two three four ").unwrap();
        fs::rename(bench.path.with_file_name("other"), &bench.path).unwrap();
        bench.file = File::options().read(true).write(true).open(&bench.path).unwrap();
        assert_eq!(bench.recovered(), "one two three four ");
        assert_eq!(bench.beside().len(), 1);
    }

    #[test]
    fn a_journal_that_is_not_complete_or_not_ours_changes_nothing() {
        let bench = bench("one two ");
        bench.begun(Change::Rewrite, 0, "two ", 8);
        let path = bench.folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(bench.recovered(), "one two ", "{length}");
            assert!(!path.exists());
        }
        let elsewhere = bench.folder.path().join("elsewhere");
        fs::write(&elsewhere, &whole).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(bench.journal().recover(&bench.file).is_err());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&elsewhere, &path).unwrap();
        assert!(matches!(bench.journal().recover(&bench.file), Err(Error::Strange { .. })));
        assert_eq!(bench.content(), "one two ");
    }
}
