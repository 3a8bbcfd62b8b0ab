//! The keys: one table by which they are handled, shown by `?`, hinted at below each screen and listed in the guide.

use std::fmt::{self, Write};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Screen::{self, Folders, List, Message};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the table says what each is
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Quit,
    NextUnread,
    PreviousUnread,
    NextMessage,
    PreviousMessage,
    Delete,
    Undelete,
    Undo,
    Purge,
    Flag,
    Unread,
    Save,
    OpenAttachment,
    Find,
    FindText,
    Narrow,
    Threads,
    Sort,
    Reverse,
    Headings,
    Reply,
    ReplyAll,
    Forward,
    Write,
    Folders,
    Sync,
    Help,
    Redraw,
    Suspend,
}

/// A key as a keyboard has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// Any other key.
    Code(KeyCode),
}

impl Key {
    /// The key of an event; `None` where it has no meaning of its own, such as with Alt.
    #[must_use]
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let with = |modifiers| event.modifiers.contains(modifiers);
        match event.code {
            _ if with(KeyModifiers::ALT) => None,
            KeyCode::Char(letter) if with(KeyModifiers::CONTROL) => {
                Some(Self::Ctrl(letter.to_ascii_lowercase()))
            }
            KeyCode::Char(character) => Some(Self::Char(character)),
            code => Some(Self::Code(code)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(' ') => f.write_str("Space"),
            Self::Char(character) => f.write_char(*character),
            Self::Ctrl(letter) => write!(f, "Ctrl-{}", letter.to_ascii_uppercase()),
            Self::Code(KeyCode::PageUp) => f.write_str("PgUp"),
            Self::Code(KeyCode::PageDown) => f.write_str("PgDn"),
            Self::Code(code) => write!(f, "{code}"),
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What is done.
    pub action: Action,
    /// By which keys.
    pub keys: &'static [Key],
    /// On which screens.
    pub on: &'static [Screen],
    /// What it is, in a word for the line at the bottom; empty where it is not named there.
    pub hint: &'static str,
    /// What it is, for the help.
    pub what: &'static str,
}

const ALL: &[Screen] = &[Folders, List, Message];
const MAIL: &[Screen] = &[List, Message];
const LISTS: &[Screen] = &[Folders, List];

const fn binding(
    action: Action,
    keys: &'static [Key],
    on: &'static [Screen],
    hint: &'static str,
    what: &'static str,
) -> Binding {
    Binding { action, keys, on, hint, what }
}

use Key::{Char, Code, Ctrl};

/// All keys, in the order of the help; hints are given in this order as far as there is room.
pub const BINDINGS: &[Binding] = &[
    binding(Action::Help, &[Char('?')], ALL, "help", "this help"),
    binding(Action::Back, &[Char('q'), Code(KeyCode::Esc)], MAIL, "back", "back"),
    binding(Action::Back, &[Char('q'), Code(KeyCode::Esc)], &[Folders], "leave", "leave fido"),
    binding(Action::Open, &[Code(KeyCode::Enter)], LISTS, "open", "open the folder or the message"),
    binding(Action::Delete, &[Char('d')], MAIL, "delete", "mark for deletion, and go on to the next"),
    binding(Action::Undelete, &[Char('u')], MAIL, "undelete", "take the mark back: this one's, or the last"),
    binding(Action::NextUnread, &[Char('n')], MAIL, "next unread", "go to the next unread message"),
    binding(Action::Reply, &[Char('r')], MAIL, "reply", "reply to the sender"),
    binding(Action::Save, &[Char('s')], MAIL, "save", "save the message or an attachment"),
    binding(Action::OpenAttachment, &[Char('o')], &[Message], "open attachment", "open an attachment"),
    binding(Action::Headings, &[Char('h')], &[Message], "headings", "all headings, or those worth seeing"),
    binding(
        Action::Find,
        &[Char('/')],
        MAIL,
        "search",
        "search in sender and subject; in a message, its text",
    ),
    binding(Action::Sync, &[Char('G')], ALL, "get mail", "fetch new mail from the server"),
    binding(Action::Folders, &[Code(KeyCode::Tab)], ALL, "folders", "the folders"),
    binding(Action::Write, &[Char('m')], ALL, "write", "write a message"),
    binding(Action::Up, &[Code(KeyCode::Up), Char('k')], ALL, "", "up"),
    binding(Action::Down, &[Code(KeyCode::Down), Char('j')], ALL, "", "down"),
    binding(Action::PageUp, &[Code(KeyCode::PageUp), Char('-')], ALL, "", "a page up"),
    binding(Action::PageDown, &[Code(KeyCode::PageDown), Char(' ')], ALL, "", "a page down"),
    binding(Action::First, &[Code(KeyCode::Home)], ALL, "", "to the top"),
    binding(Action::Last, &[Code(KeyCode::End)], ALL, "", "to the end"),
    binding(
        Action::NextMessage,
        &[Char('J'), Code(KeyCode::Right), Code(KeyCode::Enter)],
        &[Message],
        "",
        "the next message",
    ),
    binding(Action::PreviousMessage, &[Char('K'), Code(KeyCode::Left)], &[Message], "", "the message before"),
    binding(Action::PreviousUnread, &[Char('N')], MAIL, "", "go to the unread message before"),
    binding(Action::Flag, &[Char('F')], MAIL, "", "flag, or take the flag back"),
    binding(Action::Unread, &[Char('U')], MAIL, "", "make it unread, or read"),
    binding(Action::Undo, &[Char('z')], MAIL, "", "undo the last change of marks"),
    binding(Action::Purge, &[Char('$')], MAIL, "", "delete for good what is marked, after asking"),
    binding(Action::FindText, &[Char('b')], &[List], "", "search in the text of messages; Esc breaks it off"),
    binding(Action::Narrow, &[Char('l')], &[List], "", "show unread ones only, flagged ones, all"),
    binding(Action::Threads, &[Char('t')], &[List], "", "show threads, or not"),
    binding(Action::Sort, &[Char('S')], &[List], "", "sort by date, sender, subject or size"),
    binding(Action::Reverse, &[Char('R')], &[List], "", "the other way round"),
    binding(Action::ReplyAll, &[Char('a')], MAIL, "", "reply to all"),
    binding(Action::Forward, &[Char('f')], MAIL, "", "forward"),
    binding(Action::Redraw, &[Ctrl('l')], ALL, "", "draw the screen anew, and look at the folder again"),
    binding(Action::Suspend, &[Ctrl('z')], ALL, "", "suspend fido"),
    binding(Action::Quit, &[Char('Q'), Ctrl('c')], ALL, "", "leave fido"),
];

impl Binding {
    /// Its keys as they are shown, such as `q Esc`.
    #[must_use]
    pub fn names(&self) -> String {
        self.keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
    }

    /// On which screens it is, such as ` (list, message)`; nothing where that needs no saying.
    #[must_use]
    pub fn place(&self) -> &'static str {
        match self.on {
            on if on == ALL || self.action == Action::Open => "",
            [Folders] => " (folders)",
            [List] => " (list)",
            [Message] => " (message)",
            _ => " (list, message)",
        }
    }
}

/// What a key does on a screen.
#[must_use]
pub fn action(screen: Screen, key: Key) -> Option<Action> {
    let is_it = |binding: &&Binding| binding.on.contains(&screen) && binding.keys.contains(&key);
    BINDINGS.iter().find(is_it).map(|binding| binding.action)
}

/// What can be done on a screen, in a line of at most `width` columns.
#[must_use]
pub fn hints(screen: Screen, width: usize) -> String {
    let mut line = String::new();
    for binding in BINDINGS.iter().filter(|it| it.on.contains(&screen) && !it.hint.is_empty()) {
        let Some(key) = binding.keys.first() else { continue };
        let hint = format!("{}{key} {}", if line.is_empty() { "" } else { "  " }, binding.hint);
        if line.len() + hint.len() > width {
            break;
        }
        line.push_str(&hint);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_on_a_screen() {
        for screen in [Folders, List, Message] {
            let here = BINDINGS.iter().filter(|binding| binding.on.contains(&screen));
            let mut keys: Vec<String> = here.flat_map(|binding| binding.keys).map(Key::to_string).collect();
            let all = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), all, "{screen:?}");
        }
    }

    #[test]
    fn hints_fit() {
        for width in 0..140 {
            for screen in [Folders, List, Message] {
                assert!(hints(screen, width).len() <= width);
            }
        }
        assert_eq!(hints(List, 20), "? help  q back");
    }

    /// The guide has the table as it is here.
    #[test]
    fn the_guide_lists_the_keys() {
        let mut table = "| key | what it does |\n|---|---|\n".to_owned();
        for binding in BINDINGS {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(table, "| {} | {}{} |", keys.join(" "), binding.what, binding.place());
        }
        let guide = include_str!("../../../../docs/users-guide.md");
        assert!(guide.contains(&table), "docs/users-guide.md needs this table:\n{table}");
    }
}
