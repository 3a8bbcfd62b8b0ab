//! Programs of this machine at the same files: procmail delivers into an mbox, a Maildir and an MH folder while
//! sessions fetch and delete.

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

/// How many messages procmail delivers, by so many processes one after the other.
const MESSAGES: usize = 40;

fn procmail(house: &House, mailbox: &str, n: usize) {
    let rc = house.path().join("procmailrc");
    let mut child = Command::new("procmail")
        .args(["-f", "fred", "-m"])
        .arg(format!("DEFAULT={mailbox}"))
        .arg(format!("ORGMAIL={mailbox}"))
        .arg(&rc)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let letter = format!("From: fred\nSubject: {n}\n\nFrom {n} to {n}\n{}", "woof\n".repeat(n));
    child.stdin.take().unwrap().write_all(letter.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
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
    if !can_run(&["procmail"]) {
        return;
    }
    for (place, mailbox) in [
        ("mbox:spool/{user}", "spool/fido"),
        ("mh:mail/{user}", "mail/fido/inbox/."),
        ("maildir:mail/{user}", "mail/fido/"),
    ] {
        let house = House::new();
        let config = fs::read_to_string(house.config()).unwrap().replace("maildir:mail/{user}", place);
        fs::write(house.config(), config).unwrap();
        let path = house.path().join(mailbox);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mailbox = format!("{}/{mailbox}", house.path().display());
        // It takes the lock that the default mailbox has.
        fs::write(house.path().join("procmailrc"), format!("LOCKSLEEP=1\n:0:\n{mailbox}\n")).unwrap();
        let daemon = house.serve();
        let mut seen = BTreeSet::new();
        thread::scope(|scope| {
            let writer = scope.spawn(|| (0..MESSAGES).for_each(|n| procmail(&house, &mailbox, n)));
            loop {
                let ended = writer.is_finished();
                let mut client = daemon.connect();
                let reply = client.log_in();
                let count = reply[1..].split(' ').next().unwrap().parse();
                let count = count.unwrap_or_else(|_| panic!("{reply}: {}", daemon.log()));
                for n in fetch(&mut client, count) {
                    assert!(seen.insert(n), "{n} came twice in {place}");
                }
                if ended {
                    break;
                }
                // Where it finds a lock procmail comes back after a second.
                thread::sleep(Duration::from_millis(50));
            }
        });
        assert_eq!(seen.len(), MESSAGES, "{place}");
    }
}
