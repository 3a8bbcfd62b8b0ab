//! fido against what other POP2 servers do: UW ipop2d, KA9Q NOS and JNOS, MH popd.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
};

use common::{Peer, Place, TWO, messages, two_messages};

/// A server that answers every FOLD by `count`, which is given the folder and how often a folder was asked
/// for, and says what it was asked for.
fn folds(
    default: u32,
    count: impl Fn(&str) -> u32 + Send + 'static,
) -> (Peer, std::sync::mpsc::Receiver<String>) {
    let (sender, said) = std::sync::mpsc::channel();
    let serve = move |listener: TcpListener| {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"+ POP2 dog-house.example\r\n").unwrap();
        for line in lines.map(Result::unwrap) {
            let reply = match line.split_once(' ') {
                Some(("HELO", _)) => format!("#{default} messages"),
                Some(("FOLD", folder)) => format!("#{} messages", count(folder)),
                Some(("READ", _)) => "=0".to_owned(),
                _ => "+ OK".to_owned(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            sender.send(line).unwrap();
        }
    };
    (Peer::serves(serve), said)
}

#[test]
fn uw_ipop2d_keeps_the_old_folder_open_where_the_new_one_does_not_exist() {
    let place = Place::new();
    let (peer, said) = folds(3, |_| 3);
    let arguments = ["--delete", "--folder", "work", "--to", &place.target("maildir")];
    let outcome = peer.meets("fetch", &arguments);
    outcome.ends(76, "nothing was fetched from it");
    let said: Vec<_> = said.into_iter().collect();
    assert_eq!(said[..2], ["HELO fred bone", "FOLD work"]);
    assert!(said[2].starts_with("FOLD no-such-folder-"), "{said:?}");
    assert_eq!(said[3..], ["QUIT"]);
    assert!(messages(&place.path()).is_empty());
}

#[test]
fn a_folder_with_as_many_messages_as_the_default_mailbox_is_believed_of_an_honest_server() {
    let (peer, said) = folds(3, |folder| if folder == "work" { 3 } else { 0 });
    let outcome = peer.meets("check", &["--folder", "work"]);
    outcome.ends(0, "");
    assert_eq!(outcome.stdout, "3 messages in work\n");
    let said: Vec<_> = said.into_iter().collect();
    assert_eq!((said[1].as_str(), said[3].as_str()), ("FOLD work", "FOLD work"));
}

#[test]
fn a_folder_with_another_count_needs_no_second_question() {
    for (default, count) in [(3, 4), (0, 0), (3, 0)] {
        let (peer, said) = folds(default, move |_| count);
        peer.meets("check", &["--folder", "work"]).ends(0, "");
        assert_eq!(said.into_iter().collect::<Vec<_>>(), ["HELO fred bone", "FOLD work", "QUIT"]);
    }
}

#[test]
fn uw_ipop2d_closes_on_a_read_out_of_range() {
    let script = "S: + POP2 uw.example IPOP2D ready
                  C: HELO fred bone
                  S: #1 messages in INBOX
                  C: READ 1
                  S: - Bye, bad READ
                  close";
    let place = Place::new();
    Peer::plays(&[script]).meets("fetch", &["--to", &place.target("maildir")]).ends(0, "no new messages");
}

#[test]
fn uw_ipop2d_gives_an_empty_line_again_for_what_is_deleted_but_is_not_asked() {
    // Its answer to ACKD is about the next message; what follows is READ with the next number, once each.
    let script = two_messages("ACKD").replace("S: =0 no more messages", "S: =2");
    let place = Place::new();
    let arguments = ["--delete", "--to", &place.target("maildir")];
    Peer::plays(&[&script]).meets("fetch", &arguments).ends(0, "2 messages");
    assert_eq!(messages(&place.path()), TWO);
}

#[test]
fn jnos_says_no_mail_in_place_of_a_count() {
    let script = "S: + POP2 jnos.example
                  C: HELO fred bone
                  S: + No mail, sorry
                  C: QUIT
                  S: + Bye";
    let outcome = Peer::plays(&[script]).meets("check", &[]);
    outcome.ends(0, "");
    assert_eq!(outcome.stdout, "no messages in the default mailbox\n");
    let place = Place::new();
    Peer::plays(&[script]).meets("fetch", &["--to", &place.target("mbox")]).ends(0, "no new messages");
    assert!(!place.path().exists());
}

#[test]
fn nos_says_invalid_message_number_and_goes_on() {
    let script = two_messages("ACKD")
        .replace("#2 messages", "#3 messages")
        .replace("C: QUIT", "C: READ 3\nS: - Invalid message number\nC: QUIT");
    let place = Place::new();
    let arguments = ["--delete", "--to", &place.target("maildir")];
    Peer::plays(&[&script]).meets("fetch", &arguments).ends(0, "2 messages (33 B)");
}

#[test]
fn nos_has_the_from_line_in_the_message() {
    let script = two_messages("ACKS").replace("=21", "=25").replace("S: Subject: 1", "S: From fred 1985");
    let place = Place::new();
    Peer::plays(&[&script]).meets("fetch", &["--to", &place.target("mbox")]).ends(0, "2 messages");
    assert!(place.mbox().starts_with("From \n>From fred 1985\n\nWoof.\n\nFrom \n"), "{}", place.mbox());
}

#[test]
fn mh_popd_greets_as_pop3_and_speaks_pop2() {
    let script =
        two_messages("ACKS").replace("+ POP2 dog-house.example Server Ready", "+OK MH POP server ready");
    let place = Place::new();
    let outcome = Peer::plays(&[&script]).meets("fetch", &["--to", &place.target("maildir")]);
    outcome.ends(0, "2 messages");
    assert!(outcome.stderr.contains("greets as a POP3 server"), "{outcome:?}");
}

#[test]
fn mh_popd_does_not_close_when_it_refuses_a_login() {
    let script = "S: +OK MH POP server ready
                  C: HELO fred bone
                  S: -ERR login incorrect
                  C: QUIT";
    let outcome = Peer::plays(&[script]).meets("check", &[]);
    outcome.ends(77, "the server refuses the login: ERR login incorrect");
}

#[test]
fn any_greeting_with_a_plus_is_a_greeting() {
    for greeting in ["+", "+ hello", "+POP2 x"] {
        let script = format!("S: {greeting}\nC: HELO fred bone\nS: #2\nC: QUIT\nS: +");
        Peer::plays(&[&script]).meets("check", &[]).ends(0, "");
    }
}

#[test]
fn a_server_that_closes_in_place_of_the_answer_to_quit_leaves_the_deletions_unknown() {
    for (ack, arguments, code, text) in [
        ("ACKD", &["--delete"][..], 75, "whether the server has deleted them is unknown: look again"),
        ("ACKS", &[], 0, "2 messages"),
    ] {
        let script = two_messages(ack).replace("S: + OK", "close");
        let place = Place::new();
        let outcome = Peer::plays(&[&script])
            .meets("fetch", &[&["--to", &place.target("maildir")], arguments].concat());
        outcome.ends(code, text);
        assert_eq!(messages(&place.path()), TWO);
    }
}
