//! fido against servers that lie, fall silent or break off: it ends, says why, and stores no part of a message.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Instant,
};

use common::{Peer, Place, TWO, messages, two_messages};

const GREETING: &str = "S: + POP2 dog-house.example\nC: HELO fred bone\n";

/// Fetches with deletion, and checks that it ends so and nothing at all was stored.
fn fetch_nothing(script: &str, code: i32, text: &str) {
    for kind in ["maildir", "mbox"] {
        let place = Place::new();
        let peer = Peer::plays(&[&format!("{GREETING}{script}")]);
        let outcome = peer.meets("fetch", &["--delete", "--timeout", "1", "--to", &place.target(kind)]);
        outcome.ends(code, text);
        assert!(messages(&place.path()).is_empty() && place.mbox().is_empty());
        place.holds_only_mail();
    }
}

#[test]
fn a_length_of_18_digits_is_not_believed_and_no_part_is_stored() {
    let message = "S: #1\nC: READ 1\nS: =999999999999999999\nC: RETR\nS: Subject: bone\n";
    fetch_nothing(&format!("{message}silence"), 75, "silent where the rest of the message is awaited");
    fetch_nothing(&format!("{message}close"), 75, "closed the connection where the rest of the message");
}

#[test]
fn less_than_was_promised_is_no_message() {
    let message = "S: #1\nC: READ 1\nS: =100\nC: RETR\nS: Subject: short\n";
    fetch_nothing(&format!("{message}close"), 75, "the rest of the message is awaited");
    fetch_nothing(&format!("{message}silence"), 75, "the rest of the message is awaited");
}

#[test]
fn more_than_was_promised_is_garbage_in_place_of_the_next_answer() {
    let place = Place::new();
    let script =
        format!("{GREETING}S: #1\nC: READ 1\nS: =12\nC: RETR\nS: Subject: 2\nS: more\nC: ACKD\nsilence");
    let outcome = Peer::plays(&[&script]).meets("fetch", &["--delete", "--to", &place.target("maildir")]);
    outcome.ends(76, "what is no reply");
    assert_eq!(messages(&place.path()), ["Subject: 2\n"], "what was promised came, and is safe");
}

#[test]
fn counts_that_are_wrong_end_in_an_error_or_in_what_there_is() {
    fetch_nothing("S: #99999999999999999999\nC: QUIT\nclose", 76, "what is no reply");
    fetch_nothing("S: #x\nC: QUIT\nclose", 76, "what is no reply");
    fetch_nothing("S: #-1\nC: QUIT\nclose", 76, "what is no reply");
    fetch_nothing("S: #1\nC: READ 1\nS: =-1\nC: QUIT\nclose", 76, "what is no reply");
    fetch_nothing("S: #1\nC: READ 1\nS: #7\nC: QUIT\nclose", 76, "where the length of a message");
    fetch_nothing("S: =7\nC: QUIT\nclose", 76, "where a count of messages (#) is awaited");
    // Fewer than there are: those stay there.
    fetch_nothing("S: #0\nC: QUIT\nS: +", 0, "no new messages");
}

#[test]
fn a_count_of_messages_that_are_not_there_is_not_followed_for_ever() {
    let place = Place::new();
    let peer = Peer::serves(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"+ POP2 x\r\n").unwrap();
        for line in lines.map_while(Result::ok) {
            let reply = if line.starts_with("HELO") { "#4294967295\r\n" } else { "=0\r\n" };
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    peer.meets("fetch", &["--to", &place.target("maildir")]).ends(76, "10000 in a row are missing");
}

#[test]
fn a_reply_of_10_megabytes_is_cut_short() {
    for before in ["", "+ POP2 x\r\n", "+ POP2 x\r\n#1\r\n"] {
        let peer = Peer::serves(move |listener| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(before.as_bytes()).unwrap();
            let megabyte = vec![b'+'; 1 << 20];
            // It does not take all of them.
            let _ = (0..10).try_for_each(|_| stream.write_all(&megabyte));
        });
        let place = Place::new();
        peer.meets("fetch", &["--to", &place.target("maildir")]).ends(76, "at most 512 octets");
    }
}

#[test]
fn silence_at_any_step_ends_within_the_timeout() {
    let script = two_messages("ACKD");
    let steps: Vec<&str> = script.lines().map(str::trim).collect();
    let silent: Vec<_> = (0..steps.len()).filter(|&at| steps[at].starts_with("S:")).collect();
    std::thread::scope(|scope| {
        for at in silent {
            let script = format!("{}\nsilence", steps[..at].join("\n"));
            scope.spawn(move || {
                let (place, start) = (Place::new(), Instant::now());
                let arguments = ["--delete", "--timeout", "1", "--to", &place.target("maildir")];
                Peer::plays(&[&script]).meets("fetch", &arguments).ends(75, "");
                assert!(start.elapsed().as_secs() < 15, "{script}");
                assert!(messages(&place.path()).iter().all(|message| TWO.contains(&message.as_str())));
            });
        }
    });
}

#[test]
fn a_server_that_closes_after_any_octet_costs_no_mail() {
    let script = two_messages("ACKD");
    let said = |mark: &str| -> Vec<String> {
        let lines = script.lines().filter_map(|step| step.trim().strip_prefix(mark));
        lines.map(|text| format!("{}\r\n", text.trim_start())).collect()
    };
    let total: usize = said("S:").iter().map(String::len).sum();
    for limit in 0..=total {
        let (script, place) = (script.clone(), Place::new());
        let path = place.path();
        let peer = Peer::serves(move |listener| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let (mut left, mut acknowledged) = (limit, 0);
            for step in script.lines().map(str::trim) {
                if let Some(text) = step.strip_prefix("S:") {
                    let line = format!("{}\r\n", text.trim_start());
                    let now = line.len().min(left);
                    stream.write_all(&line.as_bytes()[..now]).unwrap();
                    left -= now;
                    if now < line.len() {
                        break;
                    }
                } else if lines.next().is_some_and(|line| line.unwrap() == "ACKD") {
                    acknowledged += 1;
                    assert!(messages(&path).len() >= acknowledged);
                }
            }
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut vec![]);
        });
        let outcome = peer.meets("fetch", &["--delete", "--to", &place.target("maildir")]);
        let code = if limit == total { 0 } else { 75 };
        assert_eq!(outcome.code, Some(code), "after {limit} octets: {outcome:#?}");
        assert!(messages(&place.path()).iter().all(|message| TWO.contains(&message.as_str())));
    }
}

#[test]
fn a_server_that_takes_nothing_and_sends_octet_by_octet_is_borne() {
    let script = two_messages("ACKS");
    let place = Place::new();
    let peer = Peer::serves(move |listener: TcpListener| {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for step in script.lines().map(str::trim) {
            match step.strip_prefix("S:") {
                Some(text) => format!("{}\r\n", text.trim_start())
                    .bytes()
                    .for_each(|octet| stream.write_all(&[octet]).unwrap()),
                None => drop(lines.next()),
            }
        }
    });
    peer.meets("fetch", &["--to", &place.target("maildir")]).ends(0, "2 messages");
    assert_eq!(messages(&place.path()), TWO);
}

#[test]
fn what_a_server_says_cannot_move_the_cursor() {
    for (script, code) in [
        ("S: -\x1b[2J\x07", 75),
        ("S: \x1b]0;gone\x07", 76),
        ("S: + POP2 \x1b[2J\nC: HELO fred bone\nS: +\x1b[2J\nC: QUIT\nS: + \x1b[2J", 0),
    ] {
        let script = if code == 0 { script.to_owned() } else { format!("{script}\nC: QUIT\nclose") };
        let outcome = Peer::plays(&[&script]).meets("check", &["--verbose"]);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
}

/// Serves sessions one after the other, each over its messages, with line ends of its own.
fn serves(sessions: Vec<&'static [&'static str]>, end: &'static str) -> Peer {
    Peer::serves(move |listener| {
        for messages in sessions {
            session(listener.accept().unwrap().0, messages, end);
        }
    })
}

fn session(mut stream: TcpStream, messages: &[&str], end: &str) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |text: &str| stream.write_all(text.as_bytes()).unwrap();
    let length = |at: usize| messages.get(at).map_or(0, |message| message.len());
    say(&format!("+ POP2 x{end}"));
    let mut current = 0;
    for line in lines.map_while(Result::ok) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["HELO", ..] => say(&format!("#{}{end}", messages.len())),
            ["READ", number] => {
                current = number.parse::<usize>().unwrap() - 1;
                say(&format!("={}{end}", length(current)));
            }
            ["RETR"] => say(messages[current]),
            ["ACKS"] => {
                current += 1;
                say(&format!("={}{end}", length(current)));
            }
            _ => return say(&format!("+ bye{end}")),
        }
    }
}

#[test]
fn replies_without_cr_and_messages_without_a_line_end_are_taken() {
    for end in ["\n", "\r\n"] {
        let place = Place::new();
        let peer = serves(vec![&["Subject: 1\r\n\r\nWoof", "x", "\r\n"]], end);
        peer.meets("fetch", &["--to", &place.target("maildir")]).ends(0, "3 messages");
        assert_eq!(messages(&place.path()), ["\n", "Subject: 1\n\nWoof", "x"]);
    }
}

#[test]
fn counts_sizes_and_contents_that_change_make_it_skip_nothing_and_store_nothing_twice() {
    let (place, state) = (Place::new(), tempfile::tempdir().unwrap());
    let target = place.target("maildir");
    let steps: [(&[&str], &str); 6] = [
        (&["one\r\n", "two\r\n"], "2 messages"),
        // As many, of the same sizes, and others.
        (&["six\r\n", "ten\r\n"], "2 messages"),
        (&[], "no new messages"),
        (&["ten\r\n", "three\r\n", "six\r\n"], "1 message"),
        (&["three\r\n", ""], "no new messages"),
        (&["", "", "three\r\n", "four\r\n"], "1 message"),
    ];
    let peer = serves(steps.iter().map(|(messages, _)| *messages).collect(), "\r\n");
    for (messages, text) in steps {
        let arguments = ["--user", "fred", "--password-stdin", "--to", &target];
        let mut fido = common::fido(peer.address, "fetch", &arguments);
        let outcome = common::run(fido.env("XDG_STATE_HOME", state.path()), "bone\n");
        assert!(outcome.stderr.contains(text), "{messages:?}: {outcome:?}");
    }
    peer.done();
    assert_eq!(messages(&place.path()), ["four\n", "one\n", "six\n", "ten\n", "three\n", "two\n"]);
}
