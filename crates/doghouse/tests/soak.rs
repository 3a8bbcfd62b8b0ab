//! Many short sessions for as long as is wished: what the server takes stays flat, and no message is lost or seen
//! again after its deletion.
//!
//! `DOGHOUSE_SOAK_SECONDS` says how long, 5 without it. Before a release it is 600.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{
    Client, Daemon, House,
    figures::{descriptors, private_memory, wait_until_at_rest},
    net::{certify, tls},
    patient,
};
use rustix::process::Signal;
use tokio_rustls::rustls::version::TLS13;

/// By how much the server may grow from the first quarter's mark to any later one, in octets: what the allocator
/// keeps for the next burst comes and goes by a few MiB.
const TOLERANCE: u64 = 8 * 1024 * 1024;

/// More wait in no mailbox, so that a long soak is one of many sessions and not of long ones.
const WAITING: usize = 30;

const USERS: [&str; 4] = ["fido", "smith", "rex", "bello"];

const CONFIG: &str = "
[log]
level = 'info,doghouse::session=warn,doghouse::smtp=warn'
[[listener]]
address = '127.0.0.1:0'
[[listener]]
address = '127.0.0.2:0'
certificate = 'one.crt'
key = 'one.key'
[[lmtp]]
address = '127.0.0.1:0'
[delivery]
domains = ['dog-house.example']
[metrics]
address = '127.0.0.1:0'
";

/// A user's messages, by number, as they have to be.
#[derive(Default)]
struct Ledger {
    /// On their way or there.
    begun: BTreeSet<u64>,
    /// Surely there.
    there: BTreeSet<u64>,
}

/// What all threads share.
struct Soak {
    house: House,
    daemon: Daemon,
    by_tls: SocketAddr,
    ledgers: [Mutex<Ledger>; USERS.len()],
    /// Held for writing while the server is measured at rest.
    at_work: RwLock<()>,
    over: AtomicBool,
    next: AtomicU64,
    sessions: AtomicU64,
    fetched: AtomicU64,
    deleted: AtomicU64,
}

/// What a message with this number holds, as it is stored.
fn content(number: u64) -> Vec<u8> {
    let lines = (0..number % 37 * (number % 7)).map(|line| {
        format!("{line} {}\n", "woof ".repeat(usize::try_from((line * 31 + number) % 100).unwrap()))
    });
    format!("X-Number: {number}\n\n{}", lines.collect::<String>()).into_bytes()
}

fn on_the_wire(stored: &[u8]) -> Vec<u8> {
    String::from_utf8(stored.to_vec()).unwrap().replace('\n', "\r\n").into_bytes()
}

fn number_of(message: &[u8]) -> u64 {
    let text = str::from_utf8(message).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("X-Number: "));
    line.unwrap_or_else(|| panic!("no message of ours: {text}")).parse().unwrap()
}

impl Soak {
    fn begin() -> Self {
        let house = House::with_config(CONFIG);
        certify(&house, "one");
        let users: Vec<String> = USERS.iter().map(|user| format!("{user}:{{PLAIN}}bone\n")).collect();
        fs::write(house.path().join("users"), users.concat()).unwrap();
        let daemon = house.serve();
        daemon.wait_for_log("HTTP");
        let log = daemon.log();
        let mut doors = log.lines().filter(|line| line.ends_with("protocol=\"POP2\""));
        let second = doors.nth(1).unwrap().split("address=").nth(1).unwrap();
        let by_tls = second.split(' ').next().unwrap().parse().unwrap();
        Self {
            house,
            daemon,
            by_tls,
            ledgers: Default::default(),
            at_work: RwLock::default(),
            over: AtomicBool::new(false),
            next: AtomicU64::new(1),
            sessions: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
        }
    }

    /// Puts mail into a user's mailbox, by one way and another.
    fn deliver(&self, user: usize) {
        let lmtp = self.daemon.listens("LMTP");
        while !self.over.load(Ordering::Relaxed) {
            let _at_work = self.at_work.read().unwrap();
            if self.ledgers[user].lock().unwrap().begun.len() >= WAITING {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            let numbers: Vec<u64> = (0..3).map(|_| self.next.fetch_add(1, Ordering::Relaxed)).collect();
            self.ledgers[user].lock().unwrap().begun.extend(&numbers);
            if numbers[0].is_multiple_of(4) {
                send(&lmtp, USERS[user], &numbers);
            } else {
                for number in &numbers {
                    self.put(user, *number);
                }
            }
            // A session may have found and deleted some already.
            let mut ledger = self.ledgers[user].lock().unwrap();
            let there: Vec<u64> =
                numbers.into_iter().filter(|number| ledger.begun.contains(number)).collect();
            ledger.there.extend(there);
        }
    }

    /// As another program does, with the lengths in the name or without.
    fn put(&self, user: usize, number: u64) {
        let folder = self.house.maildir(USERS[user]);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let stored = content(number);
        let (size, length) = (stored.len(), pop2::wire::length(&stored));
        let told = if number.is_multiple_of(2) { format!(",S={size},W={length}") } else { String::new() };
        let name = format!("1700000000.M{number}.elsewhere{told}");
        let written: PathBuf = folder.join("tmp").join(&name);
        fs::write(&written, stored).unwrap();
        fs::rename(written, folder.join("new").join(name)).unwrap();
    }

    /// Fetches a user's mail again and again.
    fn fetch(&self, user: usize) {
        let certificate = self.house.path().join("one.crt");
        while !self.over.load(Ordering::Relaxed) {
            let _at_work = self.at_work.read().unwrap();
            let session = self.sessions.fetch_add(1, Ordering::Relaxed);
            if session.is_multiple_of(8) {
                let stream = TcpStream::connect(self.by_tls).unwrap();
                self.session(user, session, tls(stream, &certificate, &TLS13));
            } else {
                self.session(user, session, self.daemon.connect());
            }
        }
    }

    /// One session: everything is compared, some of it deleted. Some break off, and delete nothing.
    fn session<S: Read + Write>(&self, user: usize, session: u64, mut client: Client<S>) {
        let before = self.ledgers[user].lock().unwrap().there.clone();
        client.line();
        let greeting = client.say(&format!("HELO {} bone", USERS[user]));
        let begun = self.ledgers[user].lock().unwrap().begun.clone();
        let count = greeting.strip_prefix('#').unwrap_or_else(|| panic!("{greeting}"));
        let count: usize = count.split(' ').next().unwrap().parse().unwrap();
        let (mut seen, mut marked) = (BTreeSet::new(), BTreeSet::new());
        let mut reply = client.say("READ");
        for _ in 0..count {
            let length = reply.strip_prefix('=').unwrap().split(' ').next().unwrap().parse().unwrap();
            client.send(b"RETR\r\n");
            let octets = client.octets(length);
            let number = number_of(&octets);
            // What comes by LMTP has a header or two of the server's own before it.
            assert!(octets.ends_with(&on_the_wire(&content(number))), "message {number} came wrong");
            assert!(seen.insert(number), "message {number} is there twice");
            self.fetched.fetch_add(1, Ordering::Relaxed);
            let delete = !(number + session).is_multiple_of(3);
            if delete {
                marked.insert(number);
            }
            reply = client.say(if delete { "ACKD" } else { "ACKS" });
        }
        assert!(reply.starts_with("=0 "), "{reply}");
        let lost: Vec<_> = before.difference(&seen).collect();
        assert!(lost.is_empty(), "{} has lost {lost:?}", USERS[user]);
        let again: Vec<_> = seen.difference(&begun).collect();
        assert!(again.is_empty(), "{} sees {again:?} again, which were deleted", USERS[user]);
        if session % 5 == 4 {
            return;
        }
        assert_eq!(client.say("QUIT"), "+ OK, bye");
        client.end();
        let mut ledger = self.ledgers[user].lock().unwrap();
        ledger.begun.retain(|number| !marked.contains(number));
        ledger.there.retain(|number| !marked.contains(number));
        self.deleted.fetch_add(marked.len() as u64, Ordering::Relaxed);
    }

    /// Takes the configuration anew, and now and then a changed users file.
    fn reload(&self) {
        for round in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(Duration::from_millis(300));
            if round.is_multiple_of(3) {
                let users = self.house.path().join("users");
                let text = fs::read_to_string(&users).unwrap();
                let kept = text.lines().filter(|line| !line.starts_with('#'));
                let text: String =
                    kept.chain([&*format!("# {round}")]).flat_map(|line| [line, "\n"]).collect();
                // Nobody may find half a file.
                fs::write(users.with_extension("new"), text).unwrap();
                fs::rename(users.with_extension("new"), users).unwrap();
            }
            self.daemon.signal(Signal::HUP);
        }
    }

    /// What the server takes while nobody asks anything of it.
    fn measure(&self, descriptors_before: usize) -> Mark {
        let nobody_else = self.at_work.write().unwrap();
        let mark = Mark {
            descriptors: wait_until_at_rest(&self.daemon, descriptors_before),
            memory: private_memory(self.daemon.pid()),
        };
        drop(nobody_else);
        mark
    }
}

/// The server at rest.
#[derive(Debug, Clone, Copy)]
struct Mark {
    descriptors: usize,
    memory: u64,
}

/// Sends messages by LMTP.
fn send(to: &str, user: &str, numbers: &[u64]) {
    let mut stream = BufReader::new(patient(TcpStream::connect(to).unwrap()));
    let mut expect = |says: &[u8], code: &str| {
        stream.get_mut().write_all(says).unwrap();
        let mut reply = String::new();
        while reply.is_empty() || reply.lines().last().unwrap().as_bytes()[3] == b'-' {
            assert!(stream.read_line(&mut reply).unwrap() > 0, "{reply}");
        }
        assert!(reply.starts_with(code), "{reply}");
    };
    expect(b"", "220");
    expect(b"LHLO x\r\n", "250");
    for number in numbers {
        expect(b"MAIL FROM:<a@b.example>\r\n", "250");
        expect(format!("RCPT TO:<{user}>\r\n").as_bytes(), "250");
        expect(b"DATA\r\n", "354");
        expect(&[&on_the_wire(&content(*number))[..], b".\r\n"].concat(), "250");
    }
    expect(b"QUIT\r\n", "221");
}

#[test]
fn what_the_server_takes_stays_flat_and_no_message_is_lost_or_comes_back() {
    let seconds = std::env::var("DOGHOUSE_SOAK_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    let soak = &Soak::begin();
    let at_first = descriptors(soak.daemon.pid());
    let begun = Instant::now();
    let mut marks = Vec::new();
    thread::scope(|scope| {
        // A thread that fails ends the others.
        let run = |work: Box<dyn FnOnce() + Send>| {
            scope.spawn(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                if let Err(panic) = outcome {
                    soak.over.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            });
        };
        for user in 0..USERS.len() {
            run(Box::new(move || soak.deliver(user)));
            run(Box::new(move || soak.fetch(user)));
        }
        run(Box::new(move || soak.reload()));
        for quarter in 1..=4 {
            let end = begun + Duration::from_secs(seconds) * quarter / 4;
            while Instant::now() < end && !soak.over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            if soak.over.load(Ordering::Relaxed) {
                break;
            }
            let mark = soak.measure(at_first);
            println!("after {:?}: {mark:?}", begun.elapsed());
            marks.push(mark);
        }
        soak.over.store(true, Ordering::Relaxed);
    });
    println!(
        "{} sessions, {} messages fetched, {} deleted",
        soak.sessions.load(Ordering::Relaxed),
        soak.fetched.load(Ordering::Relaxed),
        soak.deleted.load(Ordering::Relaxed)
    );
    assert!(marks.iter().all(|mark| mark.descriptors <= at_first), "{marks:?}");
    assert!(marks.iter().all(|mark| mark.memory <= marks[0].memory + TOLERANCE), "{marks:?}");
    assert!(soak.deleted.load(Ordering::Relaxed) > 0);
    // What is left is what has to be.
    for user in 0..USERS.len() {
        soak.session(user, 4, soak.daemon.connect());
    }
    let log = soak.daemon.log();
    for bad in ["panicked", "ERROR"] {
        assert!(!log.contains(bad), "{}", log.lines().find(|line| line.contains(bad)).unwrap());
    }
}
