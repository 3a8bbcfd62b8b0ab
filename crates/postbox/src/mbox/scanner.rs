//! Where the messages of an mbox are.

use std::{fs::File, io, os::unix::fs::FileExt};

use memchr::memmem;
use xxhash_rust::xxh3::Xxh3;

use super::envelope::{self, begins_message};
use crate::one_file::{self, Entry, SEED, Window, first_line};

/// The longest header field that is looked into, in octets; a longer line ends what is taken for the header.
const LONGEST_LINE: usize = 64 * 1024;

/// Reads one message after the other.
pub(super) struct Scanner<'a> {
    window: Window<'a>,
    size: u64,
    boundary: memmem::Finder<'static>,
    /// Whether the message read last is one in which a program keeps notes of its own.
    is_internal: bool,
}

/// What the header of a message says that matters here.
#[derive(Debug, Default)]
struct Header {
    /// Where it ends: behind the blank line, or where the message ends without one.
    end: u64,
    /// The message ends with it.
    is_all: bool,
    content_length: Option<u64>,
    has_imap_field: bool,
    is_folder_data: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a File, size: u64) -> Self {
        let boundary = memmem::Finder::new(b"\nFrom ");
        Self { window: Window::new(file, size), size, boundary, is_internal: false }
    }

    /// Reads header fields from `at` on. Those in which programs note a message's status are no part of what
    /// it is known by.
    fn header(&mut self, mut at: u64, id: &mut Xxh3) -> io::Result<Header> {
        let mut header = Header::default();
        let mut is_status = false;
        loop {
            let line = first_line(self.window.at(at, LONGEST_LINE)?);
            header.end = at;
            if line.is_empty() || begins_message(line) {
                header.is_all = true;
                return Ok(header);
            }
            at += line.len() as u64;
            let text = line.trim_ascii_end();
            let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if !is_folded {
                is_status = is_status_field(text);
            }
            if !is_status {
                id.update(line);
            }
            if text.is_empty() || !line.ends_with(b"\n") {
                header.end = at;
                return Ok(header);
            }
            if let Some(value) = field(text, b"Content-Length") {
                header.content_length =
                    std::str::from_utf8(value.trim_ascii()).ok().and_then(|n| n.parse().ok());
            }
            header.has_imap_field |= field(text, b"X-IMAP").is_some() || field(text, b"X-IMAPbase").is_some();
            header.is_folder_data |= field(text, b"Subject")
                .is_some_and(|value| memmem::find(value, b"FOLDER INTERNAL DATA").is_some());
        }
    }

    /// Where a body of the length that its header claims ends, with the blank line behind it; `None` where
    /// neither another message nor the end of the file follows.
    fn end_by_length(&self, start: u64, length: u64) -> Option<u64> {
        let claimed = start.checked_add(length).filter(|&claimed| claimed <= self.size)?;
        // Not through the window, which would have to come back.
        let mut ahead = [0; envelope::LONGEST];
        let count = self.window.file().read_at(&mut ahead, claimed).ok()?;
        let ahead = ahead.get(..count)?;
        let blank = first_line(ahead);
        let blank = if blank.trim_ascii().is_empty() { blank.len() } else { 0 };
        let next = claimed + blank as u64;
        let follows = next >= self.size || begins_message(first_line(ahead.get(blank..)?));
        follows.then_some(next.min(self.size))
    }

    /// Reads a body from `start` on. It ends where the next message begins, at the latest at `claimed`, before
    /// which only what is a message by all signs is taken for one: some programs give a length and quote
    /// nothing, but a length that a stranger wrote must not make several messages one. Returns the end.
    fn body(&mut self, start: u64, claimed: Option<u64>, id: &mut Xxh3) -> io::Result<u64> {
        let limit = claimed.unwrap_or(self.size);
        let mut at = start;
        loop {
            // One octet before, which may be the line end before a `From ` line.
            let bytes = self.window.at(at - 1, envelope::LONGEST)?;
            let left = usize::try_from(limit - (at - 1)).unwrap_or(usize::MAX);
            let (bytes, is_last) = match bytes.get(..left) {
                Some(bytes) => (bytes, true),
                None => (bytes, false),
            };
            let (known, found) = match self.boundary.find(bytes) {
                None if is_last => (bytes.len(), true),
                // A boundary may lie across the end of what is in view.
                None => (bytes.len() - self.boundary.needle().len(), false),
                Some(before) => {
                    let rest = bytes.get(before + 1..).unwrap_or_default();
                    let line = first_line(rest);
                    if !line.ends_with(b"\n") && !is_last && before > 0 {
                        // Look again with the line in view.
                        (before + 1, false)
                    } else if begins_message(line) && (claimed.is_none() || is_message(bytes, before, line)) {
                        (before + 1, true)
                    } else {
                        (before + 2, false)
                    }
                }
            };
            id.update(bytes.get(1..known).unwrap_or_default());
            at += known as u64 - 1;
            if found {
                return Ok(at);
            }
        }
    }
}

impl one_file::Scanner for Scanner<'_> {
    /// Where the first line is that is not blank.
    fn first(&mut self) -> io::Result<u64> {
        let mut at = 0;
        while let Some(b'\r' | b'\n') = self.window.at(at, 1)?.first() {
            at += 1;
        }
        Ok(at)
    }

    fn entry(&mut self, start: u64) -> io::Result<Option<Entry>> {
        let line = first_line(self.window.at(start, envelope::LONGEST)?);
        let is_first = start == 0 && line.starts_with(b"From ");
        if line.len() > envelope::LONGEST || !(is_first || begins_message(line)) {
            return Ok(None);
        }
        let mut id = Xxh3::with_seed(*SEED);
        id.update(line);
        let after_line = start + line.len() as u64;
        let header = self.header(after_line, &mut id)?;
        self.is_internal = header.has_imap_field && header.is_folder_data;
        let end = if header.is_all {
            header.end
        } else {
            let claimed = header.content_length.and_then(|length| self.end_by_length(header.end, length));
            self.body(header.end, claimed, &mut id)?
        };
        Ok(Some(Entry { start, end, id: id.digest() }))
    }

    fn is_internal(&self) -> bool {
        self.is_internal
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Whether a blank line stands before the line at `before + 1`, and a header field behind it.
fn is_message(bytes: &[u8], before: usize, line: &[u8]) -> bool {
    let blank_before = bytes
        .get(..before)
        .is_none_or(|text| text.is_empty() || text.ends_with(b"\n") || text.ends_with(b"\n\r"));
    let next = first_line(bytes.get(before + 1 + line.len()..).unwrap_or_default());
    let name = next.iter().take_while(|octet| octet.is_ascii_graphic() && **octet != b':').count();
    blank_before && name > 0 && next.get(name) == Some(&b':')
}

/// The value of a header field, if the line is that field.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    if start.eq_ignore_ascii_case(name) { rest.strip_prefix(b":") } else { None }
}

/// Whether programs change this field of a message that is already there.
fn is_status_field(line: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"Status",
        b"X-Status",
        b"X-Keywords",
        b"X-UID",
        b"X-IMAP",
        b"X-IMAPbase",
        b"Content-Length",
        b"Lines",
        b"X-Mozilla-Status",
    ];
    NAMES.iter().any(|name| field(line, name).is_some())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::one_file::Index;

    const FROM: &str = "From fred Fri Feb  1 09:12:33 1985\n";

    fn file(content: &str) -> (File, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        (file, content.len() as u64)
    }

    fn scan(content: &str) -> Option<Vec<Entry>> {
        let (file, size) = file(content);
        Index::scan(&mut Scanner::new(&file, size)).unwrap().map(|index| index.entries)
    }

    /// The messages as they stand in the file.
    fn texts(content: &str) -> Vec<&str> {
        let slice = |entry: &Entry| &content[entry.start.try_into().unwrap()..entry.end.try_into().unwrap()];
        scan(content).unwrap().iter().map(slice).collect()
    }

    fn check(messages: &[String]) {
        assert_eq!(texts(&messages.concat()), messages.iter().collect::<Vec<_>>());
    }

    #[test]
    fn messages_begin_at_from_lines() {
        check(&[]);
        for body in
            ["", "\n", "Subject: x\n\n", "Subject: x\n\nwoof\n\n", "woof\n", "Subject: x\r\n\r\nwoof\r\n\r\n"]
        {
            let message = format!("{FROM}{body}");
            check(&[message.clone(), message.clone(), message]);
        }
        check(&[format!("{FROM}Subject: x\n\nFrom me to you\n>From fred Fri Feb  1 09:12:33 1985\n\n")]);
        check(&[format!("{FROM}a\n\n"), format!("{FROM}x")]);
    }

    #[test]
    fn long_messages_are_found_wherever_the_window_ends() {
        for length in (262_100..262_200).step_by(7).chain([600_000]) {
            let message = |x: &str| format!("{FROM}Subject: x\n\n{}\n\n", x.repeat(length));
            check(&[message("x"), message("y"), format!("{FROM}z")]);
        }
    }

    #[test]
    fn what_does_not_begin_with_a_message_is_something_else() {
        for content in ["woof\n", " From x\n", ">From fred Fri Feb  1 09:12:33 1985\n\n", "\0\0\0", "from x"]
        {
            assert_eq!(scan(content), None, "{content:?}");
        }
        assert_eq!(scan("\n\r\n"), Some(vec![]));
        assert_eq!(texts("From MAILER\n\nold\n").len(), 1, "at the start of a file any will do");
        assert!(scan(&format!("From {}", "x".repeat(2000))).is_none());
        assert_eq!(texts(&format!("\n\n{FROM}x\n")), [format!("{FROM}x\n")]);
    }

    #[test]
    fn a_content_length_saves_lines_that_nobody_has_quoted() {
        let body = format!("I wrote:\n{FROM}and so on\n");
        let message = |length: usize| format!("{FROM}Content-Length: {length}\n\n{body}\n");
        check(&[message(body.len()), message(body.len()), format!("{FROM}x\n\n")]);
        check(&[message(body.len())]);
        // One that lies is not believed.
        for length in [0, 5, body.len() - 1, body.len() + 5, 1 << 40, usize::MAX] {
            assert_eq!(texts(&message(length)).len(), 2, "{length}");
        }
    }

    #[test]
    fn a_content_length_does_not_swallow_messages() {
        let others = format!("{FROM}Subject: secret\n\nwoof\n\n").repeat(2);
        let bad = format!("{FROM}Content-Length: {}\n\nbad\n\n", 5 + others.len());
        assert_eq!(texts(&format!("{bad}{others}")).len(), 3);
    }

    #[test]
    fn a_message_is_known_by_all_but_its_status() {
        let ids = |content: &str| scan(content).unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>();
        let message = |fields: &str, body: &str| format!("{FROM}Subject: x\n{fields}\n{body}\n\n");
        let plain = ids(&message("", "woof"));
        for fields in ["Status: RO\n", "X-Status: AF\nX-UID: 1\nX-Keywords: a\n\tb\n", "Content-Length: 5\n"]
        {
            assert_eq!(ids(&message(fields, "woof")), plain, "{fields:?}");
        }
        assert_ne!(ids(&message("", "wooF")), plain);
        assert_ne!(ids(&message("X: y\n", "woof")), plain);
        assert_ne!(ids(&message("", "woof\nwoof")), plain);
        let long = |x: &str| format!("{}{x}{}", "y\n".repeat(200_000), "z\n".repeat(200_000));
        assert_ne!(ids(&message("", &long("a"))), ids(&message("", &long("b"))));
    }

    #[test]
    fn what_a_program_notes_for_itself_is_no_message() {
        let notes =
            format!("{FROM}Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nx\n\n");
        let message = format!("{FROM}Subject: y\n\nwoof\n\n");
        assert_eq!(texts(&format!("{notes}{message}")), [&message]);
        assert_eq!(texts(&format!("{message}{notes}")).len(), 2);
    }

    #[test]
    fn what_was_appended_is_found_without_the_rest() {
        let message = |body: &str| format!("{FROM}Subject: x\n\n{body}\n\n");
        let (before, after) = (message("a") + &message("b"), message("a") + &message("b") + &message("c"));
        let index = Index { entries: scan(&before).unwrap(), damage: None };
        let (grown, size) = file(&after);
        assert_eq!(
            index.scan_appended(&mut Scanner::new(&grown, size)).unwrap().unwrap().entries,
            scan(&after).unwrap()
        );
        let (other, size) = file(&(message("a") + &message("x") + &message("c")));
        assert!(index.scan_appended(&mut Scanner::new(&other, size)).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_octets_are_read(content in "(From fred Fri Feb  1 09:12:33 1985\n|Content-Length: [0-9]{1,3}\n|[a-z:\n>]{0,9}|From ){0,20}") {
            if let Some(entries) = scan(&content) {
                let mut at = entries.first().map_or(0, |entry| entry.start);
                for entry in &entries {
                    prop_assert!(entry.start == at && entry.end > at);
                    at = entry.end;
                }
                prop_assert!(entries.is_empty() || at == content.len() as u64);
            }
        }
    }
}
