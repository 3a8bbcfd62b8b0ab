//! The `HAProxy` of tests does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use testing::{Front, Haproxy};

/// What each connection to a backend brings first, after which the backend says its name.
fn backend(name: &'static str, length: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut octets = vec![0; length];
                if stream.read_exact(&mut octets).is_ok() {
                    let _ = stream.write_all(&[name.as_bytes(), &octets].concat());
                }
            });
        }
    });
    address
}

fn ask(address: SocketAddr, said: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn backends_have_their_turns() {
    let backends = [backend("one ", 4), backend("two ", 4)];
    let haproxy = Haproxy::start(&[Front { name: "pop2", backends: &backends, proxy: false, check: false }]);
    let mut answers: Vec<_> = (0..6).map(|_| ask(haproxy.address("pop2"), "woof")).collect();
    assert_ne!(answers[0], answers[1]);
    answers.sort();
    assert_eq!(answers[..3], [b"one woof", b"one woof", b"one woof"]);
    assert_eq!(answers[3..], [b"two woof", b"two woof", b"two woof"]);
}

#[test]
fn a_proxy_header_says_who_connects() {
    // Signature, version and command, family, length; addresses and ports.
    let backends = [backend("", 28 + 4)];
    let fronts = [
        Front { name: "plain", backends: &backends, proxy: false, check: false },
        Front { name: "proxied", backends: &backends, proxy: true, check: true },
    ];
    let haproxy = Haproxy::start(&fronts);
    let mut stream = TcpStream::connect(haproxy.address("proxied")).unwrap();
    stream.write_all(b"woof").unwrap();
    let mut head = [0; 32];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    assert_eq!(head[16..24], [127, 0, 0, 1, 127, 0, 0, 1]);
    assert_eq!(head[24..26], stream.local_addr().unwrap().port().to_be_bytes());
    assert_eq!(head[26..28], haproxy.address("proxied").port().to_be_bytes());
    assert_eq!(head[28..], *b"woof");
    assert_eq!(ask(haproxy.address("plain"), &"w".repeat(32)), vec![b'w'; 32]);
}

#[test]
fn a_backend_that_is_gone_is_left_out() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let backends = [backend("one ", 4), gone.local_addr().unwrap()];
    drop(gone);
    let front = |name, check| Front { name, backends: &backends, proxy: false, check };
    let haproxy = Haproxy::start(&[front("checked", true), front("unchecked", false)]);
    for name in ["checked", "unchecked"] {
        for _ in 0..4 {
            assert_eq!(ask(haproxy.address(name), "woof"), b"one woof", "{name}");
        }
    }
}

#[test]
fn nothing_listens_where_it_was_dropped() {
    let backends = [backend("one ", 4)];
    let haproxy = Haproxy::start(&[Front { name: "pop2", backends: &backends, proxy: false, check: true }]);
    let address = haproxy.address("pop2");
    assert_eq!(ask(address, "woof"), b"one woof");
    let begun = Instant::now();
    drop(haproxy);
    assert!(begun.elapsed() < Duration::from_secs(4), "it ends when it is told");
    assert!(TcpStream::connect(address).is_err());
}
