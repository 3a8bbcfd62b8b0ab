//! Every file in `tests/dialogues` is a conversation with the whole daemon.
//!
//! ```text
//! # What it shows.
//! USER: name:password     another user; no password: a locked account
//! M: text                 a message in fido's inbox, `M folder:` in a folder, `NAME:` in another user's inbox
//! C: line                 the client says a line; `C~ octets` says octets just as they are, in one segment
//! S: line                 the server answers a line; `...` at the end stands for any rest
//! D: octets               the server sends octets
//! X                       the server closes;  CLOSE: the client does
//! LEFT: 2                 messages in fido's inbox; LEFT SOON waits for that
//! NO FOLDER: name         fido has no such folder
//! ```
//! A digit before `C`, `S`, `D`, `X` or `CLOSE` is for another connection. Texts know `\r \n \t \0 \\ \xNN`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Duration,
};

use common::{Client, Daemon, House};

#[test]
fn every_dialogue_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 40, "where are the dialogues?");
    let (queue, failed) = (Mutex::new(files), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(file) = { queue.lock().unwrap().pop() } {
                    let went = catch_unwind(AssertUnwindSafe(|| Dialogue::default().run(&file)));
                    if went.is_err() {
                        failed.lock().unwrap().push(file);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "these did not go as written: {failed:#?}");
}

#[derive(Default)]
struct Dialogue {
    mail: usize,
    clients: BTreeMap<u8, Client>,
}

impl Dialogue {
    fn run(mut self, file: &Path) {
        let text = fs::read_to_string(file).unwrap();
        let house = House::new();
        let mut daemon = None;
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{}:{number}: {line}", file.file_name().unwrap().to_string_lossy());
            if !line.is_empty() && !line.starts_with('#') {
                self.line(line, &house, &mut daemon, &place);
            }
        }
    }

    fn line(&mut self, line: &str, house: &House, daemon: &mut Option<Daemon>, place: &str) {
        let (which, line) = match line.as_bytes() {
            [digit @ b'2'..=b'9', ..] => (*digit, &line[1..]),
            _ => (b'1', line),
        };
        let (verb, rest) =
            line.split_once([':', '~']).map_or((line, ""), |(verb, rest)| (verb, rest.trim_start()));
        match verb {
            "USER" => {
                let (name, password) = rest.split_once(':').unwrap();
                let scheme = if password.is_empty() { "" } else { "{PLAIN}" };
                let mut users = fs::OpenOptions::new().append(true).open(house.path().join("users")).unwrap();
                writeln!(users, "{name}:{scheme}{password}").unwrap();
            }
            "LEFT" => assert_eq!(left(house), rest.parse().unwrap(), "{place}"),
            "LEFT SOON" => {
                let expected: usize = rest.parse().unwrap();
                let arrived = (0..500).any(|_| {
                    thread::sleep(Duration::from_millis(10));
                    left(house) == expected
                });
                assert!(arrived, "{place}: there are {}", left(house));
            }
            "NO FOLDER" => assert!(!house.maildir("fido").join(format!(".{rest}")).exists(), "{place}"),
            "C" | "S" | "D" | "X" | "CLOSE" => {
                self.wire(which, line, verb, rest, daemon.get_or_insert_with(|| house.serve()), place);
            }
            _ => {
                let (user, folder) = match verb.split_once(' ') {
                    Some(("M", folder)) => ("fido".to_owned(), format!(".{folder}/new")),
                    _ if verb == "M" => ("fido".to_owned(), "new".to_owned()),
                    _ => (verb.to_lowercase(), "new".to_owned()),
                };
                self.mail += 1;
                let folder = house.maildir(&user).join(folder);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(format!("17000000{:02}.x.host", self.mail)), octets(rest)).unwrap();
            }
        }
    }

    fn wire(&mut self, which: u8, line: &str, verb: &str, rest: &str, daemon: &Daemon, place: &str) {
        let client = self.clients.entry(which).or_insert_with(|| daemon.connect());
        match verb {
            "C" if line.starts_with("C~") => {
                client.send(&octets(rest));
                // Long enough for the segment to arrive by itself.
                thread::sleep(Duration::from_millis(5));
            }
            "C" => client.send(format!("{rest}\r\n").as_bytes()),
            "S" => {
                let heard = client.line();
                match rest.strip_suffix("...") {
                    Some(beginning) => assert!(heard.starts_with(beginning), "{place}: heard {heard:?}"),
                    None => assert_eq!(heard, rest, "{place}"),
                }
            }
            "D" => {
                let expected = octets(rest);
                let sent = client.octets(expected.len());
                assert!(sent == expected, "{place}: sent {:?}", sent.escape_ascii().to_string());
            }
            "X" => assert_eq!(client.end(), b"", "{place}"),
            _ => drop(self.clients.remove(&which)),
        }
    }
}

/// The messages in fido's inbox.
fn left(house: &House) -> usize {
    let count = |part: &str| fs::read_dir(house.maildir("fido").join(part)).map_or(0, Iterator::count);
    count("new") + count("cur")
}

fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next().expect("an escape at the end") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                b'\\' => b'\\',
                other => panic!("no such escape: {}", char::from(other)),
            },
            octet => octet,
        });
    }
    octets
}
