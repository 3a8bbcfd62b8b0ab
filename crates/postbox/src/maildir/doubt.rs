//! File names whose `,W=` has proved wrong.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// More liars than this are forgotten together; each costs one failed transfer again.
const MOST: usize = 10_000;

/// The names that are not believed any more, for as long as this process runs.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<HashSet<Box<[u8]>>>);

impl Doubts {
    pub(super) fn about(&self, name: &[u8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// What a message knows of the name that claims its length.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    doubts: Arc<Doubts>,
    name: Box<[u8]>,
}

impl Doubt {
    pub(super) fn new(doubts: Arc<Doubts>, name: &[u8]) -> Self {
        Self { doubts, name: name.into() }
    }

    /// The claim is wrong: from now on the length is found by reading. Returns the name, harmlessly written.
    pub(crate) fn raise(&self) -> String {
        let mut names = self.doubts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(self.name.clone());
        self.name.escape_ascii().to_string()
    }
}
