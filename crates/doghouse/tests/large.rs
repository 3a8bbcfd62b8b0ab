//! Large messages that lie there as on the wire: what was read once and has not changed is sent by the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::PathBuf,
    thread::sleep,
    time::Duration,
};

use common::{
    Client, Daemon, House,
    net::{certify, connect_from, tls},
};
use tokio_rustls::rustls::version::TLS13;

/// More than a connection holds by itself.
const SIZE: usize = 32 * 1024 * 1024;

const LINE: &[u8] = b"woof, woof, woof, woof, woof, woof, woof, woof, woof, woof, wo\r\n";

/// Longer than a file has to be left alone before its times tell every change, in file systems that count fractions.
const QUIET: Duration = Duration::from_millis(300);

fn wire(size: usize) -> Vec<u8> {
    LINE.repeat(size / LINE.len())
}

/// Puts one message in wire form into a house, under a name that says so, and returns its file.
fn put(house: &House, wire: &[u8]) -> PathBuf {
    let name = format!("1700000001.large,S={0},W={0}", wire.len());
    house.put("fido", &name, wire);
    sleep(QUIET);
    house.maildir("fido").join("new").join(name)
}

fn fetch<S: Read + Write>(client: &mut Client<S>, wire: &[u8]) {
    client.log_in();
    let reply = client.say("READ 1");
    assert!(reply.starts_with(&format!("={} ", wire.len())), "{reply}");
    client.send(b"RETR\r\n");
    assert!(client.octets(wire.len()) == wire, "other octets");
}

/// Asks for the message in a session of its own.
fn ask(daemon: &Daemon) -> Client {
    let mut client = daemon.connect();
    client.log_in();
    client.say("READ 1");
    client.send(b"RETR\r\n");
    client
}

#[test]
fn the_same_octets_come_each_time() {
    let (house, wire) = (House::new(), wire(SIZE));
    put(&house, &wire);
    let daemon = house.serve();
    for _ in 0..2 {
        let mut client = daemon.connect();
        fetch(&mut client, &wire);
        assert!(client.say("NACK").starts_with('='));
        client.send(b"RETR\r\n");
        assert!(client.octets(wire.len()) == wire, "other octets, again");
        assert!(client.say("ACKS").starts_with("=0"));
    }
}

/// Behind a PROXY header the kernel may send the file; under TLS it would send it in clear.
#[test]
fn what_lies_between_the_session_and_the_socket_is_not_passed_by() {
    for with_tls in [false, true] {
        let keys = if with_tls { "certificate = 'one.crt'\nkey = 'one.key'\n" } else { "" };
        let house = House::with_config(&format!(
            "[[listener]]\naddress = '127.0.0.1:0'\nproxy_from = ['127.0.0.2/32']\n{keys}"
        ));
        certify(&house, "one");
        let wire = wire(1024 * 1024);
        put(&house, &wire);
        let daemon = house.serve();
        for last in [1, 1, 2] {
            let mut stream = connect_from(last, daemon.address).unwrap();
            if last == 2 {
                stream.write_all(b"PROXY UNKNOWN\r\n").unwrap();
            }
            if with_tls {
                fetch(&mut tls(stream, &house.path().join("one.crt"), &TLS13), &wire);
            } else {
                fetch(&mut Client::new(stream), &wire);
            }
        }
    }
}

/// What is on its way when the file becomes shorter is all that comes: nothing stands in for the rest.
#[test]
fn a_file_that_becomes_shorter_on_the_way_ends_the_session() {
    let (house, wire) = (House::new(), wire(SIZE));
    let path = put(&house, &wire);
    let daemon = house.serve();
    fetch(&mut daemon.connect(), &wire);
    let mut client = ask(&daemon);
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
    let (house, wire) = (House::new(), wire(100_000));
    let path = put(&house, &wire);
    let daemon = house.serve();
    fetch(&mut daemon.connect(), &wire);
    // As long as before, but no longer in wire form.
    let bare = [&wire[..wire.len() - 2], b"x\n"].concat();
    fs::write(&path, &bare).unwrap();
    sleep(QUIET);
    assert!(wire.starts_with(&ask(&daemon).end()), "octets that the length did not promise");
    let found = [&wire[..wire.len() - 2], b"x\r\n"].concat();
    fetch(&mut daemon.connect(), &found);
}
