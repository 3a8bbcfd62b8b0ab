//! Servers that refuse, close, fall silent or talk without an end; kills at every step. The text is never lost.

use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use crate::{common::Peer, desk::Desk};

/// A whole session to a@b and c@d, with some answers put in place of the usual ones.
fn session(changes: &[(&str, &str)]) -> String {
    let mut script = "S: 220 x\nC: EHLO [127.0.0.1]\nS: 250 x\nC: MAIL FROM:<fido@dog.example>\nS: 250 mail\n\
        C: RCPT TO:<a@b>\nS: 250 one\nC: RCPT TO:<c@d>\nS: 250 two\nC: DATA\nS: 354 go\nC: To: a@b, c@d\nC: From: fido@dog.example\n\
        C: Date: now\nC: Message-ID: <1@x>\nC: \nC: ..woof\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye"
        .to_owned();
    for (from, to) in changes {
        let at = script.find(from).unwrap();
        script = format!("{}{to}", &script[..at]);
    }
    script
}

const MESSAGE: &str = "To: a@b, c@d\nBcc:\nFrom: fido@dog.example\nDate: now\nMessage-ID: <1@x>\n\n.woof\n";

#[test]
fn what_is_refused_stays_in_drafts_with_the_reason() {
    for (from, to, code, why) in [
        ("S: 220 x", "S: 554 no\nclose", 69, "554 no"),
        ("S: 220 x", "S: 421 busy\nclose", 75, "421 busy"),
        ("S: 220 x", "S: SSH-2.0\nclose", 76, "no answer of SMTP"),
        ("S: 250 mail", "S: 451 later\nsilence", 75, "451 later"),
        ("S: 250 mail", "S: 550-no\nS: 550 way\nsilence", 69, "550 no way"),
        ("S: 354 go", "S: 452 full\nsilence", 75, "452 full"),
        ("S: 250 taken", "S: 554 spam\nsilence", 69, "554 spam"),
        ("S: 250 taken", "S: 451 later\nsilence", 75, "451 later"),
        // It wants more, and has taken nothing.
        ("S: 250 taken", "S: 354 go on\nsilence", 76, "354 go on"),
        ("S: 220 x", "silence", 75, "is silent"),
        ("S: 250 mail", "silence", 75, "is silent"),
        ("S: 250 taken", "silence", 75, "not known whether"),
        ("S: 220 x", "close", 75, "connection broke"),
        ("S: 250 x", "close", 75, "connection broke"),
        ("S: 250 mail", "close", 75, "connection broke"),
        ("S: 250 one", "close", 75, "connection broke"),
        ("S: 354 go", "close", 75, "connection broke"),
        ("S: 250 taken", "close", 75, "not known whether"),
    ] {
        let peer = Peer::plays(&[&session(&[(from, to)])]);
        let desk = Desk::new(peer.address, "security = 'plain'");
        let outcome = desk.send(&[], MESSAGE);
        outcome.ends(code, why);
        assert_eq!(outcome.stderr.matches("the message is in").count(), 1, "{outcome:#?}");
        outcome.ends(code, "the message is in the folder Drafts");
        peer.done();
        let drafts = desk.folder("Drafts");
        assert_eq!(drafts.len(), 1, "{why}");
        assert!(drafts[0].0.ends_with(":2,D") && drafts[0].1 == MESSAGE, "{drafts:?}");
        assert!(desk.folder("Sent").is_empty());
    }
}

#[test]
fn a_server_that_knows_no_ehlo_is_greeted_as_in_1982() {
    let script = session(&[]).replace("S: 250 x", "S: 500 EHLO?\nC: HELO [127.0.0.1]\nS: 250 x");
    let peer = Peer::plays(&[&script]);
    let desk = Desk::new(peer.address, "security = 'plain'");
    desk.send(&[], MESSAGE).ends(0, "sent to a@b, c@d");
    peer.done();
}

#[test]
fn who_was_refused_is_told_and_has_a_draft() {
    let script = session(&[]).replace("S: 250 two", "S: 550 gone");
    let peer = Peer::plays(&[&script]);
    let desk = Desk::new(peer.address, "security = 'plain'");
    desk.send(&[], MESSAGE).ends(69, "sent to a@b, but refused for c@d: 550 gone");
    peer.done();
    let drafts = desk.folder("Drafts");
    assert!(drafts.len() == 1 && drafts[0].1.starts_with("To: c@d\nFrom: "), "{drafts:?}");
    assert_eq!(desk.folder("Sent").len(), 1);
}

#[test]
fn a_reply_of_10_megabytes_is_cut_short() {
    let peer = Peer::serves(|listener| {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.write_all(&b"220-woof\r\n".repeat(1_000_000));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let desk = Desk::new(peer.address, "security = 'plain'");
    desk.send(&[], MESSAGE).ends(76, "a reply without an end");
    peer.done();
}

#[test]
fn a_kill_at_any_step_leaves_the_text_in_drafts_or_sent() {
    let steps = session(&[]).lines().filter(|line| line.starts_with("C: ")).count();
    for step in 1..=steps {
        let (reached, wait) = mpsc::channel();
        let (go_on, killed) = mpsc::channel();
        let mut seen = 0;
        let peer = Peer::watched(&[&session(&[])], move |_| {
            seen += 1;
            if seen == step {
                reached.send(()).unwrap();
                let _ = killed.recv();
            }
        });
        let desk = Desk::new(peer.address, "security = 'plain'");
        let mut child = desk
            .fido(&["send"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(MESSAGE.as_bytes()).unwrap();
        wait.recv_timeout(Duration::from_secs(20)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = go_on.send(());
        let texts = [desk.folder("Drafts"), desk.folder("Sent")].concat();
        assert!(texts.iter().any(|(_, text)| text.ends_with(".woof\n")), "step {step}");
    }
}

#[test]
fn what_is_written_in_an_editor_is_kept_whatever_it_is() {
    let desk = Desk::new("127.0.0.1:9".parse().unwrap(), "security = 'plain'");
    let write = |editor: &str, input: &str| {
        crate::common::run(desk.fido(&["write", "--to", "a@b"]).env("VISUAL", editor), input)
    };
    write("echo woof >>", "k\n").ends(0, "the draft is in");
    let drafts = desk.folder("Drafts");
    assert!(drafts.len() == 1 && drafts[0].1.ends_with("woof\n"), "{drafts:?}");
    write("echo more >>", "t\n").ends(0, "thrown away");
    assert_eq!(desk.folder("Drafts").len(), 1);
    let outcome = write("echo what is this >", "");
    outcome.ends(64, "line 1: this is no field");
    let path = outcome.stderr.rsplit_once("the text is in ").unwrap().1.trim();
    assert_eq!(fs::read_to_string(path).unwrap(), "what is this\n");
    write("false", "").ends(69, "the text is in");
    write("true", "s\n").ends(69, "the message is in the folder Drafts");
}
