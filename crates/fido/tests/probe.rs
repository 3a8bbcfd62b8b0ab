//! `fido probe` against Doghouse, which must keep the RFC, and against servers that break single cases of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{Outcome, Peer, fido, run};
use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use serde_json::Value;

const LOGIN: [&str; 2] = ["--user", "fred"];

/// Runs the probe, with a login where `arguments` have one, and gives what it wrote.
fn probe(address: SocketAddr, arguments: &[&str]) -> Outcome {
    let source: &[&str] = if arguments.contains(&"--user") { &["--password-stdin"] } else { &[] };
    run(&mut fido(address, "probe", &[arguments, source].concat()), "bone\n")
}

/// The finding and what the server does, by the names of the cases.
struct Found {
    json: Value,
    cases: BTreeMap<String, (String, String)>,
}

impl Found {
    #[track_caller]
    fn of(address: SocketAddr, arguments: &[&str]) -> Self {
        let outcome = probe(address, &[arguments, &["--json"]].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(!outcome.stdout.contains("bone"), "the password shows: {outcome:?}");
        let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let cases = json["cases"].as_array().unwrap().iter();
        let cases = cases.map(|c| (text(&c["name"]), (text(&c["finding"]), text(&c["does"])))).collect();
        Self { json, cases }
    }

    #[track_caller]
    fn is(&self, case: &str, finding: &str, does: &str) {
        let (found, text) = &self.cases[case];
        assert!(found == finding && text.contains(does), "{case}: {found}: {text}");
    }

    /// The names of the cases with this finding.
    fn with(&self, finding: &str) -> BTreeSet<&str> {
        self.cases.iter().filter(|(_, (found, _))| found == finding).map(|(name, _)| name.as_str()).collect()
    }

    fn program(&self) -> &Value {
        &self.json["guess"]["program"]
    }
}

/// All files below a folder with their octets.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Runs `work` with the address of a Doghouse that has these messages, and checks that it has them afterwards.
fn with_doghouse(mail: &[&str], work: impl FnOnce(SocketAddr)) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mail/fred");
    fs::create_dir_all(root.join("new")).unwrap();
    fs::create_dir_all(root.join(".old/new")).unwrap();
    for (number, message) in mail.iter().enumerate() {
        fs::write(root.join(format!("new/170000000{number}.x.host")), message).unwrap();
    }
    fs::write(root.join(".old/new/1.x"), "Subject: old\n\nGrr.\n").unwrap();
    fs::write(folder.path().join("users"), "fred:{PLAIN}bone\n").unwrap();
    let text = "hostname = \"dog-house.example\"\n[[listener]]\naddress = \"127.0.0.1:0\"";
    let config = Config::parse(text, &folder.path().join("x.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon = {
        let _within = runtime.enter();
        Daemon::start(config.clone(), Doors::open(&config, Handed::default()).unwrap(), None).unwrap()
    };
    let before = files(&root);
    work(daemon.addresses()[0]);
    runtime.block_on(daemon.stop());
    assert_eq!(files(&root), before, "the mailbox has changed");
}

#[test]
fn doghouse_keeps_all_that_the_rfc_demands() {
    with_doghouse(
        &["Subject: 1\n\nWoof, woof, woof.\n", "Subject: 2\n\n.\n", "no last line end"],
        |address| {
            let found = Found::of(address, &["--user", "fred", "--folder", "old"]);
            assert_eq!(found.with("differs"), BTreeSet::new(), "{:#?}", found.cases);
            assert_eq!(found.with("not tried"), BTreeSet::from(["READ of no mail"]), "{:#?}", found.cases);
            let decided =
                ["lower case", "bare LF", "telnet options", "513 octets", "after the last", "sent ahead"];
            let silent: BTreeSet<_> = decided.into_iter().chain(["second session", "FOLD INBOX"]).collect();
            assert!(found.with("silent").is_subset(&silent), "{:#?}", found.cases);
            for taken in ["lower case", "bare LF", "telnet options"] {
                found.is(taken, "silent", "takes it");
            }
            found.is("message length", "keeps", "16 octets");
            found.is("FOLD to --folder", "keeps", "counts 1 in old");
            assert_eq!(*found.program(), "Doghouse");
            assert_eq!(found.json["messages"], 3);
        },
    );
}

#[test]
fn an_empty_mailbox_is_said_to_be_one() {
    with_doghouse(&[], |address| {
        let found = Found::of(address, &LOGIN);
        assert_eq!(found.with("differs"), BTreeSet::new(), "{:#?}", found.cases);
        found.is("READ", "not tried", "the mailbox is empty");
        found.is("READ of no mail", "silent", "=0");
        found.is("RETR of nothing", "keeps", "closes without a word");
        found.is("FOLD to --folder", "not tried", "--folder");
        assert_eq!(found.json["messages"], 0);
    });
}

#[test]
fn without_a_user_there_is_only_what_comes_before_a_login() {
    with_doghouse(&["Subject: 1\n"], |address| {
        let found = Found::of(address, &[]);
        assert_eq!(found.with("differs"), BTreeSet::new(), "{:#?}", found.cases);
        found.is("HELO", "not tried", "it needs --user");
        found.is("wrong HELO", "keeps", "closes");
        assert_eq!(found.json["messages"], Value::Null);

        let outcome = probe(address, &[]);
        outcome.ends(0, "");
        assert!(outcome.stdout.lines().all(|line| line.len() <= 80), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("It may be Doghouse: its greeting says"), "{}", outcome.stdout);
    });
}

#[test]
fn a_refused_login_ends_the_probe() {
    with_doghouse(&[], |address| {
        let mut command = fido(address, "probe", &["--user", "fred", "--password-stdin"]);
        run(&mut command, "cat\n").ends(77, "check --user and the password");
    });
}

/// What a server of two messages does that answers as `Ways` say. It serves until the test program ends.
#[derive(Clone, Copy)]
struct Ways {
    greeting: &'static str,
    helo: &'static str,
    /// FOLD of whatever folder.
    fold: &'static str,
    /// READ of no message.
    past: &'static str,
    /// Whether it closes where the RFC says so.
    closes: bool,
    /// Sent with the lengths that are promised.
    mail: [&'static str; 2],
    /// What follows a message, against the promise.
    extra: &'static str,
}

const RIGHT: Ways = Ways {
    greeting: "+ POP2 dog-house.example",
    helo: "#2 messages",
    fold: "#0",
    past: "=0",
    closes: true,
    mail: ["Subject: 1\r\n", "Subject: 2\r\n\r\n"],
    extra: "",
};

impl Ways {
    fn serve(self) -> SocketAddr {
        serve(move |stream| self.session(&stream))
    }

    fn session(self, stream: &TcpStream) {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let say = |line: &str| (&*stream).write_all(format!("{line}\r\n").as_bytes()).is_ok();
        let (mut current, mut in_box, mut measured, mut in_next) = (0, false, false, false);
        say(self.greeting);
        for line in lines.map_while(Result::ok) {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let length = |current: usize| match self.mail.get(current) {
                Some(mail) => format!("={}", mail.len()),
                None => self.past.to_owned(),
            };
            let right = match verb {
                "HELO" if argument == "fred bone" => {
                    in_box = true;
                    say(self.helo)
                }
                "FOLD" if in_box && !in_next => {
                    measured = false;
                    say(self.fold)
                }
                "READ" if in_box && !in_next => {
                    measured = true;
                    if let Ok(number) = argument.parse::<u64>() {
                        current = usize::try_from(number).unwrap().wrapping_sub(1);
                    } else if !argument.is_empty() {
                        current = usize::MAX;
                    }
                    say(&length(current)) && (current < 2 || self.past.starts_with('='))
                }
                "RETR" if measured => {
                    in_next = true;
                    let Some(mail) = self.mail.get(current) else { return };
                    (&*stream).write_all(format!("{mail}{}", self.extra).as_bytes()).is_ok()
                }
                "ACKS" | "NACK" if in_next => {
                    in_next = false;
                    current += usize::from(verb == "ACKS");
                    say(&length(current))
                }
                "ACKD" => panic!("it deletes"),
                "QUIT" if !in_next => {
                    say("+ OK");
                    false
                }
                _ => {
                    say("- error");
                    false
                }
            };
            if !right && self.closes {
                return;
            }
        }
    }
}

/// Serves each connection in a thread of its own, for as long as the tests run.
fn serve(session: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let peer = Peer::serves(move |listener: TcpListener| {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = session.clone();
            thread::spawn(move || session(stream));
        }
    });
    peer.address
}

#[test]
fn a_server_that_is_right_but_unknown_has_no_name() {
    let found = Found::of(RIGHT.serve(), &LOGIN);
    assert_eq!(found.with("differs"), BTreeSet::new(), "{:#?}", found.cases);
    assert_eq!(*found.program(), Value::Null);
    for case in ["message length", "message lines", "NACK", "ACKS", "QUIT in NEXT", "FOLD to nowhere"] {
        found.is(case, "keeps", "");
    }
}

#[test]
fn uw_ipop2d_keeps_the_old_folder_open_and_closes_at_a_read_out_of_range() {
    let ways = Ways { fold: "#2 messages", past: "- No such message", ..RIGHT };
    let found = Found::of(ways.serve(), &LOGIN);
    found.is("FOLD to nowhere", "differs", "that stays open");
    found.is("READ past the end", "differs", "`- No such message`");
    found.is("READ 0", "differs", "");
    found.is("FOLD, quoted", "not tried", "nothing would show");
    found.is("RETR of nothing", "not tried", "No such message");
    assert_eq!(*found.program(), "UW ipop2d");
}

#[test]
fn jnos_has_no_mail_sorry() {
    let found = Found::of(Ways { helo: "+ No mail, sorry", ..RIGHT }.serve(), &LOGIN);
    found.is("HELO", "differs", "`+ No mail, sorry`");
    found.is("READ", "not tried", "the mailbox is empty");
    assert_eq!(*found.program(), "KA9Q NOS or JNOS");
    assert_eq!(found.json["guess"]["evidence"][0], "it says `+ No mail, sorry`");
}

#[test]
fn mh_popd_greets_as_pop3_and_does_not_close() {
    let ways = Ways { greeting: "+OK ready", closes: false, ..RIGHT };
    let found = Found::of(ways.serve(), &["--user", "fred", "--timeout", "1"]);
    found.is("greeting", "differs", "POP3");
    found.is("garbage", "differs", "does not close");
    found.is("QUIT in MBOX", "differs", "does not close");
    found.is("wrong HELO", "differs", "does not close");
    assert_eq!(*found.program(), "MH popd");
}

#[test]
fn lengths_and_line_ends_that_are_wrong_are_seen() {
    let found = Found::of(Ways { mail: ["Woof.\n", "Subject: 2\n\nmore"], ..RIGHT }.serve(), &LOGIN);
    found.is("message length", "keeps", "6 octets");
    found.is("message lines", "differs", "1 lines of the message end in LF without CR");
    let found = Found::of(Ways { extra: "woof\r\n", ..RIGHT }.serve(), &LOGIN);
    found.is("message length", "differs", "after 12 octets and NACK, it says `woof`");
}

#[test]
fn a_server_that_falls_silent_is_waited_for_a_few_times_only() {
    let greeted = Arc::new(AtomicUsize::new(0));
    let address = serve(move |mut stream| {
        if greeted.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = stream.write_all(b"+ POP2 x\r\n");
        }
        let _ = stream.read_to_end(&mut vec![]);
    });
    let start = Instant::now();
    let found = Found::of(address, &["--timeout", "1"]);
    assert!(start.elapsed() < Duration::from_secs(20));
    found.is("greeting", "differs", "does not answer");
    found.is("wrong HELO", "not tried", "the server was silent 8 times");
}

#[test]
fn replies_without_end_are_cut_off() {
    for endless in ["", "+ POP2 x\r\n"] {
        let address = serve(move |mut stream| {
            let _ = stream.write_all(endless.as_bytes());
            while stream.write_all(&[b'+'; 4096]).is_ok() {}
        });
        let outcome = probe(address, &["--json", "--timeout", "5"]);
        if endless.is_empty() {
            outcome.ends(76, "more than 512 octets");
        } else {
            outcome.ends(0, "");
            assert!(outcome.stdout.len() < 100_000);
            assert!(outcome.stdout.contains("sends more than 512 octets without a line end"), "{outcome:?}");
        }
    }
}

#[test]
fn what_a_server_says_cannot_move_the_cursor_or_show_the_password() {
    let ways = Ways { greeting: "+ POP2 \x1b[2J\x07bone", fold: "\x1b]0;bone\x07", ..RIGHT };
    let address = ways.serve();
    for arguments in [&["--verbose"][..], &["--verbose", "--json"]] {
        let outcome = probe(address, &[&LOGIN, arguments].concat());
        outcome.ends(0, "");
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()) && !shown.contains("bone"), "{shown:?}");
    }
    Found::of(address, &LOGIN).is("reply lines", "differs", "not printable");
}

#[test]
fn what_is_no_pop2_server_ends_the_probe() {
    for (greeting, code, text) in [
        ("220 mail.example ESMTP\r\n", 76, "is that a POP2 server?"),
        ("- too many sessions\r\n", 75, "try again later"),
        ("", 75, "closes without a word"),
    ] {
        let address = serve(move |mut stream| stream.write_all(greeting.as_bytes()).unwrap());
        probe(address, &[]).ends(code, text);
    }
}
