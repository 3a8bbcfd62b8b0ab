//! fido killed, or told to stop, in the middle of a fetch.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use common::{Outcome, Peer, Place, fido, messages};

/// Serves messages without end, slowly enough to be interrupted in any of them; at each ACKD the message must
/// be in `place` already. Tells how far it is.
fn endless(place: &Place) -> (Peer, mpsc::Receiver<usize>) {
    let (sender, progress) = mpsc::channel();
    let path = place.path();
    let peer = Peer::serves(move |listener: TcpListener| {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"+ POP2 dog-house.example\r\n").unwrap();
        let mut acknowledged = 0;
        for line in lines.map_while(Result::ok) {
            let sent = match line.as_str() {
                "RETR" => message().into_bytes().chunks(9_000).try_for_each(|piece| {
                    std::thread::sleep(Duration::from_millis(1));
                    stream.write_all(piece)
                }),
                "ACKD" => {
                    acknowledged += 1;
                    assert!(messages(&path).len() >= acknowledged, "ACKD for what is not there");
                    stream.write_all(format!("={}\r\n", message().len()).as_bytes())
                }
                _ if line.starts_with("HELO") => stream.write_all(b"#1000000\r\n"),
                _ if line.starts_with("READ") => {
                    stream.write_all(format!("={}\r\n", message().len()).as_bytes())
                }
                _ => stream.write_all(b"+ OK\r\n"),
            };
            if sent.is_err() || sender.send(acknowledged).is_err() {
                break;
            }
        }
    });
    (peer, progress)
}

/// A message of 100 KB, so that it comes in several pieces, with an end that is easily seen.
fn message() -> String {
    format!("Subject: bone\r\n\r\n{}The end.\r\n", "0123456789abcdef".repeat(6_400))
}

/// Fetches from `endless`, sends `signal` at some moment after a few messages, and waits for the end.
fn stopped_by(signal: &str, place: &Place, delay: Duration) -> Outcome {
    let (peer, progress) = endless(place);
    let arguments = ["--user", "fred", "--password-stdin", "--delete", "--to", &place.target("maildir")];
    let mut child = fido(peer.address, "fetch", &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"bone\n").unwrap();
    assert!(progress.iter().any(|acknowledged| acknowledged >= 3));
    std::thread::sleep(delay);
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let outcome = child.wait_with_output().unwrap().into();
    drop(progress);
    peer.done();
    let stored = message().replace("\r\n", "\n");
    let messages = messages(&place.path());
    assert!(messages.len() >= 3);
    assert!(messages.iter().all(|message| *message == stored), "a part of a message was stored");
    outcome
}

#[test]
fn a_kill_at_any_moment_leaves_only_whole_messages() {
    for delay in 0..12 {
        let outcome = stopped_by("-KILL", &Place::new(), Duration::from_micros(delay * 1_300));
        assert_eq!(outcome.code, None);
    }
}

#[test]
fn an_interrupt_is_said_and_leaves_only_whole_messages() {
    for signal in ["-INT", "-TERM"] {
        let outcome = stopped_by(signal, &Place::new(), Duration::from_millis(2));
        outcome.ends(75, "interrupted; what is not here yet is still on the server");
    }
}
