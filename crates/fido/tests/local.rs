//! The local copy of mail on a real disk: other programs' names, what is no message, changes beside other programs,
//! and the index.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

#[path = "local/changes.rs"]
mod changes;
#[path = "local/index.rs"]
mod index;
#[path = "local/mutt.rs"]
mod mutt;
#[path = "common/needs.rs"]
mod needs;
#[path = "common/mutt.rs"]
mod program;
#[path = "local/reading.rs"]
mod reading;
#[path = "local/together.rs"]
mod together;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use fido::local::{Folder, Local, Name};
use tempfile::TempDir;

/// A Maildir in a temporary folder.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let house = Self(TempDir::new().unwrap());
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(house.path().join(part)).unwrap();
        }
        house
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mail")
    }

    /// A message in the file of that name.
    fn message(&self, file: &str, header: &str) {
        fs::write(self.path().join(file), format!("{header}\n\nwoof\n")).unwrap();
    }

    fn local(&self) -> Local {
        Local::open(self.path()).unwrap()
    }

    fn inbox(&self) -> Folder {
        self.local().folder(&Name::inbox(), |_, _| {}).unwrap()
    }

    /// The names in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        names(&self.path().join(folder))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn subjects(folder: &Folder) -> Vec<String> {
    folder.entries().iter().map(|entry| entry.summary().subject().to_owned()).collect()
}

/// Waits until a folder's times tell the next change.
fn until_quiet() {
    thread::sleep(Duration::from_millis(250));
}
