//! Everything at once that strangers do to a server that can be reached, while fifty honest sessions fetch their mail
//! and get every octet of it. What the server takes is bounded, and comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    collections::VecDeque,
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::{
    Client, Daemon, House,
    figures::{descriptors, private_memory, raise_the_limit_of_open_files, wait_until_at_rest},
    net::{certify, connect_from},
};

const ATTACK: Duration = Duration::from_secs(8);

/// The strangers have 12 places each, so they cannot take those of the honest.
const CONFIG: &str = "
[[listener]]
address = '127.0.0.1:0'
[[listener]]
address = '127.0.0.2:0'
certificate = 'one.crt'
key = 'one.key'
[metrics]
address = '127.0.0.1:0'
[limits]
sessions = 700
sessions_per_address = 12
sessions_per_account = 150
login_seconds = 5
idle_seconds = 5
";

/// What the server may grow by during the attack, in octets: some 300 sessions, with 64 KiB of output where a client
/// takes none.
const DURING: u64 = 48 * 1024 * 1024;

/// What of it may stay after it: what the allocator and the threads keep.
const AFTER: u64 = 32 * 1024 * 1024;

const HONEST: u8 = 50;
const MESSAGES: usize = 12;

/// Connections of one stranger that stay open at once.
const HELD: usize = 16;

/// What a stranger does from the address 127.0.0.n.
type Act = fn(&Attack, u8);

struct Attack {
    daemon: Daemon,
    by_tls: SocketAddr,
    over: AtomicBool,
    refused: AtomicUsize,
}

fn stored(number: usize) -> Vec<u8> {
    let lines = (0..number * 40).map(|line| format!("{line} {}\n", "woof ".repeat((line * 7 + number) % 30)));
    format!("Subject: {number}\n\n{}", lines.collect::<String>()).into_bytes()
}

/// Numbers that look random, and are the same in each run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

impl Attack {
    /// Does something again and again while the attack lasts, not faster than some hundred times a second.
    fn repeat(&self, mut act: impl FnMut()) {
        while !self.over.load(Ordering::Relaxed) {
            act();
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn connect(&self, last: u8) -> Option<TcpStream> {
        let stream = connect_from(last, self.daemon.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Some(stream)
    }

    /// A line of HELO, octet by octet, on many connections.
    fn drip(&self, last: u8) {
        let mut held = VecDeque::new();
        self.repeat(|| {
            if held.len() < HELD {
                held.extend(self.connect(last));
            }
            held.retain_mut(|stream| stream.write_all(b"H").is_ok());
            thread::sleep(Duration::from_millis(50));
        });
    }

    /// Logs in and says nothing more, or asks for a long message and takes no octet.
    fn take_nothing(&self, last: u8) {
        let mut held = VecDeque::new();
        let mut count = 0;
        self.repeat(|| {
            let Some(mut stream) = self.connect(last) else { return };
            let says: &[u8] =
                if count % 3 == 0 { b"HELO smith cat\r\n" } else { b"HELO smith cat\r\nREAD\r\nRETR\r\n" };
            let _ = stream.write_all(says);
            count += 1;
            held.push_back(stream);
            if held.len() > HELD {
                held.pop_front();
            }
            thread::sleep(Duration::from_millis(50));
        });
    }

    /// Takes all places that there are for it, and knocks on.
    fn flood(&self, last: u8) {
        let mut held = VecDeque::new();
        self.repeat(|| {
            let Some(mut stream) = self.connect(last) else { return };
            let mut first = [0; 512];
            let count = match stream.read(&mut first) {
                Ok(count) => count,
                Err(error) => panic!("no word for one too many: {error}"),
            };
            let said = str::from_utf8(&first[..count]).unwrap();
            if said.starts_with("+ POP2 ") {
                held.push_back(stream);
                if held.len() > HELD {
                    held.pop_front();
                }
            } else {
                assert!(said.starts_with("- too many sessions") && said.ends_with("\r\n"), "{said:?}");
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Connects and says nothing; or goes at once, with a reset.
    fn half_open(&self, last: u8) {
        let mut held = VecDeque::new();
        let mut count = 0;
        self.repeat(|| {
            let Some(stream) = self.connect(last) else { return };
            count += 1;
            if count % 4 == 0 {
                held.push_back(stream);
                if held.len() > HELD {
                    held.pop_front();
                }
            } else {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
            }
        });
    }

    /// Octets that mean nothing, and lines without an end.
    fn garble(&self, last: u8) {
        let mut state = u64::from(last) + 1;
        self.repeat(|| {
            let Some(mut stream) = self.connect(last) else { return };
            let kind = next(&mut state) % 4;
            for _ in 0..next(&mut state) % 64 {
                let block: Vec<u8> = match kind {
                    0 => vec![b'x'; 16 * 1024],
                    1 => b"HELO \0\xff\r\n".repeat(100),
                    _ => (0..4096).map(|_| next(&mut state).to_le_bytes()[0]).collect(),
                };
                if stream.write_all(&block).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            // What is heard, if it was not lost in a reset, is lines and a close.
            let mut heard = Vec::new();
            match stream.read_to_end(&mut heard) {
                Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("not closed: {error}"),
                _ => assert!(heard.is_empty() || heard.ends_with(b"\r\n"), "{}", heard.escape_ascii()),
            }
        });
    }

    /// Handshakes that end in the middle, or never.
    fn break_off(&self, last: u8) {
        const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03woof woof woof";
        let mut held = VecDeque::new();
        let mut state = u64::from(last) + 1;
        self.repeat(|| {
            let Ok(mut stream) = connect_from(last, self.by_tls) else { return };
            let some = usize::try_from(next(&mut state)).unwrap_or(0) % (HELLO.len() + 1);
            let _ = stream.write_all(&HELLO[..some]);
            if some.is_multiple_of(3) {
                held.push_back(stream);
                if held.len() > HELD {
                    held.pop_front();
                }
            }
        });
    }

    /// Passwords of whom there is and whom there is not.
    fn guess(&self, last: u8) {
        let mut count = 0;
        self.repeat(|| {
            let Some(mut stream) = self.connect(last) else { return };
            count += 1;
            let user = ["fido", "smith", "rex"][count % 3];
            let _ = stream.write_all(format!("HELO {user} bone{count}\r\n").as_bytes());
            let mut heard = String::new();
            if stream.read_to_string(&mut heard).is_ok() {
                assert!(!heard.contains('#'), "{heard}");
            }
        });
    }

    /// All mail, again and again, to the octet. Returns how many sessions it were.
    fn fetch(&self, last: u8, expected: &[Vec<u8>]) -> usize {
        let mut sessions = 0;
        while !self.over.load(Ordering::Relaxed) || sessions == 0 {
            self.session(last, expected);
            sessions += 1;
        }
        sessions
    }

    fn session(&self, last: u8, expected: &[Vec<u8>]) {
        let mut client = Client::over(connect_from(last, self.daemon.address).unwrap());
        assert_eq!(client.log_in(), format!("#{} messages for you", expected.len()));
        for _ in 0..3 {
            for (number, octets) in (1..).zip(expected) {
                let reply = client.say(&format!("READ {number}"));
                assert_eq!(reply, format!("={} characters in message {number}", octets.len()));
                client.send(b"RETR\r\n");
                assert!(client.octets(octets.len()) == *octets, "message {number} came wrong");
                client.say("ACKS");
            }
        }
        assert_eq!(client.say("QUIT"), "+ OK, bye");
        assert_eq!(client.end(), b"");
    }
}

#[test]
fn honest_sessions_get_every_octet_while_strangers_do_their_worst() {
    raise_the_limit_of_open_files();
    let house = House::with_config(CONFIG);
    certify(&house, "one");
    for number in 1..=MESSAGES {
        house.put("fido", &format!("17000000{number:02}.a"), &stored(number));
    }
    house.put("smith", "1700000000.a", &b"0123456789abcde\n".repeat(1_000_000));
    let expected: Vec<Vec<u8>> = (1..=MESSAGES)
        .map(|number| String::from_utf8(stored(number)).unwrap().replace('\n', "\r\n").into_bytes())
        .collect();
    let daemon = house.serve();
    daemon.wait_for_log("HTTP");
    let log = daemon.log();
    let by_tls = log.lines().find_map(|line| line.split_once("listening address=127.0.0.2:")).unwrap().1;
    let by_tls = SocketAddr::from(([127, 0, 0, 2], by_tls.split(' ').next().unwrap().parse().unwrap()));
    let attack = &Attack { daemon, by_tls, over: AtomicBool::new(false), refused: AtomicUsize::new(0) };
    let pid = attack.daemon.pid();

    // The honest are no strangers: nobody can make them wait who guesses elsewhere.
    (100..100 + HONEST).for_each(|last| attack.session(last, &expected));
    let descriptors_before = descriptors(pid);
    let (before, mut most) = (private_memory(pid), 0);
    let sessions: usize = thread::scope(|scope| {
        let strangers: [(Act, _); 7] = [
            (Attack::drip, 10..13),
            (Attack::take_nothing, 20..24),
            (Attack::flood, 30..33),
            (Attack::half_open, 40..43),
            (Attack::garble, 50..53),
            (Attack::break_off, 60..63),
            (Attack::guess, 70..86),
        ];
        for (act, addresses) in strangers {
            for last in addresses {
                scope.spawn(move || act(attack, last));
            }
        }
        let honest: Vec<_> = (100..100 + HONEST)
            .map(|last| {
                let expected = &expected;
                scope.spawn(move || attack.fetch(last, expected))
            })
            .collect();
        let begun = Instant::now();
        while begun.elapsed() < ATTACK {
            most = most.max(private_memory(pid));
            thread::sleep(Duration::from_millis(100));
        }
        attack.over.store(true, Ordering::Relaxed);
        honest.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let descriptors_after = wait_until_at_rest(&attack.daemon, descriptors_before);
    let after = private_memory(pid);
    let refused = attack.refused.load(Ordering::Relaxed);
    println!(
        "{sessions} honest sessions; {refused} turned away; memory {before}, at most {most}, then {after}; \
         descriptors {descriptors_before}, then {descriptors_after}"
    );
    assert!(refused > 0, "the flood has come to the limit");
    assert!(most <= before + DURING, "it grew from {before} to {most}");
    assert!(after <= before + AFTER, "it stayed at {after}, from {before}");
    let log = attack.daemon.log();
    for bad in ["panicked", "ERROR"] {
        assert!(!log.contains(bad), "{}", log.lines().find(|line| line.contains(bad)).unwrap());
    }
    for said in ["too many sessions from one address", "login refused", "timed out", "error=no TLS"] {
        assert!(log.contains(said), "nothing of {said:?} has happened");
    }
    // It takes new ones, as if nothing had been.
    attack.session(100, &expected);
    assert!(fs::exists(house.maildir("smith").join("new/1700000000.a")).unwrap());
}
