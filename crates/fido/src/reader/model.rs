//! The state of the reader: what is shown, and nothing that can act.

use std::{collections::HashSet, sync::Arc};

use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::{cursor::Cursor, look::Look, text::long_date};
use crate::{
    local::{Counts, Entry, Filter, Flags, Name, Sort, threads},
    message::{Line, View},
};

/// Which screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// The folders.
    Folders,
    /// The messages of a folder.
    List,
    /// A message.
    Message,
}

/// Everything that is shown.
#[derive(Debug)]
pub struct Model {
    /// Columns and lines of the terminal.
    pub size: (u16, u16),
    /// What the terminal can show.
    pub look: Look,
    /// Where the user is: dates are shown in this time zone.
    pub zone: TimeZone,
    /// Whose mail it is, or where it lies; one line, safe to show.
    pub title: String,
    /// How mail is fetched; `None` where there is no account.
    pub sync: Option<Sync>,
    /// The screen.
    pub screen: Screen,
    /// The folders.
    pub folders: Vec<Counts>,
    /// Which of them is chosen.
    pub folder: Cursor,
    /// The messages of the open folder.
    pub list: List,
    /// The message that is read.
    pub reading: Option<Reading>,
    /// The first line of the help, where it is shown.
    pub help: Option<usize>,
    /// What is asked on the last line.
    pub prompt: Option<Prompt>,
    /// What is said on the last line, until the next key.
    pub note: Option<Note>,
    /// How far the opening of a folder has come, while it goes on.
    pub opening: Option<String>,
    /// A search in texts that goes on.
    pub search: Option<String>,
    /// Changes of marks, the last one last, as what would take them back.
    pub undo: Vec<Change>,
}

/// How mail is fetched.
#[derive(Debug, Clone, Default)]
pub struct Sync {
    /// The question for the password where a person has to give it, and has not yet.
    pub question: Option<String>,
    /// How far it has come, while it runs.
    pub progress: Option<String>,
}

/// Something said on the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// One line, safe to show.
    pub text: String,
    /// Whether something went wrong.
    pub is_fault: bool,
}

/// A change of marks: which message, and which mark was set or taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The message, by the part of its name that stays.
    pub unique: Box<[u8]>,
    /// The marks.
    pub flags: Flags,
    /// Whether they are to be set.
    pub on: bool,
}

/// What is asked on the last line.
#[derive(Debug)]
pub struct Prompt {
    /// What for.
    pub ask: Ask,
    /// What has been typed; wiped, since it may be a password.
    pub typed: Zeroizing<String>,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Whether the marked messages are to be deleted for good: so many.
    Purge(usize),
    /// By what to sort.
    Sort,
    /// What to look for in senders and subjects.
    Find,
    /// What to look for in the message that is read.
    FindHere,
    /// What to look for in the text of messages.
    FindText,
    /// Which attachment to save, of so many; or the message.
    Which(usize),
    /// Which attachment to open, of so many.
    WhichToOpen(usize),
    /// Where to save the message (`None`), or an attachment.
    Where(Option<usize>),
    /// The password, with the question.
    Password(String),
}

/// Which messages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Only {
    /// All.
    #[default]
    All,
    /// Those that are unread.
    Unread,
    /// Those that are flagged.
    Flagged,
}

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The message's position in the folder.
    pub at: usize,
    /// How deep it is in its thread.
    pub depth: usize,
}

/// The messages of a folder, and how they are shown.
#[derive(Debug)]
pub struct List {
    /// The folder.
    pub name: Name,
    /// Its messages, by their positions.
    pub entries: Vec<Entry>,
    /// Those that are shown, in their order.
    pub shown: Vec<Shown>,
    /// Which line is chosen.
    pub cursor: Cursor,
    /// By what they are sorted.
    pub sort: Sort,
    /// Whether the greatest comes first.
    pub is_reversed: bool,
    /// Whether answers stand below what they answer.
    pub is_threaded: bool,
    /// Which are shown.
    pub only: Only,
    /// What sender or subject must hold; empty for anything.
    pub text: String,
    /// Those in whose text something was found, and what.
    pub found: Option<(String, HashSet<Box<[u8]>>)>,
    /// The message that was chosen before something was looked for, to go back to where nothing is found.
    pub before: Option<Box<[u8]>>,
}

impl Default for List {
    fn default() -> Self {
        Self {
            name: Name::inbox(),
            entries: Vec::new(),
            shown: Vec::new(),
            cursor: Cursor::default(),
            sort: Sort::Date,
            is_reversed: true,
            is_threaded: false,
            only: Only::All,
            text: String::new(),
            found: None,
            before: None,
        }
    }
}

impl List {
    /// The chosen message and its position.
    #[must_use]
    pub fn chosen(&self) -> Option<(usize, &Entry)> {
        let at = self.shown.get(self.cursor.at)?.at;
        Some((at, self.entries.get(at)?))
    }

    /// Puts the messages in order anew; the chosen one, by the part of its name that stays, stays chosen.
    pub fn arrange(&mut self, page: usize, chosen: Option<&[u8]>) {
        let filter = match self.only {
            Only::All | Only::Unread => Filter::default(),
            Only::Flagged => Filter::default().with(Flags::FLAGGED),
        };
        let filter = filter.text(&self.text);
        let mut order = self.sort.order(&self.entries);
        if self.is_reversed {
            order.reverse();
        }
        let mut order = filter.apply(&self.entries, &order);
        let holds =
            |at: &usize, is_shown: &dyn Fn(&Entry) -> bool| self.entries.get(*at).is_some_and(is_shown);
        if self.only == Only::Unread {
            order.retain(|at| holds(at, &super::text::is_unread));
        }
        if let Some((_, found)) = &self.found {
            order.retain(|at| holds(at, &|entry| found.contains(entry.unique())));
        }
        self.shown = if self.is_threaded {
            let threaded = threads(&self.entries, &order, false);
            threaded.iter().map(|it| Shown { at: it.at, depth: it.depth }).collect()
        } else {
            order.into_iter().map(|at| Shown { at, depth: 0 }).collect()
        };
        let place = |unique: &[u8]| {
            let is_it = |shown: &Shown| holds(&shown.at, &|entry| entry.unique() == unique);
            self.shown.iter().position(is_it)
        };
        let to = chosen.and_then(place).unwrap_or(self.cursor.at);
        self.cursor.go(to, self.shown.len(), page);
    }
}

/// A message that is read.
#[derive(Debug)]
pub struct Reading {
    /// Which, by the part of its name that stays.
    pub unique: Box<[u8]>,
    /// Its octets.
    pub octets: Arc<[u8]>,
    /// What is made of them.
    pub view: View,
    /// The headings, an empty line and the text.
    pub lines: Vec<Line>,
    /// How many lines of these are the headings and the empty line.
    pub heading: usize,
    /// The first line that is seen.
    pub top: usize,
    /// Whether all headings are shown.
    pub has_all_headings: bool,
}

impl Reading {
    /// Lays a message out for a width.
    #[must_use]
    pub fn new(
        unique: Box<[u8]>,
        octets: Arc<[u8]>,
        width: u16,
        zone: &TimeZone,
        has_all_headings: bool,
    ) -> Self {
        let view = View::of(&octets, width.into());
        let mut lines = if has_all_headings {
            view.heading()
        } else {
            view.short_heading(|date| long_date(date.seconds, zone))
        };
        if let Some(last) = lines.last() {
            lines.push(Line { text: String::new(), ..last.clone() });
        }
        let heading = lines.len();
        lines.extend_from_slice(view.lines());
        Self { unique, octets, view, lines, heading, top: 0, has_all_headings }
    }
}

impl Model {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(title: &str, sync: Option<Sync>, look: Look, zone: TimeZone, size: (u16, u16)) -> Self {
        Self {
            size,
            look,
            zone,
            title: title.to_owned(),
            sync,
            screen: Screen::List,
            folders: Vec::new(),
            folder: Cursor::default(),
            list: List::default(),
            reading: None,
            help: None,
            prompt: None,
            note: None,
            opening: Some(String::new()),
            search: None,
            undo: Vec::new(),
        }
    }

    /// The lines between the first and the last.
    #[must_use]
    pub fn page(&self) -> usize {
        usize::from(self.size.1).saturating_sub(2).max(1)
    }

    /// Says something on the last line.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.note = Some(Note { text: crate::message::one_line(text.as_ref()), is_fault: false });
    }

    /// Says there what went wrong.
    pub fn complain(&mut self, text: impl AsRef<str>) {
        self.note = Some(Note { text: crate::message::one_line(text.as_ref()), is_fault: true });
    }

    /// Asks something there.
    pub fn ask(&mut self, ask: Ask, typed: &str) {
        self.prompt = Some(Prompt { ask, typed: Zeroizing::new(typed.to_owned()) });
    }
}
