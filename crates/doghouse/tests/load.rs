//! Many sessions, much mail, bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    time::Duration,
};

use common::{
    Client, Daemon, House,
    figures::{private_memory, raise_the_limit_of_open_files},
};
use pop2::{
    Secret, User,
    client::{self, Options, Reading},
};
use tokio::{net::TcpStream, sync::Barrier};

/// The wire form of message `number` of the house below.
fn message(number: u32) -> Vec<u8> {
    let mut message = format!("Subject: {number}\r\n\r\n").into_bytes();
    for line in 0..number * 7 {
        message.extend(format!("{line} {}\r\n", "x".repeat((line * 13 % 900) as usize)).bytes());
    }
    message
}

/// They all come from one address, as one user.
const MANY: &str = "[limits]\nsessions_per_address = 2000\nsessions_per_account = 2000\n";

/// A thousand sessions are all open at once before the first of them fetches.
#[test]
fn a_thousand_sessions_at_once_each_fetch_twenty_messages() {
    const SESSIONS: usize = 1000;
    const MESSAGES: u32 = 20;
    raise_the_limit_of_open_files();
    let house = House::with_config(MANY);
    for number in 1..=MESSAGES {
        let stored = String::from_utf8(message(number)).unwrap().replace("\r\n", "\n");
        house.put("fido", &format!("17000000{number:02}.a"), stored.as_bytes());
    }
    let daemon = house.serve();
    let address = daemon.address;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let all_here = std::sync::Arc::new(Barrier::new(SESSIONS));
        let expected: std::sync::Arc<Vec<_>> = std::sync::Arc::new((1..=MESSAGES).map(message).collect());
        let mut sessions = tokio::task::JoinSet::new();
        for _ in 0..SESSIONS {
            let (all_here, expected) = (all_here.clone(), expected.clone());
            sessions.spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                let greeted = client::connect(stream, Options::default()).await.unwrap();
                let user = User::new("fido").unwrap();
                let mut mailbox = greeted.login(user, Secret::from("bone")).await.unwrap();
                assert_eq!(mailbox.count(), MESSAGES);
                all_here.wait().await;
                for number in 1..=MESSAGES {
                    let Reading::Message(item) = mailbox.read(number).await.unwrap() else {
                        panic!("message {number} is gone");
                    };
                    let mut octets = Vec::new();
                    let transfer = item.retrieve().await.unwrap();
                    let received = transfer.copy_to(&mut octets).await.unwrap();
                    assert!(octets == expected[number as usize - 1], "message {number} came wrong");
                    mailbox = received.keep().await.unwrap();
                }
                mailbox.quit().await.unwrap();
            });
        }
        // The first that fails ends the test; the others would wait for it.
        while let Some(session) = sessions.join_next().await {
            session.unwrap();
        }
    });
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
    assert!(daemon.stop().success());
}

#[test]
fn a_session_takes_a_few_tens_of_octets_for_each_message_of_its_mailbox() {
    const MESSAGES: usize = 20_000;
    const SESSIONS: usize = 8;
    let house = House::new();
    for number in 0..MESSAGES {
        house.put("fido", &format!("1700000000.M{number:06}P1Q{number:06}.dog-house,S=5,W=6"), b"");
    }
    let daemon = house.serve();
    daemon.connect().log_in();
    let before = private_memory(daemon.pid());
    let clients: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let mut client = daemon.connect();
            assert_eq!(client.log_in(), format!("#{MESSAGES} messages for you"));
            client
        })
        .collect();
    let after = private_memory(daemon.pid());
    let each = after.saturating_sub(before) / (SESSIONS * MESSAGES) as u64;
    println!("{each} octets a message and session");
    assert!(each <= 100, "{each} octets a message and session");
    drop(clients);
}

#[test]
fn a_line_without_an_end_is_cut_off_and_sixteen_mebibytes_of_it_cost_nothing() {
    let house = House::new();
    let daemon = house.serve();
    daemon.connect().log_in();
    let before = private_memory(daemon.pid());
    let mut client = daemon.connect();
    client.line();
    let mut stream = client.into_stream();
    let mut writer = stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..256 {
            if writer.write_all(&block).is_err() {
                break;
            }
        }
        let _ = writer.shutdown(Shutdown::Write);
    });
    let mut heard = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => heard.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    flood.join().unwrap();
    assert_eq!(heard, b"- a line is at most 512 octets long, its end included\r\n");
    let grown = private_memory(daemon.pid()).saturating_sub(before);
    assert!(grown < 1024 * 1024, "the server grew by {grown} octets");
    assert_eq!(daemon.connect().log_in(), "#0 messages for you");
}

#[test]
fn garbage_in_any_state_is_answered_with_a_reason_and_a_close() {
    let house = House::new();
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve();
    let states: [&[&str]; 4] =
        [&[], &["HELO fido bone"], &["HELO fido bone", "READ"], &["HELO fido bone", "READ", "RETR"]];
    let garbage: [&[u8]; 7] = [
        b"\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\0\0\0\0\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"HELO\r\n",
        &[b'x'; 600],
        &[0xff; 600],
    ];
    for state in states {
        for octets in garbage {
            let mut client = daemon.connect();
            client.line();
            for command in state {
                client.send(format!("{command}\r\n").as_bytes());
                if *command == "RETR" {
                    client.octets(6);
                } else {
                    client.line();
                }
            }
            client.send(octets);
            let last = client.end();
            assert!(last.starts_with(b"- ") && last.ends_with(b"\r\n"), "{state:?} {octets:?}: {last:?}");
            assert!(last.len() <= 512 && last.len() > 4, "{last:?}");
        }
    }
}

#[test]
fn who_does_not_log_in_or_says_nothing_is_told_and_closed() {
    let house = House::with_config("[limits]\nlogin_seconds = 1\nidle_seconds = 1\n");
    let daemon = house.serve();
    let mut silent = daemon.connect();
    silent.line();
    let mut idle = daemon.connect();
    idle.log_in();
    let mut dripping = daemon.connect();
    dripping.line();
    dripping.send(b"HE");
    for client in [&mut silent, &mut idle, &mut dripping] {
        assert_eq!(client.line(), "- you were silent for too long; nothing was deleted");
        assert_eq!(client.end(), b"");
    }
}

#[test]
fn a_slow_reader_of_a_long_message_is_not_cut_off() {
    let house = House::with_config("[limits]\nidle_seconds = 3\n");
    let stored = b"0123456789abcdef\n".repeat(2_000_000);
    house.put("fido", "1700000000.a", &stored);
    let daemon = house.serve();
    let mut client = daemon.connect();
    client.log_in();
    let length = pop2::wire::length(&stored);
    assert_eq!(client.say("READ"), format!("={length} characters in message 1"));
    client.send(b"RETR\r\n");
    // Longer in all than the time for being idle, but never silent for so long.
    let mut left = usize::try_from(length).unwrap();
    for _ in 0..8 {
        client.octets(4_000_000);
        left -= 4_000_000;
        std::thread::sleep(Duration::from_millis(500));
    }
    client.octets(left);
    assert_eq!(client.say("ACKS"), "=0 characters: no message to read");
}

/// Four descriptors a session, and 144 for all else: there is always one to turn others away with.
#[test]
fn no_more_sessions_are_taken_than_there_are_descriptors_for() {
    let house = House::new();
    house.put("fido", "1700000000.a", b"woof\n");
    let serve = house.command(&["serve"]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 184; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    let daemon = Daemon::start(limited);
    daemon.wait_for_log(
        "the limit of open files allows fewer sessions; raise it (LimitNOFILE) wanted=2000 sessions=10",
    );
    let mut sessions: Vec<Client> = (0..10).map(|_| daemon.connect()).collect();
    for client in &mut sessions {
        assert_eq!(client.log_in(), "#1 messages for you");
        client.say("READ");
    }
    for _ in 0..20 {
        assert_eq!(daemon.connect().line(), "- too many sessions; try again later");
    }
    for client in &mut sessions {
        client.send(b"RETR\r\n");
        assert_eq!(client.octets(6), b"woof\r\n");
    }
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
}

#[test]
fn one_session_too_many_is_told_so_and_the_others_go_on() {
    let house = House::with_config("[limits]\nsessions = 2\n");
    let daemon = house.serve();
    let (mut one, mut two) = (daemon.connect(), daemon.connect());
    one.log_in();
    two.log_in();
    let mut three = daemon.connect();
    assert_eq!(three.line(), "- too many sessions; try again later");
    assert_eq!(three.end(), b"");
    assert_eq!(one.say("QUIT"), "+ OK, bye");
    one.end();
    drop(one);
    assert_eq!(two.say("READ"), "=0 characters: no message to read");
    daemon.wait_for_log("session ended");
    assert_eq!(daemon.connect().log_in(), "#0 messages for you");
}
