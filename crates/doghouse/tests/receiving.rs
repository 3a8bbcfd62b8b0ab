//! Mail coming in by SMTP and LMTP, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    time::Duration,
};

use common::{Daemon, House};
use rustix::process::Signal;

const CONFIG: &str = "
[[smtp]]
address = '127.0.0.1:0'
[[lmtp]]
address = '127.0.0.1:0'
[[lmtp]]
socket = 'lmtp.sock'
mode = '0600'
[delivery]
domains = ['dog-house.example', 'bone.example']
aliases = 'aliases'
max_octets = 100000
max_recipients = 3
";

const MESSAGE: &str = "Subject: bone\r\n\r\nWoof.\r\n..\r\n";

fn house(more: &str) -> House {
    let house = House::with_config(&format!("{CONFIG}{more}"));
    fs::write(
        house.path().join("aliases"),
        "postmaster: fido\nboth: fido, smith\n*@bone.example: smith+rest\n",
    )
    .unwrap();
    house
}

/// A client that says just what it is told.
struct Sender<S>(BufReader<S>);

impl Sender<TcpStream> {
    fn connect(daemon: &Daemon, protocol: &str) -> Self {
        let stream = TcpStream::connect(daemon.listens(protocol)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::greeted(stream)
    }
}

impl<S: Read + Write> Sender<S> {
    fn greeted(stream: S) -> Self {
        let mut sender = Self(BufReader::new(stream));
        assert!(sender.hear().starts_with("220 dog-house.example "));
        sender
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    /// One reply, of several lines perhaps; empty where the server has closed.
    fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            reply += &line;
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.hear()
    }

    fn expect(&mut self, line: &str, reply: &str) {
        let heard = self.say(line);
        assert!(heard.starts_with(reply), "{line}: {heard}");
    }

    /// Up to the reply to DATA.
    fn begin(&mut self, to: &[&str]) {
        self.expect("MAIL FROM:<rex@elsewhere.example>", "250 2.1.0 ");
        for to in to {
            self.expect(&format!("RCPT TO:<{to}>"), "250 2.1.5 ");
        }
        self.expect("DATA", "354 ");
    }

    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).is_err() || rest.is_empty()
    }
}

/// The messages of a user's folder, in no order.
fn mail(house: &House, folder: &str) -> Vec<String> {
    let new = house.path().join("mail").join(folder).join("new");
    fs::read_dir(new)
        .into_iter()
        .flatten()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_message_by_smtp_is_fetched_by_pop2() {
    let house = house("");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    let hello = sender.say("EHLO rex.example");
    for extension in ["PIPELINING", "8BITMIME", "SIZE 100000", "ENHANCEDSTATUSCODES"] {
        assert!(hello.contains(extension), "{hello}");
    }
    assert!(!hello.contains("SMTPUTF8"));
    sender.begin(&["fido@dog-house.example"]);
    sender.send(b"Subject: bone\r\n\r\nWoof.\r\n...\r\n.\r\n");
    assert!(sender.hear().starts_with("250 2.0.0 "));
    sender.expect("QUIT", "221 ");
    assert!(sender.is_closed());

    let mut client = daemon.connect();
    assert_eq!(client.log_in(), "#1 messages for you");
    let length = client.say("READ 1");
    client.send(b"RETR\r\n");
    let message = client.octets(length[1..].split(' ').next().unwrap().parse().unwrap());
    let message = String::from_utf8(message).unwrap();
    let (trace, rest) = message.split_once("Subject:").unwrap();
    assert_eq!(rest, " bone\r\n\r\nWoof.\r\n..\r\n");
    let lines: Vec<&str> = trace.lines().collect();
    assert_eq!(lines[0], "Return-Path: <rex@elsewhere.example>");
    assert_eq!(lines[1], "Received: from rex.example ([127.0.0.1])");
    assert!(lines[2].starts_with("\tby dog-house.example (Doghouse) with ESMTP id "), "{trace}");
    assert!(
        lines[3].starts_with("\tfor <fido@dog-house.example>; ") && lines[3].ends_with(" +0000"),
        "{trace}"
    );
}

#[test]
fn recipients_are_those_of_this_server_and_no_others() {
    let house = house("");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(house.maildir("fido").join(".lists.rust").join(part)).unwrap();
    }
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.say("EHLO x");
    for (to, reply) in [
        ("fido@elsewhere.example", "550 5.7.1 "),
        // A source route is ignored (RFC 5321, appendix C).
        ("@elsewhere.example:fido@dog-house.example", "250 "),
        ("fido%elsewhere.example@dog-house.example", "550 5.1.1 "),
        ("\"fido@elsewhere.example\"@dog-house.example", "550 5.1.1 "),
        ("nobody@dog-house.example", "550 5.1.1 "),
        ("fido+a/b@dog-house.example", "550 5.1.1 "),
        ("..@dog-house.example", "553 5.1.3 "),
        ("fido", "250 "),
        ("Fido+lists.rust@DOG-HOUSE.example", "250 "),
        ("postmaster", "250 "),
        ("anybody@bone.example", "250 "),
        ("both@bone.example", "250 "),
    ] {
        sender.say("RSET");
        sender.expect("MAIL FROM:<>", "250 ");
        sender.expect(&format!("RCPT TO:<{to}>"), reply);
        if reply == "250 " {
            sender.expect("DATA", "354 ");
            sender.send(format!("Subject: {to}\r\n\r\n.\r\n").as_bytes());
            assert!(sender.hear().starts_with("250 "), "{to}");
        }
    }
    let counts =
        ["fido", "fido/.lists.rust", "smith", "smith/.rest"].map(|folder| mail(&house, folder).len());
    assert_eq!(counts, [4, 1, 1, 1]);
    assert!(mail(&house, "fido").iter().all(|message| message.starts_with("Return-Path: <>\n")));
}

#[test]
fn strangers_make_no_folders_unless_the_operator_wants_it() {
    for (wanted, first, second) in [("false", [1, 0], [1, 1]), ("true", [0, 1], [0, 2])] {
        let house = House::with_config(&format!("{CONFIG}make_folders = {wanted}\n"));
        fs::write(house.path().join("aliases"), "list: fido+lists\n").unwrap();
        let daemon = house.serve();
        let mut sender = Sender::connect(&daemon, "SMTP");
        sender.say("EHLO x");
        let mut deliver = |to: &str| {
            sender.begin(&[to]);
            sender.send(b"Subject: x\r\n\r\n.\r\n");
            assert!(sender.hear().starts_with("250 "), "{to}");
            ["fido", "fido/.lists"].map(|folder| mail(&house, folder).len())
        };
        assert_eq!(deliver("fido+lists"), first, "{wanted}");
        assert_eq!(deliver("list"), second, "what an alias names the operator has named");
        assert_eq!(deliver("fido+lists")[1], second[1] + 1, "it is there now");
    }
}

#[test]
fn what_is_out_of_order_or_unknown_is_refused() {
    let daemon = house("").serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    for (line, reply) in [
        ("MAIL FROM:<x@y>", "503 5.5.1 "),
        ("WOOF", "500 5.5."),
        ("LHLO x", "500 5.5.1 "),
        ("HELO x", "250 dog-house.example"),
        ("RCPT TO:<fido>", "503 "),
        ("DATA", "503 "),
        ("MAIL FROM:<x@y> SIZE=100001", "552 5.3.4 "),
        ("MAIL FROM:<x@y> SMTPUTF8", "555 5.6.7 "),
        ("MAIL FROM:<x@y> BODY=BINARYMIME", "555 5.5.4 "),
        ("MAIL FROM:<x@y> WOOF=1", "555 5.5.4 "),
        ("MAIL FROM:<x@y> SIZE=100 BODY=8BITMIME", "250 "),
        ("MAIL FROM:<x@y>", "503 "),
        ("RCPT TO:<fido> NOTIFY=NEVER", "555 5.5.4 "),
        ("DATA", "503 "),
        ("VRFY fido", "252 "),
        ("EXPN both", "502 "),
        ("STARTTLS", "502 "),
        ("AUTH PLAIN x", "502 "),
        ("BDAT 3 LAST", "502 "),
        ("NOOP", "250 "),
        ("HELP", "214 "),
    ] {
        sender.expect(line, reply);
    }
    for to in ["fido", "fido", "smith"] {
        sender.expect(&format!("RCPT TO:<{to}>"), "250 ");
    }
    sender.expect("RCPT TO:<smith>", "452 4.5.3 ");
    // In the end it is enough.
    let mut last = String::new();
    for _ in 0..20 {
        last = sender.say("WOOF");
        if last.is_empty() {
            break;
        }
    }
    assert!(last.is_empty());
}

#[test]
fn a_message_that_is_too_large_is_refused_and_the_next_is_taken() {
    let house = house("");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.say("EHLO x");
    sender.begin(&["fido"]);
    sender.send(&[b"woof\r\n".repeat(30_000), b".\r\n".to_vec()].concat());
    assert!(sender.hear().starts_with("552 5.3.4 "));
    sender.begin(&["fido"]);
    sender.send(b"small\r\n.\r\n");
    assert!(sender.hear().starts_with("250 "));
    sender.begin(&["fido"]);
    sender.send(&[b"Received: from x by y\r\n".repeat(101), b"\r\nround\r\n.\r\n".to_vec()].concat());
    assert!(sender.hear().starts_with("554 5.4.6 "));
    assert_eq!(mail(&house, "fido").len(), 1);
}

#[test]
fn a_full_mailbox_takes_mail_again_once_some_is_deleted() {
    let house = house("\n[quota]\noctets = 5000\nmessages = 3\n");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.say("EHLO x");
    sender.expect("MAIL FROM:<a@b> SIZE=6000", "250 ");
    sender.expect("RCPT TO:<fido>", "552 5.2.3 ");
    sender.say("RSET");
    let body = |octets: usize| [b"x".repeat(octets), b"\r\n.\r\n".to_vec()].concat();
    for (octets, reply) in
        [(4000, "250 "), (2000, "452 4.2.2 "), (6000, "552 5.2.3 "), (10, "250 "), (10, "250 ")]
    {
        sender.begin(&["fido"]);
        sender.send(&body(octets));
        let heard = sender.hear();
        assert!(heard.starts_with(reply), "{octets}: {heard}");
    }
    // Another's mailbox is another's.
    sender.begin(&["smith"]);
    sender.send(&body(10));
    assert!(sender.hear().starts_with("250 "));
    sender.expect("MAIL FROM:<a@b>", "250 ");
    sender.expect("RCPT TO:<fido>", "452 4.2.2 ");
    sender.expect("RCPT TO:<fido+lists>", "452 4.2.2 ");
    sender.expect("RCPT TO:<both>", "452 4.2.2 ");
    assert_eq!(mail(&house, "fido").len(), 3);

    let mut client = daemon.connect();
    assert_eq!(client.log_in(), "#3 messages for you");
    let length = client.say("READ 1");
    client.send(b"RETR\r\n");
    client.octets(length[1..].split(' ').next().unwrap().parse().unwrap());
    client.say("ACKD");
    assert!(client.say("QUIT").starts_with('+'));
    sender.expect("RCPT TO:<fido>", "250 ");
    sender.expect("DATA", "354 ");
    sender.send(&body(10));
    assert!(sender.hear().starts_with("250 "));
    assert_eq!(mail(&house, "fido").len(), 3);
}

#[test]
fn smuggled_messages_are_refused_wherever_they_are_split() {
    let house = house("\n[limits]\nmail_sessions = 2000\nmail_sessions_per_address = 2000\n");
    let daemon = house.serve();
    for end in ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n"] {
        let smuggled = "MAIL FROM:<evil@x>\r\nRCPT TO:<smith>\r\nDATA\r\nevil\r\n.\r\n";
        let wire = format!("Subject: x\r\n\r\nwoof{end}{smuggled}");
        let around = wire.find("MAIL").unwrap();
        for split in (around - end.len() - 2)..(around + 4) {
            let mut sender = Sender::connect(&daemon, "SMTP");
            sender.say("EHLO x");
            sender.begin(&["fido"]);
            sender.send(&wire.as_bytes()[..split]);
            std::thread::sleep(Duration::from_millis(2));
            sender.send(&wire.as_bytes()[split..]);
            let reply = sender.hear();
            assert!(reply.starts_with("550 5.6.0 "), "{end:?} at {split}: {reply}");
            assert!(sender.is_closed(), "{end:?} at {split}");
        }
    }
    assert_eq!((mail(&house, "fido").len(), mail(&house, "smith").len()), (0, 0));
}

#[test]
fn commands_end_in_cr_lf_and_nobody_speaks_before_354() {
    let house = house("");
    let daemon = house.serve();
    for line in ["NOOP\n", "NO\rOP\r\n", "NOOP\r\r\n", "NOOP \0\r\n"] {
        let mut sender = Sender::connect(&daemon, "SMTP");
        sender.say("EHLO x");
        sender.send(format!("{line}QUIT\r\n").as_bytes());
        assert!(sender.hear().starts_with("500 5.5.2 "), "{line:?}");
        assert!(sender.is_closed(), "{line:?}");
    }
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.say("EHLO x");
    sender.say("MAIL FROM:<>");
    sender.say("RCPT TO:<fido>");
    sender.send(b"DATA\r\nwoof\r\n.\r\n");
    assert!(sender.hear().starts_with("554 5.5.0 "));
    assert!(sender.is_closed());
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.send(&[b'x'; 5000]);
    assert!(sender.hear().starts_with("500 5.5.2 "));
    assert_eq!(mail(&house, "fido").len(), 0);
}

#[test]
fn commands_may_come_all_at_once() {
    let house = house("");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.send(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<fido>\r\nRCPT TO:<nobody>\r\nDATA\r\n");
    for reply in ["250-", "250 2.1.0", "250 2.1.5", "550 5.1.1", "354 "] {
        let heard = sender.hear();
        assert!(heard.starts_with(reply), "{heard}");
    }
    sender.send(format!("{MESSAGE}.\r\nMAIL FROM:<a@b>\r\nRSET\r\nQUIT\r\n").as_bytes());
    for reply in ["250 2.0.0", "250 2.1.0", "250 2.0.0", "221 "] {
        let heard = sender.hear();
        assert!(heard.starts_with(reply), "{heard}");
    }
    assert_eq!(mail(&house, "fido").len(), 1);
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let house = house("");
    // Where smith's mail should be lies something else.
    fs::create_dir(house.path().join("mail")).unwrap();
    fs::write(house.path().join("mail/smith"), "").unwrap();
    let daemon = house.serve();
    let socket = house.path().join("lmtp.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let mut tcp = Sender::connect(&daemon, "LMTP");
    lmtp(&mut tcp);
    let mut unix = Sender::greeted(UnixStream::connect(&socket).unwrap());
    lmtp(&mut unix);
    let fido = mail(&house, "fido");
    assert_eq!(fido.len(), 2);
    assert!(fido.iter().all(|message| message.contains(" with LMTP id ")));
    assert!(fido.iter().any(|message| message.contains("from x (local)")));
    assert!(daemon.stop().success());
    assert!(!socket.exists(), "it cleans up");
}

fn lmtp<S: Read + Write>(sender: &mut Sender<S>) {
    sender.expect("EHLO x", "500 5.5.1 ");
    assert!(sender.say("LHLO x").contains("PIPELINING"));
    sender.expect("MAIL FROM:<a@b>", "250 ");
    for (to, reply) in [("fido", "250 "), ("nobody", "550 "), ("smith", "250 "), ("postmaster", "250 ")] {
        sender.expect(&format!("RCPT TO:<{to}>"), reply);
    }
    sender.say("RSET");
    sender.expect("MAIL FROM:<a@b>", "250 ");
    sender.expect("RCPT TO:<smith>", "250 ");
    sender.expect("RCPT TO:<fido>", "250 ");
    sender.expect("DATA", "354 ");
    sender.send(format!("{MESSAGE}.\r\n").as_bytes());
    assert!(sender.hear().starts_with("451 4.3.0 "), "smith's");
    assert!(sender.hear().starts_with("250 2.0.0 "), "fido's");
    sender.expect("NOOP", "250 ");
}

#[test]
fn too_many_at_once_are_told_to_come_later() {
    let house = house("\n[limits]\nmail_sessions_per_address = 1\n");
    let daemon = house.serve();
    let first = Sender::connect(&daemon, "SMTP");
    let mut second = BufReader::new(TcpStream::connect(daemon.listens("SMTP")).unwrap());
    let mut line = String::new();
    second.read_line(&mut line).unwrap();
    assert!(line.starts_with("421 4.7.0 "), "{line}");
    drop(first);
    daemon.wait_for_log("delivery session ended");
    Sender::connect(&daemon, "SMTP").expect("QUIT", "221 ");
}

#[test]
fn whoever_falls_silent_is_left_and_half_a_message_is_none() {
    let house = house("\n[limits]\nmail_idle_seconds = 1\n");
    let daemon = house.serve();
    let mut silent = Sender::connect(&daemon, "SMTP");
    let mut half = Sender::connect(&daemon, "SMTP");
    half.say("EHLO x");
    half.begin(&["fido"]);
    half.send(b"Subject: half\r\n\r\nwoof\r\n");
    for sender in [&mut silent, &mut half] {
        assert!(sender.hear().starts_with("421 4.3.2 "));
        assert!(sender.is_closed());
    }
    // Who breaks off has sent no message either.
    let mut broken = Sender::connect(&daemon, "SMTP");
    broken.say("EHLO x");
    broken.begin(&["fido"]);
    broken.send(b"Subject: half\r\n\r\nwoof\r\n.");
    drop(broken);
    daemon.wait_for_log("delivery session ended session=3 ");
    assert_eq!(mail(&house, "fido").len(), 0);
}

/// What a sender chooses stands in the trace fields, and can be no field of its own there.
#[test]
fn what_a_sender_calls_itself_forges_no_field() {
    let house = house("");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.expect("EHLO x\x1b[2J\x0b\x0cX-Forged:\u{9b}y", "250");
    for from in ["a\x1b[2J@b", "\"a\x0bX-Forged: y\"@b", "a\u{9b}@b", "\"a>\tX-Forged: y\"@b"] {
        let reply = sender.say(&format!("MAIL FROM:<{from}>"));
        assert!(reply.starts_with('5'), "{from:?}: {reply}");
    }
    sender.begin(&["fido"]);
    sender.send(b"X-Own: 1\r\n\r\n.\r\n");
    assert!(sender.hear().starts_with("250 "));
    let message = mail(&house, "fido").remove(0);
    let (trace, _) = message.split_once("X-Own: 1\n").unwrap();
    let fields: Vec<&str> = trace.lines().filter(|line| !line.starts_with('\t')).collect();
    assert_eq!(fields.len(), 2, "{trace}");
    assert!(fields[0] == "Return-Path: <rex@elsewhere.example>" && fields[1].starts_with("Received: from x"));
    assert!(!trace.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{trace:?}");
}

#[test]
fn a_stop_and_a_reload_leave_nothing_half_delivered() {
    let house = house("");
    let daemon = house.serve();
    let mut sender = Sender::connect(&daemon, "SMTP");
    sender.say("EHLO x");
    fs::write(house.path().join("aliases"), "rex: fido\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("read again");
    let mut later = Sender::connect(&daemon, "SMTP");
    later.say("EHLO x");
    later.say("MAIL FROM:<>");
    later.expect("RCPT TO:<rex>", "250 ");
    fs::write(house.path().join("aliases"), "rex: |/bin/sh\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("the old one stays in force");
    sender.begin(&["fido"]);
    sender.send(b"half");
    daemon.signal(Signal::TERM);
    assert!(sender.hear().starts_with("421 4.3.2 "));
    assert!(daemon.wait().success());
    assert_eq!(mail(&house, "fido").len(), 0);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_at_work_is_not() {
    let house = house("");
    let socket = house.path().join("lmtp.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let daemon = house.serve();
    daemon.wait_for_log("lmtp.sock");
    let other = house.command(&["serve"]).output().unwrap();
    assert_eq!(other.status.code(), Some(69));
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(said.contains("another program listens there; stop it, or change lmtp.socket"), "{said}");
    assert!(socket.exists());
    assert!(Path::new("/proc").join(daemon.pid().to_string()).exists());
}

#[test]
fn check_tells_of_gates_aliases_and_a_missing_postmaster() {
    let house = house("");
    fs::write(house.path().join("aliases"), "lost: nobody\n").unwrap();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for part in [
        "for SMTP",
        "for LMTP",
        "the alias lost leads to nobody",
        "nobody is postmaster",
        "mail is taken for dog-house.example, bone.example",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    fs::write(house.path().join("aliases"), "lost\n").unwrap();
    let output = house.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("aliases:1: write NAME: USER"), "{said}");
    assert_eq!(output.status.code(), Some(78));
}
