//! Where the messages of a TOPS-20 mail file are.

use std::{fs::File, io, os::unix::fs::FileExt};

use xxhash_rust::xxh3::Xxh3;

use super::header::{Header, LONGEST, LineEnd};
use crate::{
    one_file::{self, Entry, PIECE, SEED, Window, first_line},
    spool::Spool,
};

/// Reads one message after the other.
pub(super) struct Scanner<'a> {
    window: Window<'a>,
    size: u64,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a File, size: u64) -> Self {
        Self { window: Window::new(file, size), size }
    }
}

impl one_file::Scanner for Scanner<'_> {
    fn entry(&mut self, start: u64) -> io::Result<Option<Entry>> {
        let line = first_line(self.window.at(start, LONGEST)?);
        let Some(header) = Header::parse(line) else { return Ok(None) };
        let mut id = Xxh3::with_seed(*SEED);
        id.update(header.fixed);
        let mut at = start + line.len() as u64;
        let Some(end) = at.checked_add(header.size).filter(|&end| end <= self.size) else { return Ok(None) };
        while at < end {
            let text = self.window.at(at, 1)?;
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let text = text.get(..left).unwrap_or(text);
            id.update(text);
            at += text.len() as u64;
        }
        Ok(Some(Entry { start, end, id: id.digest() }))
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// How lines end in a file of `size` octets, `None` for one without messages; or the octet at which there is
/// no message where one should begin. Only the lines before the messages are read, of the first and of those from
/// `known` on, where one begins.
pub(super) fn line_end(file: &File, size: u64, known: u64) -> io::Result<Result<Option<LineEnd>, u64>> {
    let (mut at, mut line_end) = (0, None);
    let mut room = [0; LONGEST];
    while at < size {
        let count = file.read_at(&mut room, at)?;
        let line = first_line(room.get(..count).unwrap_or_default());
        let end = Header::parse(line).and_then(|header| {
            line_end.get_or_insert(header.line_end);
            (at + line.len() as u64).checked_add(header.size).filter(|&end| end <= size)
        });
        let Some(end) = end else { return Ok(Err(at)) };
        at = end.max(known);
    }
    Ok(Ok(line_end))
}

/// Copies a message without the line before it.
pub(super) fn copy(file: &File, entry: &Entry, spool: &mut Spool) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let count = usize::try_from(entry.end - entry.start).unwrap_or(LONGEST).min(LONGEST);
    let head = piece.get_mut(..count).unwrap_or_default();
    file.read_exact_at(head, entry.start)?;
    let mut offset = entry.start + first_line(head).len() as u64;
    while offset < entry.end {
        let count = usize::try_from(entry.end - offset).unwrap_or(PIECE).min(PIECE);
        let room = piece.get_mut(..count).unwrap_or_default();
        file.read_exact_at(room, offset)?;
        spool.write(room)?;
        offset += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::one_file::Index;

    fn message(text: &str) -> String {
        format!(" 1-Feb-1985 09:12:33 +0000,{};000000000000\r\n{text}", text.len())
    }

    fn scan(content: &[u8]) -> (Option<Index>, Result<Option<LineEnd>, u64>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let size = content.len() as u64;
        (Index::scan(&mut Scanner::new(&file, size)).unwrap(), line_end(&file, size, 0).unwrap())
    }

    #[test]
    fn messages_follow_each_other() {
        let long = "woof\r\n".repeat(100_000);
        let content = [message("one\r\n"), message(&long), message(""), message("no end")].concat();
        let (index, line_end) = scan(content.as_bytes());
        let index = index.unwrap();
        let sizes: Vec<u64> = index.entries.iter().map(|entry| entry.end - entry.start).collect();
        assert_eq!(sizes, [48, 600_048, 43, 49]);
        assert_eq!((index.damage, line_end), (None, Ok(Some(LineEnd::CrLf))));
        assert_eq!(scan(b"").1, Ok(None));
    }

    #[test]
    fn a_size_that_lies_ends_what_is_known() {
        let (good, after) = (message("one\r\n"), message("three\r\n"));
        let at = good.len() as u64;
        for lie in [0u64, 4, 7, 40, 10_000_000, 999_999_999_999_999_999] {
            let bad = message("two\r\n").replace(",5;", &format!(",{lie};"));
            let (index, line_end) = scan(format!("{good}{bad}{after}").as_bytes());
            let index = index.unwrap();
            let damage = index.damage.unwrap();
            assert_eq!(line_end, Err(damage), "{lie}");
            assert!(damage >= at && index.entries.len() <= 2, "{lie}: {index:?}");
            assert!(scan(format!("{bad}{after}").as_bytes()).0.is_none_or(|index| index.damage.is_some()));
        }
    }

    #[test]
    fn flags_do_not_make_another_message() {
        let id = |content: String| scan(content.as_bytes()).0.unwrap().entries[0].id;
        let one = message("one\r\n");
        assert_eq!(id(one.clone()), id(one.replace(";000000000000", ";000000000022")));
        assert_ne!(id(one.clone()), id(one.replace("one", "two")));
        assert_ne!(id(one.clone()), id(one.replace(":33", ":34")));
    }

    proptest! {
        #[test]
        fn any_octets_are_read(content in "( 1-Feb-1985 09:12:33 \\+0000,[0-9]{1,2};000000000000\r?\n|[a-z\r\n]{0,30}){0,9}") {
            let (index, line_end) = scan(content.as_bytes());
            let damage = index.as_ref().map_or(Some(0), |index| index.damage);
            prop_assert_eq!(damage, line_end.err());
            if let Some(index) = index {
                let mut at = 0;
                for entry in &index.entries {
                    prop_assert!(entry.start == at && entry.end > at);
                    at = entry.end;
                }
                prop_assert_eq!(at, damage.unwrap_or(content.len() as u64));
            }
        }
    }
}
