//! What is drawn, held against screens in `tests/reader/screens`.
//!
//! With `DOGHOUSE_BLESS` in the environment, these are written anew, to be read by a person.

use std::{env, fmt::Write, fs, path::Path};

use fido::{
    local::Name,
    reader::{Event, draw},
};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use crate::{Tried, maildir};

fn drawn(tried: &Tried) -> Buffer {
    let (width, height) = tried.model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(&tried.model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut hidden = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if hidden == 0 {
                line.push_str(symbol);
                hidden = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            hidden -= 1;
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

#[test]
fn screens_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader/screens");
    for (width, height) in [(40, 12), (80, 24), (132, 43)] {
        for (name, keys) in [
            ("list", ""),
            ("threads", "tF"),
            ("message", "jj\n"),
            ("headings", "\nh"),
            ("folders", "\t"),
            ("help", "?"),
            ("purge", "dd$"),
            ("search", "/bon"),
        ] {
            let mail = maildir();
            let mut tried = Tried::new(mail.path(), (width, height));
            tried.press(keys);
            let shown = text(&drawn(&tried));
            let path = folder.join(format!("{name}-{width}x{height}.txt"));
            if env::var_os("DOGHOUSE_BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &shown).unwrap();
            }
            assert_eq!(shown, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
        }
    }
}

#[test]
fn a_small_terminal_says_so_and_any_size_can_be_drawn() {
    let mail = maildir();
    let mut tried = Tried::new(mail.path(), (39, 12));
    assert!(text(&drawn(&tried)).starts_with("fido needs 40x12\n"));
    for keys in ["", "\n", "q\t", "?"] {
        tried.press(keys);
        for size in [(1, 1), (2, 30), (40, 12), (41, 13), (300, 100)] {
            tried.happens(Event::Resize(size.0, size.1));
            drawn(&tried);
        }
    }
}

#[test]
fn nothing_that_acts_on_a_terminal_comes_to_the_screen() {
    let mail = maildir();
    let hostile = "\u{1b}]52;c;YQ==\u{7}\u{9b}2J\u{202e}x\r\n";
    for ascii in [false, true] {
        let mut tried = Tried::new(mail.path(), (80, 24));
        tried.model.look.ascii = ascii;
        tried.model.title = hostile.to_owned();
        for keys in ["", "/", hostile, "\n", "\u{1b}", "\t", "q", "?", "q"] {
            tried.press(keys);
            tried.happens(Event::Fault(hostile.to_owned()));
            check(&drawn(&tried), ascii);
        }
        let mut tried = Tried::new(mail.path(), (80, 24));
        tried.model.look.ascii = ascii;
        tried.press("\nh");
        for _ in 0..25 {
            check(&drawn(&tried), ascii);
            tried.press("J");
        }
    }
}

fn check(buffer: &Buffer, ascii: bool) {
    for cell in &buffer.content {
        let is_plain = |c: char| !c.is_control() && c != '\u{202e}' && (c.is_ascii() || !ascii);
        assert!(cell.symbol().chars().all(is_plain), "{:?}", cell.symbol());
    }
}

#[test]
fn fifty_thousand_messages_are_opened_and_scrolled() {
    let mail = maildir();
    for number in 0..50_000 {
        let path = mail.path().join(format!("cur/16{number:08}.{number}.x:2,S"));
        fs::write(path, format!("From: a@b\nSubject: {number}\n\n")).unwrap();
    }
    let mut tried = Tried::new(mail.path(), (80, 24));
    assert_eq!(tried.model.list.name, Name::inbox());
    tried.press("    RRtttSf--jk");
    drawn(&tried);
    assert!(tried.model.list.shown.len() > 50_000);
}
