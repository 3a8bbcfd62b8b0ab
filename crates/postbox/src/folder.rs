//! Folder names made of checked parts.

use std::{collections::BTreeSet, fmt};

/// What parts stand between, in the names that people write.
const SEPARATOR: char = '.';

/// The longest part, in octets: with Maildir++'s dots a whole name must fit a file name.
const MAX: usize = 200;

/// The name of one of an account's folders. `INBOX`, in any case, is the default mailbox, which has no parts.
///
/// A part is at least one printable ASCII character, or a space, and never `/`, `~` or `.`; so no name can
/// lead out of an account, however a store maps it to places.
///
/// ```
/// use postbox::FolderName;
/// assert!(FolderName::parse("inbox").unwrap().is_inbox());
/// assert_eq!(FolderName::parse("lists.rust").unwrap().parts(), ["lists", "rust"]);
/// assert!(FolderName::parse("../smith").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderName(Vec<String>);

/// Why a name cannot be a folder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FolderNameError {
    /// Nothing between two dots, or nothing at all.
    #[error("a folder name is made of parts with a dot between them, and no part is empty")]
    EmptyPart,
    /// A character that no part holds.
    #[error("a folder name holds printable ASCII without / and ~")]
    Character,
    /// Longer than a file name may be.
    #[error("a folder name has at most {MAX} characters")]
    TooLong,
}

impl FolderName {
    /// The default mailbox.
    #[must_use]
    pub fn inbox() -> Self {
        Self(Vec::new())
    }

    /// Reads a name as people write it: parts with dots between them.
    pub fn parse(name: &str) -> Result<Self, FolderNameError> {
        if name.eq_ignore_ascii_case("INBOX") {
            return Ok(Self::inbox());
        }
        if name.len() > MAX {
            return Err(FolderNameError::TooLong);
        }
        if !name.chars().all(|c| matches!(c, ' '..='}') && c != '/') {
            return Err(FolderNameError::Character);
        }
        let parts: Vec<String> = name.split(SEPARATOR).map(str::to_owned).collect();
        if parts.iter().any(|part| part.trim().is_empty()) {
            return Err(FolderNameError::EmptyPart);
        }
        Ok(Self(parts))
    }

    /// Reads a name as a store has it, which is to be the one way to write it there.
    pub(crate) fn stored(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        Self::parse(name).ok().filter(|folder| folder.to_string() == name)
    }

    /// Whether this is the default mailbox.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts, outermost first; none for the default mailbox.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_inbox() { f.write_str("INBOX") } else { f.write_str(&self.0.join(".")) }
    }
}

/// Folders in the order of their names, each once, with the default mailbox before them.
pub(crate) fn with_inbox(folders: impl Iterator<Item = FolderName>) -> Vec<FolderName> {
    let all: BTreeSet<FolderName> = folders.chain([FolderName::inbox()]).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decision_23_no_name_leads_out_of_the_account() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/",
            "/etc/passwd",
            "/usr/spool/mail/smith",
            "~",
            "~smith",
            "a..b",
            ".a",
            "a.",
            " ",
            "a. .b",
            "a\0b",
            "a\nb",
            "a\x7fb",
            "ä",
            "INBOX.",
        ] {
            assert!(FolderName::parse(name).is_err(), "{name:?}");
        }
        assert!(FolderName::parse(&"x".repeat(201)).is_err());
    }

    #[test]
    fn inbox_is_the_default_mailbox_in_any_case() {
        for name in ["INBOX", "inbox", "InBox"] {
            assert_eq!(FolderName::parse(name), Ok(FolderName::inbox()));
        }
        assert!(!FolderName::parse("INBOX2").unwrap().is_inbox());
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_shown_as_it_was_written(name in "\\PC{0,20}") {
            if let Ok(folder) = FolderName::parse(&name) {
                prop_assert_eq!(FolderName::parse(&folder.to_string()), Ok(folder.clone()));
                prop_assert!(folder.parts().iter().all(|part| !part.is_empty() && !part.contains(['/', '.', '\0'])));
            }
        }
    }
}
