//! Programs of this machine at the same files: procmail and mutt put mail into an mbox, a Maildir and an MH folder
//! while sessions fetch and delete.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    can_run,
    common::{Client, House},
};

/// How many messages a program puts there, by so many processes one after the other.
const MESSAGES: usize = 40;

/// How a program is to put a letter into a mailbox of a house.
type Writer = fn(&House, &Place, usize);

/// Where mail is, for the configuration, for the file system and for mutt.
struct Place {
    location: &'static str,
    mailbox: &'static str,
    kind: &'static str,
}

const PLACES: [Place; 3] = [
    Place { location: "mbox:spool/{user}", mailbox: "spool/fido", kind: "mbox" },
    Place { location: "mh:mail/{user}", mailbox: "mail/fido/inbox", kind: "MH" },
    Place { location: "maildir:mail/{user}", mailbox: "mail/fido", kind: "Maildir" },
];

fn body(n: usize) -> String {
    format!("From {n} to {n}\n{}", "woof\n".repeat(n))
}

fn feed(command: &mut Command, letter: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(letter.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn procmail(house: &House, place: &Place, n: usize) {
    // A slash makes it a Maildir, and /. an MH folder.
    let end = match place.kind {
        "MH" => "/.",
        "Maildir" => "/",
        _ => "",
    };
    let mailbox = format!("{}/{}{end}", house.path().display(), place.mailbox);
    // It takes the lock that the default mailbox has.
    let rc = house.path().join("procmailrc");
    fs::write(&rc, format!("LOCKSLEEP=1\n:0:\n{mailbox}\n")).unwrap();
    let mut command = Command::new("procmail");
    command
        .args(["-f", "fred", "-m"])
        .args([format!("DEFAULT={mailbox}"), format!("ORGMAIL={mailbox}")])
        .arg(rc);
    feed(&mut command, &format!("From: fred\nSubject: {n}\n\n{}", body(n)));
}

/// It sends the letter nowhere, and keeps a copy.
fn mutt(house: &House, place: &Place, n: usize) {
    let mailbox = house.path().join(place.mailbox);
    if place.kind == "MH" && !mailbox.exists() {
        // By this it knows an MH folder.
        fs::create_dir_all(&mailbox).unwrap();
        fs::write(mailbox.join(".mh_sequences"), "").unwrap();
    }
    let mut command = Command::new("mutt");
    command.args(["-n", "-F", "/dev/null"]).env("HOME", house.path());
    for setting in [
        "set sendmail=/bin/true copy=yes from=fred@bone.example".to_owned(),
        format!("set record={} mbox_type={}", mailbox.display(), place.kind),
    ] {
        command.arg("-e").arg(setting);
    }
    feed(command.args(["-s", &n.to_string(), "fido@bone.example"]), &body(n));
}

/// Fetches and deletes what there is; gives the messages' numbers.
fn fetch(client: &mut Client, count: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut reply = client.say("READ 1");
    for _ in 0..count {
        let length = reply[1..].split(' ').next().unwrap().parse().unwrap();
        client.send(b"RETR\r\n");
        let message = String::from_utf8(client.octets(length)).unwrap();
        let n = message.split("Subject: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let body = message.split_once("\r\n\r\n").unwrap().1.trim_end();
        // procmail quotes as mboxo does, which is read as well.
        let woofs = vec!["woof"; n].join("\r\n");
        assert_eq!(body, format!("From {n} to {n}\r\n{woofs}").trim_end());
        numbers.push(n);
        reply = client.say("ACKD");
    }
    assert!(client.say("QUIT").starts_with('+'));
    numbers
}

#[test]
fn procmail_delivers_into_every_kind_of_store_while_sessions_fetch() {
    if can_run(&["procmail"]) {
        for place in &PLACES {
            nothing_is_lost(place, procmail);
        }
    }
}

#[test]
fn mutt_writes_to_every_kind_of_store_while_sessions_fetch() {
    if can_run(&["mutt"]) {
        for place in &PLACES {
            nothing_is_lost(place, mutt);
        }
    }
}

fn nothing_is_lost(place: &Place, write: Writer) {
    let house = House::new();
    let config = fs::read_to_string(house.config()).unwrap().replace("maildir:mail/{user}", place.location);
    fs::write(house.config(), config).unwrap();
    fs::create_dir_all(house.path().join(place.mailbox).parent().unwrap()).unwrap();
    let daemon = house.serve();
    let mut seen = BTreeSet::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..MESSAGES).for_each(|n| write(&house, place, n)));
        loop {
            let ended = writer.is_finished();
            let mut client = daemon.connect();
            let reply = client.log_in();
            let count = reply[1..].split(' ').next().unwrap().parse();
            let count = count.unwrap_or_else(|_| panic!("{reply}: {}", daemon.log()));
            for n in fetch(&mut client, count) {
                assert!(seen.insert(n), "{n} came twice in {}", place.location);
            }
            if ended {
                break;
            }
            // Where it finds a lock procmail comes back after a second.
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(seen.len(), MESSAGES, "{}", place.location);
}
