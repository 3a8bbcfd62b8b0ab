//! Servers over one database and one object store, as a user and an operator meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::Write,
    net::TcpStream,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use common::{
    Client, Daemon, House,
    figures::{get, value},
    site::Site,
};
use testing::{How, Postgres, S3};

const LMTP: &str = "[[lmtp]]\naddress = '127.0.0.1:0'\n";

/// What a command says that goes well.
fn said(house: &House, arguments: &[&str]) -> String {
    let output = house.command(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn lmtp(daemon: &Daemon) -> Client {
    let mut client = Client::new(TcpStream::connect(daemon.listens("LMTP")).unwrap());
    client.line();
    client.send(b"LHLO mta.example\r\n");
    while client.line().starts_with("250-") {}
    client
}

/// Delivers a message by LMTP, and returns the reply.
fn send(client: &mut Client, recipient: &str, message: &str) -> String {
    assert!(client.say("MAIL FROM:<me@example.org>").starts_with("250"));
    assert!(client.say(&format!("RCPT TO:<{recipient}>")).starts_with("250"));
    assert!(client.say("DATA").starts_with("354"));
    client.send(format!("{}\r\n.\r\n", message.replace('\n', "\r\n")).as_bytes());
    client.line()
}

/// All messages of fido's default mailbox, which are deleted.
fn fetch(daemon: &Daemon) -> Vec<String> {
    let mut client = daemon.connect();
    let mut reply = client.log_in();
    assert!(reply.starts_with('#'), "{reply}");
    let mut messages = Vec::new();
    reply = client.say("READ");
    loop {
        let length: usize = reply.trim_start_matches('=').split(' ').next().unwrap().parse().unwrap();
        if length == 0 {
            assert!(client.say("QUIT").starts_with('+'));
            return messages;
        }
        client.send(b"RETR\r\n");
        messages.push(String::from_utf8(client.octets(length)).unwrap());
        reply = client.say("ACKD");
    }
}

#[test]
fn mail_comes_in_by_one_server_and_is_fetched_by_another() {
    let site = Site::new();
    let (one, other) = (site.house(LMTP), site.house(LMTP));
    let (first, second) = (one.serve(), other.serve());
    assert!(first.log().contains("sandbox is shut") || first.log().contains("Landlock"), "{}", first.log());
    let large = "Received: from a by b\n\tid 7A\nSubject: large\n\n".to_owned() + &"woof\n".repeat(40_000);
    let small = "Received: from a by b id 7B;\n today\nSubject: small\n\nwoof";
    // The sender was not told, and tries again, by another server.
    for daemon in [&first, &second, &first] {
        let mut sender = lmtp(daemon);
        assert!(send(&mut sender, "fido", small).starts_with("250"));
        assert!(send(&mut sender, "fido", &large).starts_with("250"));
    }
    assert!(send(&mut lmtp(&first), "fido", "Subject: plain\n\nwoof").starts_with("250"));
    assert!(send(&mut lmtp(&first), "fido", "Subject: plain\n\nwoof").starts_with("250"));
    let fetched = fetch(&second);
    let subjects: Vec<&str> = fetched
        .iter()
        .map(|message| message.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap())
        .collect();
    assert_eq!(subjects, ["small", "large", "plain", "plain"], "what has no id is nobody's second try");
    assert!(fetched[1].ends_with(&("woof\r\n".repeat(40_000) + "\r\n")));
    assert_eq!(fetch(&first), [""; 0]);
}

#[test]
fn a_delivery_command_with_an_id_delivers_once() {
    let house = Site::new().house("");
    let deliver = |id: &[&str], message: &str| {
        let mut command = house.command(&[&["deliver", "fido"], id].concat());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    for _ in 0..2 {
        deliver(&["--id", "4F1"], "bone\n");
        deliver(&["--id", "4F1"], "another bone, since ids of queues come again\n");
        deliver(&[], "bone\n");
    }
    assert_eq!(said(&house, &["mailbox", "count", "fido"]), "4\n");
}

#[test]
fn mail_moves_in_and_out_and_is_verified() {
    let house = Site::new().house("");
    let maildir = house.path().join("Maildir");
    fs::create_dir_all(maildir.join("new")).unwrap();
    fs::create_dir_all(maildir.join("cur")).unwrap();
    fs::create_dir_all(maildir.join("tmp")).unwrap();
    for n in 0..30 {
        let message = format!("Subject: {n}\n\n{}", "woof\n".repeat(n * 1_000));
        fs::write(maildir.join(format!("new/17000000{n:02}.a")), message).unwrap();
    }
    let place = format!("maildir:{}", maildir.display());
    let import = said(&house, &["mailbox", "import", "fido", &place]);
    assert!(import.starts_with("fido INBOX: 30 messages copied"), "{import}");
    let again = said(&house, &["mailbox", "import", "fido", &place]);
    assert!(again.contains("0 messages copied, 0 octets; 30 were there already"), "{again}");
    assert!(said(&house, &["mailbox", "verify", "fido"]).contains("30"));
    let out = format!("maildir:{}", house.path().join("out").display());
    let export = said(&house, &["mailbox", "export", "fido", &out]);
    assert!(export.starts_with("fido INBOX: 30 messages copied"), "{export}");
    let read = |folder: &str| {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for entry in fs::read_dir(house.path().join(folder).join("new")).unwrap() {
            texts.push(fs::read(entry.unwrap().path()).unwrap());
        }
        texts.sort();
        texts
    };
    assert!(read("out") == read("Maildir"));
}

/// Whether all is well, and the report.
fn check(house: &House) -> (bool, String) {
    let output = house.command(&["check"]).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_check_says_what_is_missing() {
    let house = Site::new().house("");
    let (_, report) = check(&house);
    assert!(report.contains("ok: the database test_") && report.contains("has its tables"), "{report}");
    assert!(report.contains("ok: an object was put into the bucket "), "{report}");
    assert!(report.contains("fault: the database") && report.contains("has fsync = off"), "{report}");
    assert!(!report.contains("stand-by"), "{report}");
    let config = fs::read_to_string(house.config()).unwrap();
    let fresh = Postgres::shared().database();
    let connect = config.lines().find(|line| line.starts_with("connect")).unwrap();
    fs::write(house.config(), config.replace(connect, &format!("connect = \"{fresh}\""))).unwrap();
    let (good, report) = check(&house);
    assert!(
        !good && report.contains("lacks tables (mail, accounts, site); run doghouse store migrate"),
        "{report}"
    );
    assert!(
        report.contains("ok: an object was put into the bucket "),
        "its fault is not the only one: {report}"
    );
    let migrated = house.command(&["store", "migrate"]).output().unwrap();
    assert!(migrated.stdout.starts_with(b"0001 mail: done\n0002 accounts: done\n0003 site: done\n"));
    let (good, report) = check(&house);
    for told in [String::from_utf8_lossy(&migrated.stderr).into_owned(), report] {
        assert!(told.contains("it has the mail of another database; give this one a bucket"), "{told}");
    }
    assert!(!good && !migrated.status.success());
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace("/mail\"", "/fresh\"")).unwrap();
    assert!(said(&house, &["store", "migrate"]).contains("has all its tables already"));
    assert!(said(&house, &["store", "sweep"]).starts_with("objects: "));
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace(&fresh, "host=127.0.0.1 port=1 user=nobody dbname=none"))
        .unwrap();
    let (good, report) = check(&house);
    assert!(!good && report.matches("fault: ").count() == 1, "{report}");
    assert!(report.contains("the users' mail was not looked at: it is in the database"), "{report}");
    fs::write(house.config(), config).unwrap();
    fs::remove_file(house.path().join("secret-key")).unwrap();
    let (good, report) = check(&house);
    assert!(!good && report.contains("cannot read the secret in"), "{report}");
    let output = house.command(&["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn without_its_tables_a_server_is_not_ready_and_makes_none() {
    let site = Site::new();
    let house = site.house("[metrics]\naddress = '127.0.0.1:0'\n");
    let config = fs::read_to_string(house.config()).unwrap();
    let fresh = Postgres::shared().database();
    let config = config.replace(&site.connect, &fresh).replace("/mail\"", "/fresh\"");
    fs::write(house.config(), config).unwrap();
    let daemon = house.serve();
    wait_for_readiness(&daemon, false);
    daemon.wait_for_log("run doghouse store migrate");
    said(&house, &["store", "migrate"]);
    wait_for_readiness(&daemon, true);
    assert_eq!(daemon.connect().log_in(), "#0 messages for you");
}

fn wait_for_readiness(daemon: &Daemon, ready: bool) {
    let begun = Instant::now();
    loop {
        let (head, body) = get(daemon, "/readyz");
        if head.starts_with("http/1.1 200") == ready {
            assert_eq!(body, if ready { "ready\n" } else { "the database is away\n" });
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{head}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn while_the_database_is_away_the_server_is_not_ready_and_says_so() {
    let (postgres, s3) = (Postgres::start(), S3::start());
    let mut site = Site::at(&postgres, &s3);
    site.more = "connect_seconds = 2\nquery_seconds = 2\nretry_seconds = 2\n".to_owned();
    let house = site.house(&format!("{LMTP}[metrics]\naddress = '127.0.0.1:0'\n"));
    let daemon = house.serve();
    wait_for_readiness(&daemon, true);
    assert!(send(&mut lmtp(&daemon), "fido", "Subject: x\n\nwoof").starts_with("250"));
    let mut waiting = daemon.connect();
    assert_eq!(waiting.log_in().chars().next(), Some('#'));
    for away in [true, false] {
        if away {
            postgres.stop(How::Fast);
        } else {
            postgres.pause();
        }
        wait_for_readiness(&daemon, false);
        assert!(value(&daemon, "doghouse_database_up") < 0.5);
        let reply = daemon.connect().log_in();
        assert_eq!(reply, "- your mailbox cannot be opened now; try again later");
        let mut sender = lmtp(&daemon);
        assert!(send(&mut sender, "fido", "Subject: y\n\nwoof").starts_with("451 4.3.0"));
        if away {
            postgres.start_again();
        } else {
            postgres.resume();
        }
        wait_for_readiness(&daemon, true);
    }
    // A session that was there all the time goes on.
    let reply = waiting.say("READ");
    assert!(reply.starts_with('=') && reply != "=0", "{reply}");
    assert!(daemon.log().contains("the database is away") && daemon.log().contains("the database is back"));
    assert!(value(&daemon, "doghouse_database_up") > 0.5);
}

#[test]
fn a_stand_by_server_has_to_be_waited_for_and_serves_once_it_has_taken_over() {
    let postgres = Postgres::start();
    let stand_by = postgres.stand_by();
    let mut site = Site::at(&postgres, S3::shared());
    site.connect = postgres.with_stand_by(&site.connect, &stand_by);
    let house = site.house("[metrics]\naddress = '127.0.0.1:0'\n");
    let (_, report) = check(&house);
    assert!(
        report.contains("warning: the database ") && report.contains("waits for no stand-by"),
        "{report}"
    );
    postgres.commits_wait_for_stand_by();
    let (_, report) = check(&house);
    assert!(!report.contains("waits for no stand-by"), "{report}");

    let daemon = house.serve();
    wait_for_readiness(&daemon, true);
    postgres.stop(How::Immediate);
    wait_for_readiness(&daemon, false);
    stand_by.promote();
    wait_for_readiness(&daemon, true);
    assert_eq!(daemon.connect().log_in(), "#0 messages for you");
}
