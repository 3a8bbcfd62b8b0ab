//! The reader: what keys do, what is drawn, and what it does to a terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod house;
#[path = "reader/keys.rs"]
mod keys;
#[path = "common/needs.rs"]
mod needs;
#[path = "reader/screens.rs"]
mod screens;
#[path = "reader/terminal.rs"]
mod terminal;
#[path = "common/tmux.rs"]
mod tmux;
#[path = "reader/work.rs"]
mod work;

use std::{fs, path::Path, sync::Arc};

use fido::{
    local::{Folder, Name},
    reader::{Effect, Event, Model, look::Look, open, update},
};
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tempfile::TempDir;

/// Makes a Maildir with the messages of the corpus, which are numbered in the order of their names.
fn maildir() -> TempDir {
    let mail = TempDir::new().unwrap();
    for folder in ["", ".lists.rust", ".\u{1b}]0;gone\u{7}\u{1b}[2J"] {
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(mail.path().join(folder).join(part)).unwrap();
        }
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let mut messages: Vec<_> = fs::read_dir(corpus).unwrap().map(|it| it.unwrap().path()).collect();
    messages.retain(|path| path.extension().is_some_and(|it| it == "eml"));
    messages.sort();
    for (number, path) in messages.iter().enumerate() {
        let to = match number {
            0 => "cur/1700000000.0.h:2,S".to_owned(),
            1 => "cur/1700000001.1.h:2,FRS".to_owned(),
            2 => "cur/1700000002.2.h:2,".to_owned(),
            _ => format!("new/{}.{number}.h", 1_700_000_000 + number),
        };
        fs::copy(path, mail.path().join(to)).unwrap();
    }
    mail
}

/// A reader whose effects on messages are done, but for those that need a terminal.
struct Tried {
    model: Model,
    folder: Folder,
    /// What is wanted beyond that.
    wanted: Vec<Effect>,
}

impl Tried {
    fn new(path: &Path, size: (u16, u16)) -> Self {
        let local = open(path).unwrap();
        let folder = local.folder(&Name::inbox(), |_, _| {}).unwrap();
        let look = Look { colours: true, ascii: false };
        let mut tried =
            Self { model: Model::new("home", None, look, TimeZone::UTC, size), folder, wanted: Vec::new() };
        tried.happens(Event::Folders(local.folders().unwrap()));
        tried.happens(Event::Entries(Name::inbox(), tried.folder.entries().to_vec()));
        tried
    }

    fn happens(&mut self, event: Event) {
        for effect in update(&mut self.model, event) {
            match effect {
                Effect::OpenMessage(at) => {
                    let mut octets = Vec::new();
                    let mut file = self.folder.open_message(at).unwrap().unwrap();
                    std::io::Read::read_to_end(&mut file, &mut octets).unwrap();
                    let unique = self.folder.entries()[at].unique().into();
                    self.happens(Event::Message(unique, Arc::from(octets)));
                }
                Effect::Mark(at, flags, on) => {
                    self.folder.mark(&[at], flags, on);
                    self.happens(Event::Changed(vec![(at, self.folder.entries()[at].clone())]));
                }
                Effect::Purge => {
                    self.folder.purge();
                    self.happens(Event::Entries(Name::inbox(), self.folder.entries().to_vec()));
                }
                other => self.wanted.push(other),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                key => KeyCode::Char(key),
            };
            self.happens(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    fn subject(&self) -> String {
        self.model.list.chosen().unwrap().1.summary().subject().to_owned()
    }
}
