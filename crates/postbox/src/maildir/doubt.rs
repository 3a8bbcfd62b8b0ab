//! File names whose `,W=` has proved wrong.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
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

    pub(super) fn raise(&self, name: &[u8]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(name.into());
    }
}
