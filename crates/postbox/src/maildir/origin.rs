//! Where a large message comes from, and what sending it teaches.

use std::{fs::File, sync::Arc};

use super::Kept;
use crate::quiet::State;

/// What a message knows of its file, of which the length on the wire was claimed by the name or measured before.
#[derive(Debug)]
pub(crate) struct Origin {
    kept: Arc<Kept>,
    name: Box<[u8]>,
    /// As the file was when it was opened.
    state: State,
    was_quiet: bool,
    /// Whether all of the file was read before, in this state.
    is_measured: bool,
}

impl Origin {
    /// A file of this name that has just been opened.
    pub(super) fn new(kept: Arc<Kept>, name: &[u8], state: State, is_measured: bool) -> Self {
        Self { kept, name: name.into(), state, was_quiet: state.is_quiet(), is_measured }
    }

    /// All of the file was read, and it has the length that was expected, in octets.
    pub(crate) fn confirm(&self, file: &File, length: u64) {
        if !self.is_measured && self.was_quiet && self.is_unchanged(file) {
            self.kept.learn(self.state, length);
        }
    }

    /// The length is another: from now on it is found by reading. Returns the name, harmlessly written.
    pub(crate) fn doubt(&self) -> String {
        self.kept.doubts.raise(&self.name);
        self.name.escape_ascii().to_string()
    }

    /// Whether the file still is what was measured.
    pub(crate) fn is_as_measured(&self, file: &File) -> bool {
        self.is_measured && self.is_unchanged(file)
    }

    fn is_unchanged(&self, file: &File) -> bool {
        rustix::fs::fstat(file).is_ok_and(|status| State::of(&status) == self.state)
    }
}
