//! What keys do to a draft, and what is drawn of it.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    Clock,
    draw::draw,
    page::{Page, Wish},
};
use crate::{compose::Draft, reader::look::Look};

struct Tried {
    page: Page,
    before: Draft,
    terminal: Terminal<TestBackend>,
    look: Look,
}

impl Tried {
    fn of(draft: Draft, size: (u16, u16)) -> Self {
        let page = Page::new(&draft).unwrap();
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        Self { page, before: draft, terminal, look: Look { colours: true, ascii: false } }
    }

    fn empty() -> Self {
        Self::of(Draft::default(), (80, 24))
    }

    /// A draft whose fields are filled, so that the cursor is in the text.
    fn with(body: &str, size: (u16, u16)) -> Self {
        Self::of(Draft { to: "a@b".into(), subject: "x".into(), body: body.into(), ..Draft::default() }, size)
    }

    fn code(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Wish {
        self.page.happens(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    fn control(&mut self, character: char) -> Wish {
        self.code(KeyCode::Char(character), KeyModifiers::CONTROL)
    }

    fn press(&mut self, codes: &[KeyCode]) {
        for code in codes {
            self.code(*code, KeyModifiers::NONE);
        }
    }

    fn types(&mut self, text: &str) {
        for character in text.chars() {
            let code = match character {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                character => KeyCode::Char(character),
            };
            self.press(&[code]);
        }
    }

    fn draft(&self) -> Draft {
        self.page.draft(&self.before)
    }

    /// The lines of the screen, and what is under the cursor.
    fn screen(&mut self) -> (Vec<String>, String) {
        let (page, look) = (&self.page, self.look);
        self.terminal.draw(|frame| draw(page, frame, look)).unwrap();
        let at = self.terminal.get_cursor_position().unwrap();
        let buffer = self.terminal.backend().buffer();
        let lines = (0..buffer.area.height).map(|y| {
            let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned()
        });
        (lines.collect(), buffer[at].symbol().to_owned())
    }
}

#[test]
fn a_message_is_written_from_field_to_field_into_the_text() {
    let mut tried = Tried::empty();
    tried.types("rex@dog.example\n\tfriend@dog.example\nWöof 犬\n\nHello,\nRex\n");
    let draft = tried.draft();
    assert_eq!((draft.to.as_str(), draft.bcc.as_str()), ("rex@dog.example", "friend@dog.example"));
    assert_eq!((draft.subject.as_str(), draft.body.as_str()), ("Wöof 犬", "Hello,\nRex\n"));
    assert!(draft.attachments.is_empty() && draft.forwarded.is_none());
    let (lines, _) = tried.screen();
    assert_eq!(lines[0], "To:      rex@dog.example");
    assert!(lines[3].starts_with("Subject: Wöof 犬") && lines[5].starts_with("────"), "{lines:#?}");
    assert_eq!((lines[6].as_str(), lines[7].as_str()), ("Hello,", "Rex"));
    assert!(lines[23].starts_with(" ^X done  Tab next"), "{lines:#?}");
}

#[test]
fn the_cursor_begins_where_something_is_missing() {
    assert_eq!(Tried::empty().page.at, Some(0));
    assert_eq!(Tried::of(Draft { to: "a@b".into(), ..Draft::default() }, (80, 24)).page.at, Some(3));
    assert_eq!(Tried::with("> Woof", (80, 24)).page.at, None);
}

#[test]
fn an_answer_is_written_below_what_it_answers() {
    let body = "Rex wrote:\n> Woof.\n\n-- \nFido\n".to_owned();
    let draft = Draft {
        to: "a@b".into(),
        subject: "Re: x".into(),
        in_reply_to: "<a@b>".into(),
        body,
        ..Draft::default()
    };
    let mut tried = Tried::of(draft, (80, 24));
    tried.types("Yes.");
    assert_eq!(tried.draft().body, "Rex wrote:\n> Woof.\nYes.\n-- \nFido\n");
}

#[test]
fn a_long_field_scrolls_where_the_cursor_is_and_shows_its_beginning_elsewhere() {
    let mut tried = Tried::empty();
    tried.terminal.backend_mut().resize(40, 12);
    tried.types(&format!("a@b\n\n\nabc{}xyz", "-".repeat(60)));
    assert!(tried.screen().0[3].ends_with("-xyz"));
    tried.types("\n");
    assert!(tried.screen().0[3].starts_with("Subject: abc---"));
}

#[test]
fn files_are_named_in_lines_of_their_own_and_a_forwarded_message_goes_with_its_line() {
    let forwarded = Some(b"Subject: Bone\n\nWoof.\n".to_vec());
    let mut tried = Tried::of(Draft { forwarded: forwarded.clone(), ..Draft::default() }, (80, 24));
    assert_eq!(tried.screen().0[5], "Forward: Bone");
    tried.press(&[KeyCode::Down; 4]);
    tried.types("/etc/passwd\n/nonexistent/x\n");
    assert_eq!(tried.page.note.as_deref(), Some("/nonexistent/x: No such file or directory (os error 2)"));
    assert_eq!(tried.draft().attachments.len(), 2);
    assert_eq!(tried.draft().forwarded, forwarded);
    tried.press(&[KeyCode::Up]);
    tried.control('u');
    tried.types("\n");
    assert_eq!(tried.draft().attachments, ["/etc/passwd"].map(std::path::PathBuf::from));
    tried.types("\n");
    assert_eq!(tried.page.at.map(|at| tried.page.fields[at].value().to_owned()).as_deref(), Some("Bone"));
    tried.control('u');
    assert_eq!(tried.draft().forwarded, None);
    tried.control('z');
    assert_eq!(tried.draft().forwarded, forwarded);
}

#[test]
fn what_is_wrong_is_said_before_leaving_and_does_not_hold_its_writer() {
    let mut tried = Tried::empty();
    tried.types("not an address");
    assert_eq!(tried.control('x'), Wish::Nothing);
    assert_eq!(tried.page.at, Some(0));
    let (lines, _) = tried.screen();
    assert!(lines[23].contains("is no address") && lines[23].ends_with("Ctrl-X leaves it so"), "{lines:#?}");
    tried.types("!");
    assert_eq!(tried.control('x'), Wish::Nothing);
    assert_eq!(tried.control('x'), Wish::Leave);
    assert_eq!(tried.draft().to, "not an address!");
    assert_eq!(tried.control('s'), Wish::Keep);
    assert_eq!(Tried::empty().control('c'), Wish::Leave);
}

#[test]
fn lines_are_cut_put_back_and_undone() {
    let mut tried = Tried::with("one\ntwo\n", (80, 24));
    tried.control('k');
    tried.press(&[KeyCode::Down]);
    tried.control('v');
    assert_eq!(tried.draft().body, "\nonetwo\n");
    tried.control('z');
    tried.control('z');
    assert_eq!(tried.draft().body, "one\ntwo\n");
    tried.control('y');
    assert_eq!(tried.draft().body, "\ntwo\n");
    assert!(tried.page.take_changed() && !tried.page.take_changed());
}

#[test]
fn long_lines_are_wrapped_on_the_screen_alone() {
    let text = format!("{}end\n", "woof ".repeat(30));
    let mut tried = Tried::with(&text, (40, 12));
    let (lines, _) = tried.screen();
    assert_eq!(lines[6], "woof woof woof woof woof woof woof woof");
    tried.press(&[KeyCode::End]);
    let (_, under) = tried.screen();
    assert_eq!(under, " ");
    tried.types("!");
    assert!(tried.screen().0.iter().any(|line| line.ends_with("end!")));
    assert_eq!(tried.draft().body, text.replace("end", "end!"));
    // Up goes from line to line of the screen, and then to the fields.
    tried.press(&[KeyCode::Up; 10]);
    assert!(tried.page.at.is_some());
}

#[test]
fn the_text_scrolls_and_the_cursor_stays_in_sight() {
    let text = (0..100).fold(String::new(), |text, number| text + &format!("line {number}\n"));
    let mut tried = Tried::with(&text, (40, 12));
    tried.screen();
    tried.press(&[KeyCode::PageDown, KeyCode::PageDown, KeyCode::PageDown]);
    let (lines, under) = tried.screen();
    assert_eq!(under, "l");
    assert!(lines[6].starts_with("line 1"), "{lines:#?}");
    tried.code(KeyCode::End, KeyModifiers::CONTROL);
    assert!(tried.screen().0.contains(&"line 99".to_owned()));
    tried.press(&[KeyCode::PageUp; 40]);
    assert!(tried.screen().0.contains(&"line 0".to_owned()));
    tried.types("\t");
    tried.code(KeyCode::BackTab, KeyModifiers::SHIFT);
    tried.types("/a\n/b\n/c\n/d\n/e\n");
    let (lines, _) = tried.screen();
    // No more than half of a small screen is fields, and the one with the cursor is there.
    assert!(lines[4].starts_with("Attach:") && lines[5].starts_with("───"), "{lines:#?}");
    assert_eq!(lines.len(), 12);
}

#[test]
fn wide_characters_and_marks_are_drawn_and_taken_away_whole() {
    let mut tried = Tried::with("", (40, 12));
    tried.types("犬小屋 e\u{301}x");
    let (lines, _) = tried.screen();
    assert_eq!(lines[6], "犬 小 屋  e\u{301}x", "a wide one has a cell behind it");
    for under in ["x", "e\u{301}", " ", "屋"] {
        tried.press(&[KeyCode::Left]);
        let (lines, cursor) = tried.screen();
        assert_eq!(lines[6], "犬 小 屋  e\u{301}x");
        assert_eq!(cursor, under);
    }
    tried.press(&[KeyCode::Backspace]);
    assert_eq!(tried.draft().body, "犬屋 e\u{301}x");
    tried.press(&[KeyCode::Right, KeyCode::Right]);
    assert_eq!(tried.screen().1, "e\u{301}");
    tried.press(&[KeyCode::Right]);
    assert_eq!(tried.screen().1, "x");
    tried.press(&[KeyCode::Left, KeyCode::Delete]);
    assert_eq!(tried.draft().body, "犬屋 x");
    tried.control('z');
    tried.control('z');
    assert_eq!(tried.draft().body, "犬屋 e\u{301}x");
    tried.look = Look { colours: false, ascii: true };
    let (lines, _) = tried.screen();
    assert_eq!(lines[5], "-".repeat(40));
    assert!(lines[6].is_ascii(), "{lines:#?}");
}

#[test]
fn nothing_that_is_quoted_or_pasted_acts_on_the_terminal() {
    let evil = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{7f}";
    let mut tried = Tried::of(
        Draft { to: "a@b".into(), subject: evil.into(), body: format!("> {evil}\r\n"), ..Draft::default() },
        (80, 24),
    );
    let paste = format!("{evil}one\r\ntwo\rthree\t.");
    tried.page.happens(&Event::Paste(paste.clone()));
    tried.press(&[KeyCode::Up, KeyCode::Up, KeyCode::Up, KeyCode::Up]);
    tried.page.happens(&Event::Paste(paste));
    let (lines, _) = tried.screen();
    assert!(!lines.concat().contains(char::is_control), "{lines:#?}");
    assert!(lines.concat().contains("> \u{fffd}]0;owned\u{fffd}\u{fffd}[2J"), "{lines:#?}");
    let draft = tried.draft();
    assert!(draft.body.starts_with("]0;owned[2J31mone\ntwo\nthree\t.> "), "{draft:?}");
    assert!(!draft.to_text().replace(['\n', '\t'], "").contains(char::is_control), "{draft:?}");
}

#[test]
fn a_text_that_is_too_long_for_it_is_refused_and_stays() {
    assert!(Page::new(&Draft { body: "\n".repeat(20_000), ..Draft::default() }).is_err());
    let mut tried = Tried::with("x", (80, 24));
    tried.page.happens(&Event::Paste("y\n".repeat(20_001)));
    tried.page.happens(&Event::Paste("y".repeat(512 * 1024)));
    assert_eq!(tried.draft().body, "x");
    assert!(tried.page.note.is_some());
}

#[test]
fn the_text_is_kept_after_a_pause_and_while_keys_come() {
    let start = Instant::now();
    let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
    let mut clock = Clock::default();
    assert!(!clock.is_due(at(100)));
    clock.changed(at(0));
    assert!(!clock.is_due(at(9)) && clock.is_due(at(10)));
    (1..=40).for_each(|tenth| clock.changed(at(tenth)));
    assert!(clock.is_due(at(40)));
    // What takes half a second is not done again for five.
    clock.kept(at(40), at(45));
    clock.changed(at(46));
    assert!(!clock.is_due(at(94)) && clock.is_due(at(95)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_draft_that_nobody_touches_stays_as_it_is_and_any_keys_are_taken(
        body in "[ -~é犬\u{301}\t\n]{0,200}",
        keys in prop::collection::vec((0..20_usize, any::<char>(), any::<bool>()), 0..60),
        size in (1..90_u16, 1..30_u16),
    ) {
        let mut tried = Tried::with(&body, size);
        tried.screen();
        prop_assert_eq!(tried.draft(), tried.before.clone());
        for (which, character, control) in keys {
            let code = [
                KeyCode::Enter, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Left,
                KeyCode::Right, KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::PageDown,
                KeyCode::Backspace, KeyCode::Delete, KeyCode::Esc,
            ];
            let code = code.get(which).copied().unwrap_or(KeyCode::Char(character));
            tried.code(code, if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE });
            tried.screen();
        }
        for character in "zzzzykvuwdhae".chars() {
            tried.control(character);
            tried.screen();
        }
    }
}
