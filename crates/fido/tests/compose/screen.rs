//! The editor that is built in, on a terminal that tmux makes.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{common::Peer, desk::Desk, tmux::Tmux};

/// The line for a shell that runs fido with no editor set.
fn line(desk: &Desk, arguments: &[&str], more: &str) -> String {
    let fido = desk.fido(arguments);
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap());
    let set = fido.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let set: Vec<_> = set.map(|(name, value)| format!("{}={}", name.display(), quoted(value))).collect();
    let words: Vec<String> = std::iter::once(fido.get_program()).chain(fido.get_args()).map(quoted).collect();
    format!("clear; env -u VISUAL -u EDITOR -u NO_COLOR {} {more} {}", set.join(" "), words.join(" "))
}

fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

/// Waits until Drafts holds one draft with this text.
fn wait_for_draft(desk: &Desk, text: &str) {
    let start = Instant::now();
    loop {
        let drafts = desk.folder_as_it_is("Drafts");
        if matches!(drafts.as_slice(), [draft] if draft.contains(text)) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no {text:?} in {drafts:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn kill(tmux: &Tmux, signal: &str) {
    let id = fs::read_to_string(tmux.path("id")).unwrap();
    assert!(Command::new("kill").args([signal, id.trim()]).status().unwrap().success());
}

#[test]
fn a_message_is_written_and_sent_and_the_terminal_is_as_before() {
    let peer = Peer::serves(|listener| {
        use std::io::{BufRead, BufReader, Write};
        let stream = listener.accept().unwrap().0;
        let (mut writer, mut data, mut heard) = (stream.try_clone().unwrap(), false, String::new());
        writer.write_all(b"220 x\r\n").unwrap();
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            heard += &line;
            heard.push('\n');
            let answer = match line.as_str() {
                "DATA" => "354 go",
                "." => "250 taken",
                _ if data => continue,
                _ => "250 fine",
            };
            data = line == "DATA";
            writer.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        }
        assert!(heard.contains("RCPT TO:<rex@dog.example>"), "{heard}");
        assert!(heard.contains("\nSubject: Bone\n") && heard.contains("\nHello,\n..\nRex\n.\n"), "{heard}");
    });
    let Some(tmux) = Tmux::start() else { return };
    let desk = Desk::new(peer.address, "security = 'plain'");
    let folder = tmux.path("");
    let folder = folder.display();
    tmux.press(&[
        &format!("stty -g > {folder}/before; {}", line(&desk, &["write", "--to", "rex@dog.example"], "")),
        "Enter",
    ]);
    tmux.wait("^X done");
    tmux.press(&["Bonx", "BSpace", "e", "Enter", "Enter", "Hello,", "Enter", ".", "Enter", "Rex"]);
    tmux.wait("Rex");
    tmux.press(&["C-x"]);
    tmux.wait("[s]end");
    tmux.press(&["s", "Enter"]);
    tmux.wait("sent to rex@dog.example");
    tmux.press(&[&format!("stty -g > {folder}/after; echo over"), "Enter"]);
    tmux.wait("\nover");
    let read = |name: &str| fs::read_to_string(tmux.path(name)).unwrap();
    assert_eq!(read("before"), read("after"));
    let modes = tmux.run(&["display", "-p", "#{alternate_on}#{cursor_flag}"]);
    assert_eq!(String::from_utf8_lossy(&modes.stdout).trim(), "01");
    assert_eq!((desk.folder("Drafts").len(), desk.folder("Sent").len()), (0, 1));
    peer.done();
}

#[test]
fn a_long_text_that_comes_at_once_comes_whole() {
    let Some(tmux) = Tmux::start() else { return };
    let desk = Desk::new(nowhere(), "security = 'plain'");
    tmux.press(&[&line(&desk, &["write", "--to", "rex@dog.example", "--subject", "Bone"], ""), "Enter"]);
    tmux.wait("^X done");
    // Not as a paste that says where it ends: some terminals know none.
    tmux.run(&["send-keys", "-l", &("bone ".repeat(700) + "ends here")]);
    tmux.wait("ends here");
}

#[test]
fn a_text_outlives_a_killed_editor_and_is_gone_on_with() {
    let Some(tmux) = Tmux::start() else { return };
    let desk = Desk::new(nowhere(), "");
    let id = format!("{} & echo $! > {}/id; fg", line(&desk, &["write"], ""), tmux.path("").display());
    tmux.press(&[&id, "Enter"]);
    tmux.wait("^X done");
    tmux.press(&["not yet an adress", "Enter", "Enter", "Enter", "A bone", "Enter", "Enter", "Dear Rex"]);
    // Without a key that says so.
    wait_for_draft(&desk, "Dear Rex");
    kill(&tmux, "-KILL");
    tmux.wait("illed");
    // The terminal is as the editor has left it, raw.
    tmux.press(&["stty sane; tput rmcup; clear; echo rea''dy", "C-j"]);
    tmux.wait("ready");
    tmux.press(&[&line(&desk, &["write", "--resume"], ""), "Enter"]);
    tmux.wait_for_all(&["To:      not yet an adress", "Subject: A bone", "Dear Rex"]);
    tmux.press(&["C-x"]);
    tmux.wait("Ctrl-X leaves it so");
    tmux.press(&["C-x"]);
    tmux.wait("[s]end");
    tmux.press(&["k", "Enter"]);
    tmux.wait("the draft is in the folder Drafts");
    wait_for_draft(&desk, "Dear Rex");
}

#[test]
fn a_signal_keeps_the_text_and_puts_the_terminal_back() {
    for signal in ["-HUP", "-TERM"] {
        let Some(tmux) = Tmux::start() else { return };
        let desk = Desk::new(nowhere(), "");
        let id = format!(
            "{} & echo $! > {}/id; fg",
            line(&desk, &["write", "--to", "a@b"], ""),
            tmux.path("").display()
        );
        tmux.press(&[&id, "Enter"]);
        tmux.wait("^X done");
        tmux.press(&["One more w", "o", "rd"]);
        tmux.wait("One more word");
        kill(&tmux, signal);
        tmux.wait("goes on with it");
        wait_for_draft(&desk, "One more word");
        let modes = tmux.run(&["display", "-p", "#{alternate_on}#{cursor_flag}"]);
        assert_eq!(String::from_utf8_lossy(&modes.stdout).trim(), "01");
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_editor_and_not_the_text() {
    let Some(tmux) = Tmux::start() else { return };
    let desk = Desk::new(nowhere(), "");
    let id = format!("{} & echo $! > {}/id; fg", line(&desk, &["write"], ""), tmux.path("").display());
    tmux.press(&[&id, "Enter"]);
    tmux.wait("^X done");
    tmux.press(&["not sent to any", "b", "o", "dy"]);
    tmux.closes_under();
    wait_for_draft(&desk, "not sent to anybody");
}

#[test]
fn an_old_small_terminal_gets_nothing_that_it_does_not_know() {
    let Some(tmux) = Tmux::start() else { return };
    let desk = Desk::new(nowhere(), "");
    tmux.run(&["resize-window", "-x", "40", "-y", "12"]);
    let written = tmux.path("octets");
    tmux.press(&[&line(&desk, &["write", "--subject", "wöof"], "TERM=vt100 NO_COLOR=1 LC_ALL=C"), ""]);
    tmux.run(&["pipe-pane", &format!("cat > '{}'", written.display())]);
    tmux.press(&["Enter"]);
    tmux.wait_for_all(&["Subject: w?of", "-----", "^X done"]);
    // What is pasted comes as keys.
    tmux.run(&["set-buffer", "a@b\u{1b}[31m"]);
    tmux.run(&["paste-buffer", "-p"]);
    tmux.wait("a@b");
    tmux.press(&["C-x"]);
    tmux.wait("[s]end");
    tmux.press(&["t", "Enter"]);
    tmux.wait("thrown away");
    let octets = fs::read(written).unwrap();
    let text = String::from_utf8_lossy(&octets);
    let start = text.find("\u{1b}[?1049h").unwrap();
    let end = text.rfind("\u{1b}[?1049l").unwrap();
    assert!(text[start..end].is_ascii() && !text.contains("2004"), "{text:?}");
    let colours = text[start..end]
        .split("\u{1b}[")
        .filter(|it| it.split('m').next().is_some_and(|it| it.starts_with(['3', '4']) && it.len() == 2));
    assert_eq!(colours.count(), 0, "{text:?}");
    assert!(desk.folder("Drafts").is_empty());
}
