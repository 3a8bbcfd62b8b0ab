//! The program itself on a terminal, and every octet that it writes there.

use std::{fs, panic, process::Command, thread};

use fido::reader::{Model, look::Look, terminal::Terminal};
use jiff::tz::TimeZone;

use crate::{maildir, tmux::Tmux};

#[test]
fn a_message_is_read_deleted_and_undeleted_and_the_terminal_is_as_before() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.enter(&format!("stty -g > '{}'", tmux.path("before").display()));
    tmux.opens(mail.path(), "newest first");
    tmux.press(&["Enter"]);
    tmux.wait("promise a bone");
    tmux.press(&["d"]);
    tmux.wait("Related");
    tmux.press(&["q", "Up"]);
    tmux.wait("  D 2024-03-05 Smith");
    tmux.press(&["u", "End", "Enter"]);
    tmux.wait("mailboxes");
    tmux.press(&["K"]);
    tmux.wait("owned");
    tmux.press(&["h"]);
    tmux.wait("Content-Type:");
    tmux.press(&["q", "Tab"]);
    tmux.wait_for_all(&["lists.rust", r"\x1b]0;gone\x07\x1b[2J"]);
    tmux.press(&["q"]);
    tmux.is_put_back();
    tmux.enter(&format!("stty -g > '{}'; echo done", tmux.path("after").display()));
    tmux.wait("\ndone");
    assert_eq!(tmux.read("before"), tmux.read("after"));
    only_ours(&tmux.written());
}

/// The terminals that are promised: nothing is cut off that a user needs, and a VT100 gets what a VT100 knows.
#[test]
fn every_size_and_an_old_terminal_will_do() {
    let sizes = [(80, 24), (132, 43), (40, 12)];
    for (size, variables) in sizes
        .map(|size| (size, vec![]))
        .into_iter()
        .chain([((80, 24), vec![("TERM", "vt100"), ("LC_ALL", "C")]), ((80, 24), vec![("NO_COLOR", "1")])])
    {
        let Some(tmux) = Tmux::with(size, &variables) else { return };
        let mail = maildir();
        tmux.opens(mail.path(), "The bone");
        let list = tmux.wait("\n ? help  q back  Enter open");
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), usize::from(size.1), "{list}");
        assert!(lines[0].contains("17 unread") && lines[1].starts_with("N "), "{list}");
        assert!(lines[lines.len() - 1].starts_with(" ? help  q back  Enter open"), "{list}");
        tmux.press(&["F", "Down", "Down", "Enter"]);
        let message = tmux.wait("the bone is behind the house");
        assert!(message.contains("\nDate: Tue, 5 Mar 2024 09:00 +0000\nFrom: Smith"), "{message}");
        tmux.press(&["?"]);
        tmux.wait("this help");
        tmux.press(&["Q"]);
        tmux.is_put_back();
        let written = String::from_utf8_lossy(&tmux.written()).into_owned();
        only_ours(written.as_bytes());
        assert_eq!(written.contains("\u{1b}[38;5;"), variables.is_empty(), "colours, {variables:?}");
        let is_old = variables.iter().any(|it| it.1 == "vt100");
        assert_eq!(written.contains("\u{1b}[?1003h"), !is_old, "the mouse, {variables:?}");
        assert_eq!(written.contains("\u{1b}[?2026h"), !is_old, "updates at once, {variables:?}");
    }
}

#[test]
fn the_terminal_may_change_its_size() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.opens(mail.path(), "The bone");
    tmux.press(&["Down", "Down", "Enter"]);
    tmux.wait("Do not dig anywhere\n");
    for (columns, lines, text) in [
        ("132", "43", "Do not dig anywhere else"),
        ("40", "12", "where the\nold tree"),
        ("39", "12", "fido needs 40x12"),
        ("80", "24", "Do not dig anywhere\n"),
    ] {
        tmux.run(&["resize-window", "-x", columns, "-y", lines]);
        tmux.wait(text);
    }
    tmux.press(&["Q"]);
    tmux.is_put_back();
}

#[test]
fn a_key_that_comes_with_a_change_of_size_is_heard() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.opens(mail.path(), "The bone");
    for round in 0..60 {
        for (columns, key, text) in [(100 + round, "?", "this help"), (80, "q", "The bone")] {
            let columns = columns.to_string();
            tmux.run(&["resize-window", "-x", &columns, "-y", "24", ";", "send-keys", key]);
            tmux.wait(text);
        }
    }
}

#[test]
fn a_key_costs_little_on_a_slow_line() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.opens(mail.path(), "newest first");
    let before = tmux.written().len();
    tmux.press(&["Down"]);
    // The line that was chosen is written, and the one that is.
    let line = |screen: &str| screen.lines().nth(2).map(str::to_owned);
    let written = || String::from_utf8_lossy(&tmux.written()[before..]).into_owned();
    tmux.wait_until("the next line", |screen| {
        line(screen).is_some() && written().contains("Related") && written().ends_with("\u{1b}[?2026l")
    });
    assert!(written().len() < 600, "{} octets: {:?}", written().len(), written());
}

#[test]
fn it_stops_and_goes_on_as_other_programs_do() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    tmux.enter(&format!(
        "'{}' --mail '{}' & echo $! > '{}'; fg",
        env!("CARGO_BIN_EXE_fido"),
        mail.path().display(),
        tmux.path("id").display()
    ));
    tmux.wait("newest first");
    let id = tmux.read("id");
    let kill = |signal| assert!(Command::new("kill").args([signal, id.trim()]).status().unwrap().success());
    let is_stopped = || {
        let state = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap();
        state.rsplit(')').next().unwrap().trim_start().starts_with('T')
    };
    for by_key in [true, false] {
        if by_key {
            tmux.press(&["C-z"]);
        } else {
            kill("-TSTP");
        }
        tmux.wait_until("the shell", |_| is_stopped());
        tmux.is_put_back();
        tmux.enter("clear; fg");
        tmux.wait("newest first");
        tmux.press(&["?"]);
        tmux.wait("this help");
        tmux.press(&["?"]);
        tmux.wait("newest first");
    }
    // What another program has written over the screen goes.
    fs::write(tmux.asks("#{pane_tty}"), "\u{1b}[5;1HRUBBISH").unwrap();
    tmux.wait("RUBBISH");
    tmux.press(&["C-l"]);
    tmux.wait_until("a clean screen", |screen| {
        !screen.contains("RUBBISH") && screen.contains("newest first")
    });
    kill("-TERM");
    tmux.wait_until("the end", |screen| !screen.contains("newest first"));
    tmux.is_put_back();
}

#[test]
fn a_terminal_that_is_closed_ends_the_reader() {
    let Some(tmux) = Tmux::start() else { return };
    let mail = maildir();
    let (fido, id) = (env!("CARGO_BIN_EXE_fido"), tmux.path("id"));
    tmux.enter(&format!("'{fido}' --mail '{}' & echo $! > '{}'; fg", mail.path().display(), id.display()));
    tmux.wait("newest first");
    tmux.closes_under();
}

/// Run below, on a terminal of its own.
#[test]
#[ignore = "it breaks down"]
fn breaks_down() {
    let breaks_down = || {
        let mut terminal = Terminal::take().unwrap();
        let look = Look { colours: true, ascii: false };
        let model = Model::new("home", None, look, TimeZone::UTC, terminal.size().unwrap());
        terminal.draw(&model).unwrap();
        panic!("a fault in the reader");
    };
    // As the thread that the reader runs on is named.
    let main = thread::Builder::new().name("main".to_owned()).spawn(breaks_down).unwrap();
    let Err(fault) = main.join();
    panic::resume_unwind(fault);
}

#[test]
fn a_breakdown_puts_the_terminal_back_and_tells() {
    let Some(tmux) = Tmux::start() else { return };
    tmux.enter(&format!("stty -g > '{}'; clear", tmux.path("before").display()));
    let this = std::env::current_exe().unwrap();
    tmux.enter(&format!("'{}' --ignored --exact --nocapture terminal::breaks_down", this.display()));
    tmux.wait("a fault in the reader");
    tmux.wait("test result: FAILED");
    tmux.is_put_back();
    tmux.enter(&format!("stty -g > '{}'; echo done", tmux.path("after").display()));
    tmux.wait("\ndone");
    assert_eq!(tmux.read("before"), tmux.read("after"));
    let written = String::from_utf8_lossy(&tmux.written()).into_owned();
    let (end, told) =
        (written.find("\u{1b}[?1049l").unwrap(), written.find("a fault in the reader").unwrap());
    assert!(end < told, "{written:?}");
}

/// Every sequence in what was written is one of the reader's own: CSI with numbers, and an end that moves the cursor in
/// the screen, sets attributes or modes, or clears; and no other control character but those that a shell writes.
fn only_ours(octets: &[u8]) {
    let start = octets.windows(8).position(|it| it == b"\x1b[?1049h").expect("the reader's screen");
    let end = octets.windows(8).rposition(|it| it == b"\x1b[?1049l").expect("and its end");
    let text = String::from_utf8_lossy(&octets[start..end]).into_owned();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_control()) {
        rest = &rest[at..];
        let sequence =
            rest.strip_prefix("\u{1b}[").unwrap_or_else(|| panic!("{:?}", &rest[..20.min(rest.len())]));
        let end = sequence.find(|c: char| !"?0123456789;:".contains(c)).unwrap();
        assert!("HhlmJ".contains(&sequence[end..=end]), "{:?}", &sequence[..=end]);
        rest = &sequence[end..];
    }
}
