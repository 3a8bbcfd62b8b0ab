//! What lies among messages and is none, such as a link: it is left alone, and told.

use std::{
    ffi::{CStr, CString},
    path::Path,
};

/// Such things in a folder.
#[derive(Debug, Default)]
pub(crate) struct Strange {
    count: usize,
    first: CString,
}

impl Strange {
    /// One was met.
    pub(crate) fn note(&mut self, name: &CStr) {
        if self.count == 0 {
            name.clone_into(&mut self.first);
        }
        self.count += 1;
    }

    /// Tells the operator, in one line for all.
    pub(crate) fn tell(self, place: &Path) {
        let Self { count, first } = self;
        if count > 0 {
            tracing::warn!(place = %place.display(), count, ?first, "what is no plain file is no message, and is left alone");
        }
    }
}
