//! Accounts in PostgreSQL, as the operator and the machines meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::Stdio,
    time::{Duration, Instant},
};

use common::{Daemon, House};
use postbox::postgres::{Database, ObjectsAt, Settings};
use testing::{How, Postgres};

/// A house whose accounts are in a database of its own, and whose mail is in Maildirs.
struct Kennel<'a> {
    server: &'a Postgres,
    database: String,
    house: House,
}

impl<'a> Kennel<'a> {
    fn new(server: &'a Postgres) -> Self {
        Self::with_config(server, "")
    }

    fn with_config(server: &'a Postgres, more: &str) -> Self {
        let database = server.database();
        let tables = Database::new(Settings::new(database.clone(), ObjectsAt::Memory));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tables.migrate()).unwrap();
        let house = House::new();
        fs::create_dir(house.path().join("objects")).unwrap();
        // A users file that is not in order shows that it is not read.
        fs::write(house.path().join("users"), "woof\n").unwrap();
        fs::write(
            house.path().join("aliases"),
            "all: fido, Smith, all-cats\nall-cats: smith\nlost: nobody\n",
        )
        .unwrap();
        let config = format!(
            "hostname = 'dog-house.example'\n[accounts]\nsource = 'database'\n\
             [database]\nconnect = \"{database}\"\nobjects = 'file:objects'\nretry_seconds = 1\n\
             [mail]\ndefault = ['maildir:mail/{{user}}']\n\
             [delivery]\ndomains = ['dog-house.example']\naliases = 'aliases'\n\
             [[listener]]\naddress = '127.0.0.1:0'\n[[lmtp]]\naddress = '127.0.0.1:0'\n{more}"
        );
        fs::write(house.config(), config).unwrap();
        Self { server, database, house }
    }

    fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.database, sql)
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = self.house.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn must(&self, arguments: &[&str], input: &str) -> String {
        let (code, output, errors) = self.run_with(arguments, input);
        assert_eq!(code, 0, "{arguments:?}: {errors}");
        output
    }

    fn add(&self, user: &str, password: &str) {
        self.must(&["user", "add", user, "--password-stdin"], &format!("{password}\n"));
    }
}

fn log_in(daemon: &Daemon, user: &str, password: &str) -> String {
    let mut client = daemon.connect();
    client.line();
    client.say(&format!("HELO {user} {password}"))
}

const REFUSED: &str = "- login refused: no such user, or another password";
const UNCHECKED: &str = "- your login cannot be checked now; try again later";
const EMPTY: &str = "#0 messages for you";

fn is_in(reply: &str) -> bool {
    reply.starts_with('#')
}

/// The replies to some commands of LMTP.
fn lmtp(daemon: &Daemon, commands: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect(daemon.listens("LMTP")).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut stream = BufReader::new(stream);
    let hear = |stream: &mut BufReader<TcpStream>| loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.as_bytes().get(3) != Some(&b'-') {
            break line;
        }
    };
    hear(&mut stream);
    let begin = ["LHLO x", "MAIL FROM:<rex@elsewhere.example>"];
    let all = begin.iter().chain(commands).map(|command| {
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        hear(&mut stream)
    });
    all.skip(2).collect()
}

#[test]
fn users_are_added_changed_listed_and_removed() {
    let kennel = Kennel::new(Postgres::shared());
    let exists = "doghouse: there is a user fido already; change the password instead\n";
    let nobody = "doghouse: there is no user rex\n";
    kennel.add("fido", "bone");
    kennel.add("smith", "cat");
    for (arguments, input, expected) in [
        (&["user", "add", "fido", "--password-stdin"][..], "x", (65, exists)),
        (&["user", "add", "fido", "--devices-only"], "", (65, exists)),
        (
            &["user", "add", "../fido", "--password-stdin"],
            "x",
            (
                65,
                "doghouse: a user name does not begin with '.' and holds no '/', since it is the name of a folder\n",
            ),
        ),
        (&["user", "add", "rex", "--password-stdin"], "", (65, "doghouse: a password cannot be empty\n")),
        (&["user", "passwd", "rex", "--password-stdin"], "x", (67, nobody)),
        (&["user", "remove", "rex"], "", (67, nobody)),
        (&["user", "device", "add", "rex", "--label", "x"], "", (67, nobody)),
        (
            &["user", "device", "remove", "fido", "x"],
            "",
            (65, "doghouse: there is no device \"x\"; doghouse user device list shows what there is\n"),
        ),
        (
            &["user", "device", "add", "fido", "--label", " "],
            "",
            (
                65,
                "doghouse: a label has 1 to 64 characters, with no blank at its ends and no control character\n",
            ),
        ),
        (&["user", "passwd", "fido", "--password-stdin"], "ball", (0, "")),
        (&["user", "list"], "", (0, "")),
    ] {
        let (code, output, errors) = kennel.run_with(arguments, input);
        assert_eq!((code, errors.as_str()), expected, "{arguments:?}");
        assert_eq!(output, if arguments == ["user", "list"] { "fido\nsmith\n" } else { "" });
    }
    assert!(
        kennel.sql("SELECT password FROM account WHERE name = 'fido'").starts_with("{ARGON2ID}$argon2id$")
    );
    kennel.house.put("fido", "1700000000.a", b"woof\n");
    kennel.must(&["user", "remove", "fido"], "");
    assert_eq!(kennel.must(&["user", "list"], ""), "smith\n");
    assert!(kennel.house.maildir("fido").join("new/1700000000.a").exists(), "the mail stays");
    kennel.sql("INSERT INTO account VALUES ('rex', '{SSHA}hunter2', '')");
    let (_, output, errors) = kennel.run(&["user", "list"]);
    assert_eq!(output, "rex\nsmith\n");
    assert!(errors.contains("user rex cannot log in: its password scheme is none of"), "{errors}");
    assert!(!errors.contains("hunter2"));
}

#[test]
fn more_users_than_a_page_are_listed_and_counted() {
    let kennel = Kennel::new(Postgres::shared());
    kennel.sql("INSERT INTO account (name, password) SELECT 'dog' || n, '!' FROM generate_series(1, 2500) n");
    kennel.sql("INSERT INTO device (account, label, digest) SELECT name, 'x', repeat('0', 64) FROM account");
    let list = kennel.must(&["user", "list"], "");
    let mut names: Vec<&str> = list.lines().collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2500);
    let devices = kennel.must(&["user", "device", "list", "--json"], "");
    assert_eq!(devices.matches("\"user\"").count(), 2500);
    assert!(devices.starts_with("[\n  {\n    \"user\": \"dog") && devices.ends_with("\n  }\n]\n"));
    let (_, said, errors) = kennel.run(&["check"]);
    assert!(said.contains("ok: users in the database test_") && said.contains(": 2500\n"), "{said}{errors}");
    assert!(said.contains("warning: there are more than 1000 users"), "{said}");
}

#[test]
fn logins_are_as_with_a_users_file_and_changes_hold_at_once() {
    let kennel = Kennel::new(Postgres::shared());
    let daemon = kennel.house.serve();
    assert_eq!(log_in(&daemon, "fido", "bone"), REFUSED);
    kennel.add("fido", "bone");
    for _ in 0..2 {
        assert_eq!(log_in(&daemon, "fido", "bone"), EMPTY);
        assert_eq!(log_in(&daemon, "Fido", "bone"), REFUSED);
    }
    kennel.must(&["user", "passwd", "fido", "--password-stdin"], "ball\n");
    assert_eq!(log_in(&daemon, "fido", "bone"), REFUSED, "what was remembered is forgotten");
    assert_eq!(log_in(&daemon, "fido", "ball"), EMPTY);
    for (extra, is_let_in) in [
        ("allow_nets=192.0.2.0/24", false),
        ("allow_nets=127.0.0.0/8", true),
        ("nologin", false),
        ("userdb_quota=1G", true),
        ("allow_nets=woof", false),
        ("", true),
    ] {
        kennel.sql(&format!("UPDATE account SET extra = '{extra}'"));
        assert_eq!(is_in(&log_in(&daemon, "fido", "ball")), is_let_in, "{extra}");
    }
    let place = kennel.house.path().join("own/Maildir/new");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("1700000000.a"), "woof\n").unwrap();
    let home = kennel.house.path().join("own").display().to_string();
    kennel.sql(&format!("UPDATE account SET extra = 'userdb_home={home} userdb_mail=maildir:~/Maildir'"));
    assert_eq!(log_in(&daemon, "fido", "ball"), "#1 messages for you");
    kennel.sql("UPDATE account SET password = '!' || password");
    assert_eq!(log_in(&daemon, "fido", "ball"), REFUSED);
    kennel.sql("UPDATE account SET password = '{PLAIN}stick'");
    assert_eq!(log_in(&daemon, "fido", "stick"), "#1 messages for you");
    kennel.must(&["user", "remove", "fido"], "");
    assert_eq!(log_in(&daemon, "fido", "stick"), REFUSED);
    assert!(!daemon.log().contains("ball") && !daemon.log().contains("stick"));
}

#[test]
fn devices_log_in_and_their_use_is_noted() {
    let kennel = Kennel::new(Postgres::shared());
    kennel.must(&["user", "add", "vax", "--devices-only"], "");
    kennel.add("fido", "bone");
    let add = |arguments: &[&str]| {
        let password = kennel.must(&[&["user", "device", "add"], arguments].concat(), "");
        password.trim_end().to_owned()
    };
    let near = add(&["vax", "--label", "MicroVAX", "--from", "127.0.0.1,::1", "--read-only"]);
    let far = add(&["vax", "--label", "far", "--from", "192.0.2.0/24"]);
    let later = add(&["vax", "--label", "later"]);
    let (code, _, errors) = kennel.run(&["user", "device", "add", "vax", "--label", "far"]);
    assert_eq!(code, 65);
    assert!(errors.contains("there is a device \"far\" already"), "{errors}");
    let daemon = kennel.house.serve();
    assert_eq!(log_in(&daemon, "vax", &near), EMPTY);
    assert_eq!(log_in(&daemon, "vax", &far), REFUSED, "it is not from there");
    assert_eq!(log_in(&daemon, "fido", &near), REFUSED, "it is not fido's");
    daemon.wait_for_log("user=\"vax\" device=\"MicroVAX\"");

    kennel.house.put("vax", "1700000000.a", b"woof\n");
    let mut client = daemon.connect();
    client.line();
    client.say(&format!("HELO vax {near}"));
    client.say("READ");
    client.send(b"RETR\r\n");
    client.octets(6);
    client.say("ACKD");
    assert!(client.say("QUIT").contains("1 marked messages could not be deleted"));

    let list = kennel.must(&["user", "device", "list"], "");
    assert!(list.starts_with("USER") && list.matches("never").count() == 3, "{list}");
    assert_eq!(log_in(&daemon, "vax", &later), "#1 messages for you");
    kennel
        .sql("UPDATE device SET used_at = now() + interval '1 h', used_from = 'there' WHERE label = 'later'");
    assert!(daemon.stop().success());
    let list = kennel.must(&["user", "device", "list", "vax"], "");
    assert!(list.contains(" from 127.0.0.1\n") && list.matches("never").count() == 1, "{list}");
    assert!(list.contains(" from there\n"), "another server's later note stays: {list}");
    let json = kennel.must(&["user", "device", "list", "--json"], "");
    assert!(json.contains("\"from\": [\n      \"127.0.0.1/32\",\n      \"::1/128\"\n    ]"), "{json}");
    assert!(json.contains("\"last_use\": null") && json.contains("\"from\": \"127.0.0.1\""), "{json}");

    let daemon = kennel.house.serve();
    kennel.must(&["user", "device", "remove", "vax", "MicroVAX"], "");
    assert_eq!(log_in(&daemon, "vax", &near), REFUSED, "it was removed");
    let other = add(&["vax", "--label", "other"]);
    assert_eq!(log_in(&daemon, "vax", &other), "#1 messages for you");
    kennel.sql("UPDATE account SET extra = 'nologin'");
    assert_eq!(log_in(&daemon, "vax", &other), REFUSED, "a locked user's devices are locked");
    kennel.must(&["user", "remove", "vax"], "");
    assert_eq!(kennel.must(&["user", "device", "list", "--json"], ""), "[]\n");
}

#[test]
fn mail_comes_in_for_users_of_the_database_and_no_others() {
    let kennel = Kennel::new(Postgres::shared());
    kennel.add("fido", "bone");
    kennel.add("smith", "cat");
    let daemon = kennel.house.serve();
    let replies = lmtp(
        &daemon,
        &[
            "RCPT TO:<all@dog-house.example>",
            "RCPT TO:<FIDO+lists@dog-house.example>",
            "RCPT TO:<rex@dog-house.example>",
            "RCPT TO:<lost@dog-house.example>",
            "RCPT TO:<r\u{e9}x@dog-house.example>",
            "DATA",
        ],
    );
    let codes: Vec<&str> = replies.iter().map(|reply| &reply[..9]).collect();
    assert_eq!(codes[..4], ["250 2.1.5", "250 2.1.5", "550 5.1.1", "550 5.1.1"], "{replies:?}");
    assert!(replies[4].starts_with('5'), "{replies:?}");
    assert!(replies[5].starts_with("354"), "{replies:?}");

    kennel.house.deliver("all", b"Subject: bone\n\nwoof\n");
    assert_eq!(log_in(&daemon, "fido", "bone"), "#1 messages for you");
    assert_eq!(log_in(&daemon, "smith", "cat"), "#1 messages for you");
    let (code, _, errors) = kennel.run_with(&["deliver", "rex"], "woof\n");
    assert_eq!((code, errors.as_str()), (67, "doghouse: there is no user \"rex\"\n"));
    kennel.sql("UPDATE account SET extra = 'userdb_mail=woof' WHERE name = 'smith'");
    let replies = lmtp(&daemon, &["RCPT TO:<all@dog-house.example>"]);
    assert!(replies[0].starts_with("451 4.3.5"), "{replies:?}");
    let (_, said, _) = kennel.run(&["check"]);
    for expected in [
        "warning: user smith cannot log in: its field userdb_mail is not understood",
        "fault: user smith: the account does not say where its mail is",
        "warning: the alias lost leads to nobody: there is no user \"nobody\"",
        ": 2\n",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    assert!(!said.contains("postmaster"), "{said}");
}

#[test]
fn a_database_that_is_away_makes_answers_temporary_and_is_used_again_when_it_is_back() {
    let server = Postgres::start();
    let kennel = Kennel::with_config(&server, "[metrics]\naddress = '127.0.0.1:0'\n");
    kennel.add("fido", "bone");
    let daemon = kennel.house.serve();
    assert_eq!(log_in(&daemon, "fido", "bone"), EMPTY);
    server.stop(How::Fast);
    // More than fail at no cost.
    let begun = Instant::now();
    for _ in 0..6 {
        assert_eq!(log_in(&daemon, "fido", "bone"), UNCHECKED);
        assert_eq!(log_in(&daemon, "rex", "bone"), UNCHECKED);
    }
    assert!(begun.elapsed() < Duration::from_secs(40), "it does not wait for each: {:?}", begun.elapsed());
    daemon.wait_for_log("cannot look up an account");
    let replies = lmtp(&daemon, &["RCPT TO:<fido@dog-house.example>", "RCPT TO:<rex@dog-house.example>"]);
    assert!(replies.iter().all(|reply| reply.starts_with("451 4.3.0")), "{replies:?}");
    let (code, _, errors) = kennel.run_with(&["deliver", "fido"], "woof\n");
    assert_eq!(code, 75, "{errors}");
    for arguments in [&["user", "list"][..], &["user", "remove", "fido"], &["user", "device", "list"]] {
        assert_eq!(kennel.run(arguments).0, 69, "{arguments:?}");
    }
    let (code, said, _) = kennel.run(&["check"]);
    assert!(code == 78 && said.contains("fault: cannot connect"), "{said}");
    assert!(
        said.contains("the users and their mail were not looked at") && said.matches("fault: ").count() == 1
    );
    assert_eq!(daemon.log().matches("reason=\"your login cannot be checked now").count(), 12);

    server.start_again();
    let begun = Instant::now();
    while log_in(&daemon, "fido", "bone") != EMPTY {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let begun = Instant::now();
    assert_eq!(log_in(&daemon, "rex", "bone"), REFUSED);
    assert!(begun.elapsed() < Duration::from_secs(5), "none of it counts as a guess");
    let replies = lmtp(&daemon, &["RCPT TO:<fido@dog-house.example>", "RCPT TO:<rex@dog-house.example>"]);
    assert!(replies[0].starts_with("250") && replies[1].starts_with("550"), "{replies:?}");

    let mut metrics = TcpStream::connect(daemon.listens("HTTP")).unwrap();
    metrics.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let text = std::io::read_to_string(metrics).unwrap();
    let count =
        text.lines().find_map(|line| line.strip_prefix("doghouse_logins_total{outcome=\"accounts\"} "));
    assert!(count.is_some_and(|count| count.parse::<u32>().unwrap() >= 12), "{text}");
}

#[test]
fn a_database_that_hangs_holds_no_login_for_long() {
    let server = Postgres::start();
    let kennel = Kennel::with_config(&server, "[limits]\nlogin_seconds = 6\n");
    kennel.add("fido", "bone");
    let daemon = kennel.house.serve();
    assert_eq!(log_in(&daemon, "fido", "bone"), EMPTY);
    server.pause();
    let begun = Instant::now();
    // From one place, so that each waits for its turn.
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(log_in(&daemon, "fido", "bone"), UNCHECKED));
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.resume();
    let begun = Instant::now();
    while log_in(&daemon, "fido", "bone") != EMPTY {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}
