//! A Maildir.

use std::{
    io,
    path::{Path, PathBuf},
};

use postbox::{Error, FolderName, Postbox};

use postbox::letter::Letter;

use crate::{Exit, Failure};

/// A Maildir, which need not exist yet.
#[derive(Debug)]
pub struct Maildir {
    store: postbox::maildir::Maildir,
    path: PathBuf,
}

impl Maildir {
    pub(super) fn new(path: &Path) -> Self {
        Self { store: postbox::maildir::Maildir::new(path), path: path.to_owned() }
    }

    /// Delivers a message into `new`.
    pub(super) async fn deliver(&mut self, letter: Letter) -> Result<(), Failure> {
        let delivered = self.store.deliver(&FolderName::inbox(), letter).await;
        delivered.map_err(|error| {
            let text = format!("cannot deliver into {}: {error}", self.path.display());
            Failure::new(exit_of(&error), text)
        })
    }
}

fn exit_of(error: &Error) -> Exit {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    match error {
        Error::Strange { .. } => Exit::CannotCreate,
        Error::Io { source, .. } => match source.kind() {
            NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem => Exit::CannotCreate,
            _ => Exit::Io,
        },
        _ => Exit::Io,
    }
}
