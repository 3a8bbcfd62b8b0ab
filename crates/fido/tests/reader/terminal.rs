//! The program itself on a terminal that tmux makes, and every octet that it writes there.

use std::{fs, process::Command};

use crate::{
    maildir,
    tmux::{Tmux, can_run},
};

#[test]
fn a_message_is_read_deleted_and_undeleted_and_the_terminal_is_as_before() {
    if !can_run() {
        return;
    }
    let (mail, tmux) = (maildir(), Tmux::start());
    let written = tmux.0.path().join("written");
    tmux.run(&["pipe-pane", &format!("cat > '{}'", written.display())]);
    let (fido, mail) = (env!("CARGO_BIN_EXE_fido"), mail.path().display().to_string());
    tmux.press(&[
        &format!("stty -g > {0}/before; clear; '{fido}' --mail '{mail}'", tmux.0.path().display()),
        "Enter",
    ]);
    tmux.wait("by date-");
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
    tmux.press(&["q", "Tab"]);
    let folders = tmux.wait("lists.rust");
    assert!(folders.contains(r"\x1b]0;gone\x07\x1b[2J"), "{folders}");
    tmux.press(&["q"]);
    tmux.wait("$");
    tmux.press(&[&format!("stty -g > {}/after; echo over", tmux.0.path().display()), "Enter"]);
    tmux.wait("\nover");
    let read = |name: &str| fs::read_to_string(tmux.0.path().join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
    let modes = tmux.run(&["display", "-p", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}"]);
    assert_eq!(String::from_utf8_lossy(&modes.stdout).trim(), "001");
    only_ours(&fs::read(written).unwrap());
}

#[test]
fn a_signal_puts_the_terminal_back() {
    if !can_run() {
        return;
    }
    let (mail, tmux) = (maildir(), Tmux::start());
    let mail = mail.path().display().to_string();
    tmux.press(&[
        &format!(
            "'{}' --mail '{mail}' & echo $! > {}/id; fg",
            env!("CARGO_BIN_EXE_fido"),
            tmux.0.path().display()
        ),
        "Enter",
    ]);
    tmux.wait("by date-");
    let id = fs::read_to_string(tmux.0.path().join("id")).unwrap();
    assert!(Command::new("kill").args(["-TERM", id.trim()]).status().unwrap().success());
    tmux.wait("$ ");
    let modes = tmux.run(&["display", "-p", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}"]);
    assert_eq!(String::from_utf8_lossy(&modes.stdout).trim(), "001");
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
