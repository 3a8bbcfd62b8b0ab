//! Sessions by hand: with telnet, with nc, and with ten lines of shell.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::{can_run, common::House, wait_for};

/// What has come on a stream so far.
type Heard = Arc<Mutex<Vec<u8>>>;

/// Collects a stream, and passes it on.
fn pass(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> Heard {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut octets) {
            ear.lock().unwrap().extend_from_slice(&octets[..count]);
            if to.write_all(&octets[..count]).is_err() {
                break;
            }
        }
    });
    heard
}

/// A way to the server on which what the client sends is overheard, once a client is there.
fn overhear(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Option<Heard>>>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (door.local_addr().unwrap(), Arc::new(Mutex::new(None)));
    let ear = Arc::clone(&heard);
    thread::spawn(move || {
        let (client, server) = (door.accept().unwrap().0, TcpStream::connect(server).unwrap());
        *ear.lock().unwrap() = Some(pass(client.try_clone().unwrap(), server.try_clone().unwrap()));
        let _ = std::io::copy(&mut { server }, &mut { &client });
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    (address, heard)
}

fn left(house: &House) -> usize {
    fs::read_dir(house.maildir("fido").join("new")).unwrap().count()
}

/// A terminal with a program in it.
struct Terminal {
    keys: ChildStdin,
    screen: Heard,
    seen: usize,
}

impl Terminal {
    fn open(command: &str) -> Self {
        let mut script = Command::new("script");
        script.args(["--quiet", "--flush", "--command", command, "/dev/null"]).env("TERM", "dumb");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        thread::spawn(move || child.wait());
        Self { keys, screen: pass(screen, std::io::sink()), seen: 0 }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until it shows this, after what was seen before.
    fn shows(&mut self, text: &str) {
        self.seen += wait_for(text, || {
            let screen = self.screen.lock().unwrap();
            let new = String::from_utf8_lossy(&screen[self.seen..]).into_owned();
            new.find(text).map(|at| at + text.len())
        });
    }
}

/// A session as a person types it, with a mistake that is corrected, and the last word in haste.
fn telnet(options: &str) -> Vec<u8> {
    let house = House::new();
    house.put("fido", "1700000000.a", b"Subject: one\n\nwoof\n");
    let daemon = house.serve();
    let (address, heard) = overhear(daemon.address);
    let mut terminal = Terminal::open(&format!("telnet -- {} {options}{}", address.ip(), address.port()));
    terminal.shows("+ POP2 dog-house.example");
    for (typed, shown) in [
        ("helo fido bone", "#1 messages for you"),
        ("reax\x7fd", "=22 characters in message 1"),
        ("retr", "Subject: one\r\n\r\nwoof\r\n"),
        ("ackd", "=0 characters"),
        ("fold inbox", "#0 messages"),
    ] {
        terminal.types(&format!("{typed}\n"));
        terminal.shows(shown);
    }
    // The interrupt key sends options in front of the next line.
    terminal.types("\x03");
    let sent = || heard.lock().unwrap().as_ref().unwrap().lock().unwrap().clone();
    wait_for("the interrupt", || sent().windows(2).any(|pair| pair == [255, 244]).then_some(()));
    terminal.types("quit\n");
    terminal.shows("Connection closed");
    wait_for("the server to see it end", || daemon.log().contains("session ended").then_some(()));
    assert!(daemon.log().contains("deleted=1"), "{}", daemon.log());
    assert_eq!(left(&house), 0);
    sent()
}

#[test]
fn telnet_by_hand() {
    if can_run(&["telnet", "script"]) {
        assert!(telnet("").starts_with(b"helo fido bone\r\n"));
    }
}

#[test]
fn telnet_that_negotiates() {
    if can_run(&["telnet", "script"]) {
        let sent = telnet("-");
        assert_eq!(sent[0], 255, "options come first: {}", sent.escape_ascii());
    }
}

#[test]
fn nc_with_everything_sent_ahead() {
    if !can_run(&["nc"]) {
        return;
    }
    let house = House::new();
    house.put("fido", "1700000000.a", b"Subject: one\n\nwoof\n");
    let daemon = house.serve();
    let mut nc = Command::new("nc");
    nc.arg("-C").args([daemon.address.ip().to_string(), daemon.address.port().to_string()]);
    let mut nc = nc.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    nc.stdin.take().unwrap().write_all(b"HELO fido bone\nREAD 1\nRETR\nACKD\nQUIT\n").unwrap();
    let output = nc.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "+ POP2 dog-house.example Doghouse ready\r\n#1 messages for you\r\n=22 characters in message 1\r\n\
         Subject: one\r\n\r\nwoof\r\n=0 characters: no message to read\r\n+ OK, bye\r\n"
    );
    assert_eq!(left(&house), 0);
}

#[test]
fn ten_lines_of_shell_fetch_all_mail() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/fetch.sh");
    let lines = fs::read_to_string(&script).unwrap();
    assert!(lines.lines().filter(|line| !line.starts_with('#')).count() <= 10);
    if !can_run(&["bash", "head", "sync"]) {
        return;
    }
    let large = vec![b'x'; 1_000_000];
    let mail: [&[u8]; 4] = [b"Subject: one\r\n\r\nwoof\r\n", b"\0\xff\r\n\r\nno end", b"\r\n", &large];
    let house = House::new();
    for (n, message) in mail.iter().enumerate() {
        house.put("fido", &format!("170000000{n}.a"), message);
    }
    let daemon = house.serve();
    let (ip, port) = (daemon.address.ip().to_string(), daemon.address.port().to_string());
    let fetch = |password: &str| {
        let mut bash = Command::new("bash");
        bash.arg(&script).args([&ip, &port, "fido", password]).current_dir(house.path());
        bash.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(!fetch("wrong"));
    assert_eq!(left(&house), mail.len());
    assert!(fetch("bone"));
    for (n, message) in (1..).zip(mail) {
        assert!(fs::read(house.path().join(format!("{n}.eml"))).unwrap() == message, "message {n}");
    }
    assert_eq!(left(&house), 0);
    assert!(fetch("bone"), "no mail is no fault");
}
