//! Large messages that lie there as on the wire: what was read once and has not changed is sent by the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    thread::sleep,
    time::Duration,
};

use common::{Client, House};

/// More than a connection holds by itself.
const SIZE: usize = 32 * 1024 * 1024;

const LINE: &[u8] = b"woof, woof, woof, woof, woof, woof, woof, woof, woof, woof, wo\r\n";

/// Longer than a file has to be left alone before its times tell every change, in file systems that count fractions.
const QUIET: Duration = Duration::from_millis(300);

/// A house with one large message in wire form, under a name that says so.
fn house(wire: &[u8]) -> (House, PathBuf) {
    let house = House::new();
    let name = format!("1700000001.large,S={0},W={0}", wire.len());
    house.put("fido", &name, wire);
    let path = [("new", ""), ("cur", ":2,")]
        .map(|(part, info)| house.maildir("fido").join(part).join(format!("{name}{info}")))
        .into_iter()
        .find(|path| path.exists())
        .unwrap();
    sleep(QUIET);
    (house, path)
}

fn fetch(client: &mut Client, wire: &[u8]) {
    let reply = client.say("READ 1");
    assert!(reply.starts_with(&format!("={} ", wire.len())), "{reply}");
    client.send(b"RETR\r\n");
    assert!(client.octets(wire.len()) == wire, "other octets");
}

#[test]
fn the_same_octets_come_each_time() {
    let wire = LINE.repeat(SIZE / LINE.len());
    let (house, _) = house(&wire);
    let daemon = house.serve();
    for _ in 0..2 {
        let mut client = daemon.connect();
        client.log_in();
        fetch(&mut client, &wire);
        assert!(client.say("NACK").starts_with('='));
        client.send(b"RETR\r\n");
        assert!(client.octets(wire.len()) == wire, "other octets, again");
        assert!(client.say("ACKS").starts_with("=0"));
    }
}

/// What is on its way when the file becomes shorter is all that comes: nothing stands in for the rest.
#[test]
fn a_file_that_becomes_shorter_on_the_way_ends_the_session() {
    let wire = LINE.repeat(SIZE / LINE.len());
    let (house, path) = house(&wire);
    let daemon = house.serve();
    let mut client = daemon.connect();
    client.log_in();
    fetch(&mut client, &wire);
    client.say("QUIT");
    let mut client = daemon.connect();
    client.log_in();
    client.say("READ 1");
    client.send(b"RETR\r\n");
    client.octets(1000);
    File::options().write(true).open(&path).unwrap().set_len(SIZE as u64 - 500_000).unwrap();
    let rest = client.end();
    assert!(rest.len() <= wire.len() - 1000 - 500_000, "{} octets", rest.len());
    assert!(wire[1000..].starts_with(&rest), "other octets");
    daemon.wait_for_log("the file was changed while it was sent");
}

/// It is looked at again then, so that what it holds now is what comes, or nothing does.
#[test]
fn a_file_that_was_changed_since_is_read_again() {
    let wire = LINE.repeat(100_000 / LINE.len());
    let (house, path) = house(&wire);
    let daemon = house.serve();
    let mut client = daemon.connect();
    client.log_in();
    fetch(&mut client, &wire);
    client.say("QUIT");
    // As long as before, but no longer in wire form.
    let bare = [&wire[..wire.len() - 2], b"x\n"].concat();
    OpenOptions::new().write(true).open(&path).unwrap().write_all(&bare).unwrap();
    sleep(QUIET);
    let mut client = daemon.connect();
    client.log_in();
    client.say("READ 1");
    client.send(b"RETR\r\n");
    assert!(wire.starts_with(&client.end()), "octets that the length did not promise");
    let found = [&wire[..wire.len() - 2], b"x\r\n"].concat();
    let mut client = daemon.connect();
    client.log_in();
    fetch(&mut client, &found);
    assert_eq!(fs::read(path).unwrap(), bare);
}
