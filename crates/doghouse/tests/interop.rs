//! Programs that nobody here wrote: Postfix delivers, telnet and a shell script fetch.
//!
//! Where one is not installed its test says so and is skipped, but never in CI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::House;

/// Whether a program can be tried; says why where it cannot.
fn can_run(program: &str, needs_root: bool) -> bool {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists());
    let root = rustix::process::geteuid().is_root();
    let reason = match (found, root || !needs_root) {
        (true, true) => return true,
        (false, _) => format!("{program} is not installed"),
        (true, false) => format!("{program} is started by root only"),
    };
    assert!(std::env::var_os("CI").is_none(), "not to be skipped in CI: {reason}");
    println!("skipped: {reason}");
    false
}

/// Waits for something that another program is about to do.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A Postfix of our own, on loopback, that delivers mail for dog-house.example by `doghouse deliver`.
struct Postfix<'a> {
    house: &'a House,
    config: PathBuf,
    port: u16,
}

impl<'a> Postfix<'a> {
    fn start(house: &'a House) -> Self {
        let here = house.path();
        // The delivery runs as nobody, who must reach the program, its configuration and the mail.
        fs::set_permissions(here, fs::Permissions::from_mode(0o755)).unwrap();
        let program = here.join("doghouse");
        fs::copy(env!("CARGO_BIN_EXE_doghouse"), &program).unwrap();
        fs::create_dir_all(here.join("mail")).unwrap();
        let (uid, gid) = nobody();
        chown(here.join("mail"), Some(uid), Some(gid)).unwrap();

        let config = here.join("postfix");
        for folder in [&config, &here.join("queue"), &here.join("data")] {
            fs::create_dir(folder).unwrap();
        }
        let owner = id("postfix", "-u");
        chown(here.join("data"), Some(owner), None).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(
            config.join("main.cf"),
            format!(
                "compatibility_level = 3.6\nqueue_directory = {0}/queue\ndata_directory = {0}/data\n\
                 maillog_file = {0}/postfix.log\nmaillog_file_prefixes = {0}\n\
                 inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.dog-house.example\n\
                 mydestination =\nmynetworks = 127.0.0.0/8\nalias_maps =\nbiff = no\n\
                 virtual_mailbox_domains = dog-house.example\nvirtual_transport = doghouse\n\
                 default_transport = error:no mail leaves this test\nrelay_domains =\n\
                 queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n\
                 message_size_limit = 50000000\n",
                here.display()
            ),
        )
        .unwrap();
        let service = |name: &str, program: &str| {
            // It wants to hear all of its work at once.
            let limit = if program == "bounce" { "0" } else { "-" };
            format!("{name} unix - - n - {limit} {program}\n")
        };
        let mut master = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n\
             pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             doghouse unix - n n - 4 pipe user=nobody argv={} deliver ${{user}} --config {}\n",
            program.display(),
            house.config().display()
        );
        for (name, program) in [
            ("rewrite", "trivial-rewrite"),
            ("bounce", "bounce"),
            ("defer", "bounce"),
            ("trace", "bounce"),
            ("verify", "verify"),
            ("proxymap", "proxymap"),
            ("error", "error"),
            ("retry", "error"),
            ("anvil", "anvil"),
        ] {
            master += &service(name, program);
        }
        fs::write(config.join("master.cf"), master).unwrap();
        let postfix = Self { house, config, port };
        assert!(postfix.control("start"), "{}", postfix.log());
        wait_for("postfix to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        postfix
    }

    fn control(&self, what: &str) -> bool {
        let mut postfix = Command::new("/usr/sbin/postfix");
        postfix.arg("-c").arg(&self.config).arg(what).stdout(Stdio::null()).stderr(Stdio::null());
        postfix.status().unwrap().success()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.house.path().join("postfix.log")).unwrap_or_default()
    }

    /// Posts a message by SMTP, as any client would.
    fn post(&self, from: &str, to: &str, message: &[u8]) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let mut expect = |code: &str| loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line}");
            if line.as_bytes()[3] == b' ' {
                break;
            }
        };
        expect("220");
        for (command, code) in [
            ("EHLO fido.example".to_owned(), "250"),
            (format!("MAIL FROM:<{from}@dog-house.example> BODY=8BITMIME"), "250"),
            (format!("RCPT TO:<{to}@dog-house.example>"), "250"),
            ("DATA".to_owned(), "354"),
        ] {
            writer.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            expect(code);
        }
        for line in message.split_inclusive(|&octet| octet == b'\n') {
            if line.starts_with(b".") {
                writer.write_all(b".").unwrap();
            }
            writer.write_all(line).unwrap();
        }
        writer.write_all(b".\r\nQUIT\r\n").unwrap();
        expect("250");
    }

    fn delivered(&self, user: &str) -> usize {
        fs::read_dir(self.house.maildir(user).join("new")).map_or(0, Iterator::count)
    }
}

impl Drop for Postfix<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", self.log());
        }
        self.control("stop");
    }
}

fn id(user: &str, which: &str) -> u32 {
    let output = Command::new("id").args([which, user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn nobody() -> (u32, u32) {
    (id("nobody", "-u"), id("nobody", "-g"))
}

/// Messages in wire form that SMTP can carry, each with a body of its own.
fn mail() -> Vec<(&'static str, Vec<u8>)> {
    let with_body = |body: &[u8]| [b"Subject: from Postfix\r\n\r\n".as_slice(), body].concat();
    vec![
        ("plain", with_body(b"Woof.\r\n")),
        ("8-bit", with_body("Für heute: Knochen, groß.\r\n".as_bytes())),
        ("dots and From", with_body(b".\r\n..\r\nFrom me\r\n>From you\r\n")),
        ("a long line", with_body(&[vec![b'x'; 990], b"\r\n".to_vec()].concat())),
        ("no body", b"Subject: from Postfix\r\n\r\n".to_vec()),
        (
            "large",
            with_body(&b"QmFzZSA2NCBvZiBhIGJvbmUsIGluIGxpbmVzIG9mIGVxdWFsIGxlbmd0aA==\r\n".repeat(80_000)),
        ),
    ]
}

fn body(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|octets| octets == b"\r\n\r\n").expect("a message without a body");
    &message[at + 4..]
}

#[test]
fn postfix_delivers_and_a_pop2_session_gives_what_was_posted() {
    if !can_run("postfix", true) {
        return;
    }
    let house = House::new();
    let postfix = Postfix::start(&house);
    let daemon = house.serve();
    for (n, (what, message)) in (1..).zip(mail()) {
        postfix.post("smith", "fido", &message);
        wait_for(what, || (postfix.delivered("fido") == n).then_some(()));
        let mut client = daemon.connect();
        assert_eq!(client.log_in(), format!("#{n} messages for you"));
        let length = client.say(&format!("READ {n}"));
        let length = length[1..].split(' ').next().unwrap().parse().unwrap();
        client.send(b"RETR\r\n");
        let fetched = client.octets(length);
        assert_eq!(client.say("ACKS"), "=0 characters: no message to read");
        // Postfix puts fields of its own around ours.
        assert!(body(&fetched) == body(&message), "{what} came otherwise");
        let header = String::from_utf8_lossy(&fetched[..fetched.len() - body(&fetched).len()]);
        assert!(header.contains("\r\nSubject: from Postfix\r\n"), "{what}: {header}");
        assert!(fetched.starts_with(b"Received: "), "{what}: {:?}", fetched[..60].escape_ascii().to_string());
    }

    postfix.post("smith", "rex", b"Subject: x\r\n\r\nWoof.\r\n");
    wait_for("the bounce", || (postfix.delivered("smith") == 1).then_some(()));
    let mut client = daemon.connect();
    client.line();
    client.say("HELO smith cat");
    client.send(b"READ\r\nRETR\r\n");
    let length = client.line()[1..].split(' ').next().unwrap().parse().unwrap();
    let bounce = String::from_utf8(client.octets(length)).unwrap();
    assert!(bounce.contains("Status: 5.1.1") && bounce.contains("there is no user \"rex\""), "{bounce}");
}

#[test]
fn postfix_keeps_what_cannot_be_delivered_now_until_it_can() {
    if !can_run("postfix", true) {
        return;
    }
    let house = House::new();
    let postfix = Postfix::start(&house);
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), "mial = 1\n").unwrap();
    postfix.post("smith", "fido", b"Subject: x\r\n\r\nWoof.\r\n");
    wait_for("the deferral", || {
        let log = postfix.log();
        (log.contains("status=deferred") && log.contains("did you mean")).then_some(())
    });
    fs::write(house.config(), config).unwrap();
    wait_for("the delivery", || (postfix.delivered("fido") == 1).then_some(()));

    fs::set_permissions(house.maildir("fido").join("tmp"), fs::Permissions::from_mode(0o500)).unwrap();
    postfix.post("smith", "fido", b"Subject: y\r\n\r\nGrr.\r\n");
    wait_for("the deferral", || {
        postfix.log().contains("give the user that this program runs as access").then_some(())
    });
    fs::set_permissions(house.maildir("fido").join("tmp"), fs::Permissions::from_mode(0o700)).unwrap();
    wait_for("the delivery", || (postfix.delivered("fido") == 2).then_some(()));
    assert_eq!(postfix.delivered("smith"), 0, "nothing was returned");
}

#[test]
fn telnet_drives_a_session_by_hand() {
    if !can_run("telnet", false) {
        return;
    }
    let house = House::new();
    house.put("fido", "1700000000.a", b"Subject: one\n\nwoof\n");
    let daemon = house.serve();
    let mut telnet = Command::new("telnet")
        .args([daemon.address.ip().to_string(), daemon.address.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keys = telnet.stdin.take().unwrap();
    let mut screen = BufReader::new(telnet.stdout.take().unwrap());
    let mut shows = |text: &str| {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(screen.read_line(&mut line).unwrap() > 0, "telnet does not show {text:?}");
        }
    };
    shows("+ POP2 dog-house.example");
    for (typed, shown) in [
        ("helo fido bone", "#1 messages for you"),
        ("read", "=22 characters in message 1"),
        ("retr", "woof"),
        ("ackd", "=0 characters"),
        ("quit", "+ OK, bye"),
    ] {
        keys.write_all(format!("{typed}\n").as_bytes()).unwrap();
        shows(shown);
    }
    drop(keys);
    telnet.wait().unwrap();
    assert_eq!(fs::read_dir(house.maildir("fido").join("new")).unwrap().count(), 0);
}

/// The mail drop that is "simple enough to drive from a ten-line script".
const SCRIPT: &str = r#"
exec 3<>"/dev/tcp/$1/$2"
say() { printf '%s\r\n' "$1" >&3; IFS=' ' read -r reply rest <&3; }
read -r greeting <&3
say "HELO fido bone"
say "READ"
while [ "$reply" != "=0" ]; do
    printf 'RETR\r\n' >&3
    LC_ALL=C read -r -N "${reply#=}" message <&3 && printf '%s' "$message" >>"$3"
    say "ACKD"
done
say "QUIT"
"#;

#[test]
fn a_script_of_a_dozen_lines_fetches_and_deletes_all_mail() {
    if !can_run("bash", false) {
        return;
    }
    let house = House::new();
    for (n, text) in ["one", "two two", "three three three"].iter().enumerate() {
        house.put("fido", &format!("170000000{n}.a"), format!("Subject: {n}\n\n{text}\n").as_bytes());
    }
    let daemon = house.serve();
    let (ip, port) = (daemon.address.ip().to_string(), daemon.address.port().to_string());
    let target = house.path().join("fetched");
    let script =
        Command::new("bash").args(["-eu", "-c", SCRIPT, "fetch", &ip, &port]).arg(&target).status().unwrap();
    assert!(script.success());
    let expected =
        "Subject: 0\r\n\r\none\r\nSubject: 1\r\n\r\ntwo two\r\nSubject: 2\r\n\r\nthree three three\r\n";
    assert_eq!(fs::read_to_string(target).unwrap(), expected);
    assert_eq!(fs::read_dir(house.maildir("fido").join("new")).unwrap().count(), 0);
}
