//! Names of folders: the inbox, and Maildir++'s folders beside it.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt};

use super::Error;

/// A folder of a Maildir, as it is called on the disk: no name leads out of the Maildir.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The Maildir itself.
    #[must_use]
    pub fn inbox() -> Self {
        Self(Box::default())
    }

    /// Reads a name as people write it, with dots between the parts, for a folder that may not exist yet.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.eq_ignore_ascii_case("INBOX") {
            return Ok(Self::inbox());
        }
        let is_plain = !text.contains(|c: char| c == '/' || c.is_control());
        if !is_plain || text.len() > 200 || text.split('.').any(|part| part.trim().is_empty()) {
            return Err(Error::Name { name: text.escape_debug().to_string() });
        }
        Ok(Self([b".", text.as_bytes()].concat().into()))
    }

    /// The folder that lies in the Maildir under this name, which is a file's own name.
    pub(super) fn of_folder(file_name: &[u8]) -> Option<Self> {
        let is_name = file_name.len() > 1 && file_name.starts_with(b".") && file_name != b"..";
        is_name.then(|| Self(file_name.into()))
    }

    /// Whether this is the Maildir itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts, outermost first, as they are on the disk: whatever encoding other programs use. None for the inbox.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&octet| octet == b'.').skip(1)
    }

    /// Where it lies in the Maildir; `None` for the inbox.
    pub(super) fn file_name(&self) -> Option<&OsStr> {
        (!self.is_inbox()).then(|| OsStr::from_bytes(&self.0))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strip_prefix(b".") {
            Some(name) => crate::escape::Line(name).fmt(f),
            None => f.write_str("INBOX"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_maildir() {
        for name in ["", ".", "..", "a/b", "../a", "a..b", ".a", "a.", " ", "a\0b", "a\nb", &"x".repeat(201)]
        {
            assert!(Name::parse(name).is_err(), "{name:?}");
        }
        for name in ["", ".", "..", "cur", "a.b"] {
            assert_eq!(Name::of_folder(name.as_bytes()), None, "{name:?}");
        }
    }

    #[test]
    fn a_name_is_shown_as_it_is_written() {
        assert_eq!(Name::parse("inbox").unwrap(), Name::inbox());
        let name = Name::parse("Bones.Old ones").unwrap();
        assert_eq!(name.to_string(), "Bones.Old ones");
        assert_eq!(name.parts().collect::<Vec<_>>(), [&b"Bones"[..], b"Old ones"]);
        assert_eq!(Name::of_folder(b".Bones.Old ones"), Some(name));
        assert_eq!(Name::of_folder(b".\x1b[2J").unwrap().to_string(), r"\x1b[2J");
    }
}
