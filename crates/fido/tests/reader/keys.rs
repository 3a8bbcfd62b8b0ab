//! What keys do to the state, and what they want done.

use fido::{
    local::Flags,
    reader::{Effect, Event, Screen},
};
use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::{Tried, maildir};

/// Keys, the screen and the chosen message after them, and what the last line says.
const TABLE: &[(&str, Screen, &str, &str)] = &[
    ("", Screen::List, "Signed", ""),
    ("jj", Screen::List, "The bone", ""),
    ("jjk", Screen::List, "Related", ""),
    ("\n", Screen::Message, "Signed", ""),
    ("\nJ", Screen::Message, "Related", ""),
    ("\nK", Screen::Message, "Signed", "this is the first message"),
    ("\nq", Screen::List, "Signed", ""),
    ("\nn", Screen::Message, "Related", ""),
    ("d", Screen::List, "Related", ""),
    ("ddu", Screen::List, "Related", ""),
    ("\nd", Screen::Message, "Related", ""),
    ("u", Screen::List, "Signed", "there is nothing to take back"),
    ("$", Screen::List, "Signed", "no message is marked for deletion; d marks"),
    ("d$n", Screen::List, "Related", "nothing is deleted"),
    ("d$y", Screen::List, "Related", ""),
    ("/CAF\n", Screen::List, "Café", ""),
    ("/CAF\n\u{1b}", Screen::List, "Café", ""),
    ("/no such\u{1b}", Screen::List, "Signed", ""),
    ("jj/no such\n\u{1b}", Screen::List, "The bone", ""),
    ("ll", Screen::List, "Pictures", "1 flagged message"),
    ("Ss", Screen::List, "Signed", ""),
    ("S?", Screen::List, "Signed", "sorted as before"),
    ("t", Screen::List, "Signed", "by threads"),
    ("\t", Screen::Folders, "Signed", ""),
    ("qq", Screen::Folders, "Signed", ""),
    ("?j\u{1b}", Screen::List, "Signed", ""),
    ("o", Screen::List, "Signed", ""),
    ("jj\no", Screen::Message, "The bone", "this message has no attachment"),
    (
        "G",
        Screen::List,
        "Signed",
        "this Maildir belongs to no account: start fido with --account to fetch mail",
    ),
];

#[test]
fn keys_do_what_the_table_says() {
    for (keys, screen, subject, note) in TABLE {
        let mail = maildir();
        let mut tried = Tried::new(mail.path(), (80, 24));
        tried.press(keys);
        let said = tried.model.note.as_ref().map(|note| note.text.as_str()).unwrap_or_default();
        assert_eq!((tried.model.screen, &*tried.subject(), said), (*screen, *subject, *note), "{keys:?}");
    }
}

#[test]
fn what_is_wanted_is_said() {
    for (keys, wanted) in [
        ("qq", "Quit"),
        ("Q", "Quit"),
        ("r", "Compose(Reply { all: false }, Some("),
        ("a", "Compose(Reply { all: true }, Some("),
        ("f", "Compose(Forward, Some("),
        ("m", "Compose(New, None)"),
        ("\tjj\n", "OpenFolder(Name("),
        ("\t\n", "Refresh"),
        ("bbone\n", "Search(\"bone\", ["),
        ("bbone\n\u{1b}", "StopSearch"),
        ("s\n", "SaveMessage("),
        ("\ns1\n\n", "SaveAttachment("),
        ("\no", "OpenAttachment("),
    ] {
        let mail = maildir();
        let mut tried = Tried::new(mail.path(), (80, 24));
        tried.press(keys);
        let last = format!("{:?}", tried.wanted.last());
        assert!(last.starts_with(&format!("Some({wanted}")), "{keys:?}: {last}");
    }
}

#[test]
fn marks_are_undone_one_by_one() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (80, 24));
    tried.press("dFd");
    let with = |tried: &Tried, flag| tried.folder.entries().iter().filter(|it| it.flags().has(flag)).count();
    assert_eq!((with(&tried, Flags::TRASHED), with(&tried, Flags::FLAGGED)), (2, 2));
    tried.press("zz");
    assert_eq!((with(&tried, Flags::TRASHED), with(&tried, Flags::FLAGGED)), (1, 1));
    assert_eq!(tried.subject(), "Related");
    tried.press("u");
    assert_eq!((with(&tried, Flags::TRASHED), tried.subject().as_str()), (0, "Signed"));
}

#[test]
fn nothing_can_be_chosen_while_another_folder_is_opened() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (80, 24));
    let inbox = tried.model.list.name.clone();
    tried.press("d\tjj\n");
    tried.happens(Event::Opening(500, 1200));
    assert_eq!(tried.model.opening.as_deref(), Some(": 500 of 1200 messages read"));
    tried.press("dF\nsz");
    // What comes of the folder before is too late.
    tried.happens(Event::Entries(inbox, tried.folder.entries().to_vec()));
    assert!(tried.model.opening.is_some() && tried.model.list.chosen().is_none());
    assert!(matches!(tried.wanted.last(), Some(Effect::OpenFolder(_))), "{:?}", tried.wanted.last());
    tried.happens(Event::Entries(tried.model.list.name.clone(), Vec::new()));
    assert_eq!(tried.model.opening, None);
}

#[test]
fn the_chosen_message_stays_chosen_while_a_search_finds_more() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (80, 24));
    tried.press("jjj");
    let (chosen, unique) = (tried.subject(), |at: usize| Box::<[u8]>::from(at.to_string().as_bytes()));
    tried.press("bbone\n");
    let found: Vec<Box<[u8]>> = tried.folder.entries().iter().map(|entry| entry.unique().into()).collect();
    tried.happens(Event::Found(vec![found[0].clone(), unique(99)], 50, 100));
    let first = tried.subject();
    tried.happens(Event::Found(found[1..].to_vec(), 100, 100));
    assert_eq!(tried.subject(), first);
    tried.press("/no such\n\u{1b}");
    assert_eq!(tried.subject(), chosen);
}

#[test]
fn the_mouse_chooses_opens_and_scrolls() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (80, 24));
    let mouse = |kind, row| Event::Mouse(MouseEvent { kind, column: 9, row, modifiers: KeyModifiers::NONE });
    let click = |row| mouse(MouseEventKind::Down(MouseButton::Left), row);
    tried.happens(click(3));
    assert_eq!((tried.model.screen, tried.subject().as_str()), (Screen::List, "The bone"));
    tried.happens(click(0));
    tried.happens(click(23));
    tried.happens(click(3));
    assert_eq!(tried.model.screen, Screen::Message);
    tried.press("q");
    tried.happens(mouse(MouseEventKind::ScrollUp, 3));
    assert_eq!(tried.subject(), "Signed");
}

#[test]
fn the_chosen_message_stays_chosen_when_mail_comes() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (80, 24));
    tried.press("jj");
    std::fs::write(mail.path().join("new/1800000000.new.h"), "Subject: new\n\n").unwrap();
    tried.folder.refresh(|_, _| {}).unwrap();
    tried.happens(Event::Entries(tried.model.list.name.clone(), tried.folder.entries().to_vec()));
    assert_eq!((tried.subject().as_str(), tried.model.list.cursor.at), ("The bone", 3));
}
