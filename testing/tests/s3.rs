//! The object store of tests does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use testing::S3;

#[test]
fn what_is_put_is_got_listed_and_deleted() {
    let store = S3::shared();
    let bucket = store.bucket();
    assert!(store.objects(&bucket).is_empty());
    let octets: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for key in ["mail/2", "mail/1", "a%20%26%20b"] {
        assert_eq!(store.request("PUT", &format!("/{bucket}/{key}"), &octets).0, 200);
    }
    let (status, got) = store.request("GET", &format!("/{bucket}/mail/1"), b"");
    assert!(status == 200 && got == octets, "{status}, {} octets", got.len());
    assert_eq!(store.objects(&bucket), ["a & b", "mail/1", "mail/2"]);
    let (status, list) = store.request("GET", &format!("/{bucket}?list-type=2&prefix=mail/"), b"");
    let list = String::from_utf8(list).unwrap();
    assert_eq!((status, list.matches("<Key>").count()), (200, 2), "{list}");
    assert!(list.contains("<Key>mail/1</Key>"), "{list}");
    assert_eq!(store.request("DELETE", &format!("/{bucket}/mail/1"), b"").0, 204);
    assert_eq!(store.request("GET", &format!("/{bucket}/mail/1"), b"").0, 404);
    assert_eq!(store.objects(&bucket), ["a & b", "mail/2"]);
    assert!(store.objects(&store.bucket()).is_empty());
}

#[test]
fn more_objects_than_a_list_holds_are_named() {
    let store = S3::shared();
    let bucket = store.bucket();
    let mut connection = Connection::to(store);
    for n in 0..1001 {
        assert_eq!(connection.ask("PUT", &format!("/{bucket}/{n:04}"), "", b"x").0, 200);
    }
    let objects = store.objects(&bucket);
    assert_eq!((objects.len(), objects[1000].as_str()), (1001, "1000"));
}

#[test]
fn a_connection_is_kept_and_a_body_comes_in_chunks() {
    let store = S3::shared();
    let bucket = store.bucket();
    let mut connection = Connection::to(store);
    let chunked = b"4\r\nwoof\r\n5\r\n woof\r\n0\r\n\r\n";
    let path = format!("/{bucket}/dog");
    assert_eq!(connection.ask("PUT", &path, "Transfer-Encoding: chunked\r\n", chunked).0, 200);
    assert_eq!(connection.ask("GET", &path, "", b""), (200, b"woof woof".to_vec()));
    assert_eq!(connection.ask("HEAD", &path, "", b"").0, 200);
    assert_eq!(connection.ask("GET", &path, "Range: bytes=5-8\r\n", b""), (206, b"woof".to_vec()));
    assert_eq!(connection.ask("PUT", &path, "If-None-Match: *\r\n", b"cat").0, 412);
    assert_eq!(connection.ask("GET", &path, "", b""), (200, b"woof woof".to_vec()));
}

#[test]
fn faults_come_as_often_as_they_are_set() {
    let store = S3::start();
    let bucket = store.bucket();
    let path = |n: i32| format!("/{bucket}/{n}");
    let put = |n: i32| store.request("PUT", &path(n), b"woof").0;
    let get = |n: i32| store.request("GET", &path(n), b"");

    store.faults("fail_put_every=3");
    assert_eq!((1..=6).map(put).collect::<Vec<_>>(), [200, 200, 503, 200, 200, 503]);
    assert_eq!(store.objects(&bucket), ["1", "2", "4", "5"]);
    assert_eq!((store.count("puts"), store.count("injected")), (6, 2), "{}", store.counts());

    store.faults("lose_put_every=1");
    assert_eq!(put(7), 200);
    assert_eq!(get(7).0, 404);

    store.faults("silent_put_every=1");
    let mut octets = Vec::new();
    let mut silent = TcpStream::connect(store.address()).unwrap();
    write!(silent, "PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", path(9)).unwrap();
    assert_eq!(silent.read_to_end(&mut octets).unwrap(), 0);
    assert_eq!(get(9), (200, b"x".to_vec()));
    assert_eq!(store.request("DELETE", &path(9), b"").0, 204);

    store.faults("fail_get_every=1");
    let (status, said) = get(1);
    assert!(status == 503 && String::from_utf8_lossy(&said).contains("<Code>SlowDown</Code>"));
    assert_eq!(store.request("GET", &format!("/{bucket}?list-type=2"), b"").0, 503);
    store.faults("fail_delete_every=1");
    assert_eq!(store.request("DELETE", &path(1), b"").0, 503);

    store.faults("truncate_get_every=2");
    assert_eq!(get(1), (200, b"woof".to_vec()));
    assert_eq!(get(1), (200, b"wo".to_vec()));
    assert_eq!(Connection::to(&store).ask_short("GET", &path(1)), None);
    let mut broken = Connection::to(&store);
    let promised = broken.ask_short("GET", &path(1));
    assert_eq!(promised, Some((4, b"wo".to_vec())), "the whole length is promised");

    store.faults("shorten_get_every=1");
    let mut connection = Connection::to(&store);
    assert_eq!(connection.ask("GET", &path(1), "", b""), (200, b"wo".to_vec()));

    store.faults("delay_ms=200");
    let begun = Instant::now();
    assert_eq!(get(1).0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(200));

    store.faults("down=1");
    assert_eq!((put(8), get(1).0), (503, 503));
    assert_eq!(store.request("HEAD", &format!("/{bucket}"), b"").0, 503);
    assert_eq!(store.objects(&bucket).len(), 4, "no fault touches what tests see");

    store.faults("");
    assert_eq!((put(8), get(8).0), (200, 200));
    assert_eq!(store.request("GET", "/_faults?fial_put_every=1", b"").0, 400);
}

#[test]
fn many_at_once_are_served() {
    let store = S3::shared();
    let bucket = store.bucket();
    thread::scope(|scope| {
        for writer in 0..4 {
            let bucket = &bucket;
            scope.spawn(move || {
                let mut connection = Connection::to(store);
                for n in 0..15 {
                    let path = format!("/{bucket}/{writer}-{n}");
                    assert_eq!(connection.ask("PUT", &path, "", path.as_bytes()).0, 200);
                    assert_eq!(connection.ask("GET", &format!("/{bucket}?list-type=2"), "", b"").0, 200);
                    assert_eq!(connection.ask("GET", &path, "", b""), (200, path.into_bytes()));
                }
            });
        }
    });
    assert_eq!(store.objects(&bucket).len(), 60);
}

/// A connection that is used again.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(store: &S3) -> Self {
        Self(BufReader::new(TcpStream::connect(store.address()).unwrap()))
    }

    /// The status and the promised length.
    fn head(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> (u16, usize) {
        let length = if fields.contains("Transfer-Encoding") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}{fields}\r\n");
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut lines = self.0.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let status = lines.next().expect("an answer").split(' ').nth(1).unwrap().parse().unwrap();
        let lengths =
            lines.filter_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        (status, lengths.last().unwrap_or(0))
    }

    fn ask(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (status, length) = self.head(method, path, fields, body);
        let mut answer = vec![0; if method == "HEAD" { 0 } else { length }];
        self.0.read_exact(&mut answer).unwrap();
        (status, answer)
    }

    /// What was promised and what has come, where that is less.
    fn ask_short(&mut self, method: &str, path: &str) -> Option<(usize, Vec<u8>)> {
        let (_, length) = self.head(method, path, "", b"");
        let mut answer = Vec::new();
        self.0.by_ref().take(length as u64).read_to_end(&mut answer).unwrap();
        (answer.len() < length).then_some((length, answer))
    }
}
