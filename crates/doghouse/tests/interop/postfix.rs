//! Postfix, set up as the operator's guide says, takes mail by SMTP and delivers it by `doghouse deliver` or by
//! LMTP.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{
    can_run,
    common::{Daemon, House},
    skip,
    smtp::{By, Smtp},
    wait_for,
};

const GUIDE: &str = include_str!("../../../../docs/operators-guide/delivery.md");

/// How it delivers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Command,
    Lmtp,
}

/// A Postfix of our own, on loopback, that shares nothing with the one of this machine but its programs.
struct Postfix {
    house: House,
    config: PathBuf,
    port: u16,
    master: Child,
}

impl Postfix {
    /// `None` where it cannot be tried.
    fn start(via: Via) -> Option<Self> {
        if !can_run(&["postfix", "postqueue"]) {
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            skip("postfix is started by root only");
            return None;
        }
        let house = match via {
            Via::Command => House::new(),
            Via::Lmtp => House::with_config("[[lmtp]]\nsocket = \"lmtp.sock\"\nmode = \"0666\"\n"),
        };
        let here = house.path();
        let config = here.join("postfix");
        for folder in [&config, &here.join("mail"), &here.join("queue"), &here.join("data")] {
            fs::create_dir(folder).unwrap();
        }
        // Delivery runs as nobody, who must reach the program, its configuration and the mail.
        fs::set_permissions(here, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_doghouse"), here.join("doghouse")).unwrap();
        let (uid, gid) = nobody();
        chown(here.join("mail"), Some(uid), Some(gid)).unwrap();
        if via == Via::Lmtp {
            // The server makes its socket there.
            fs::set_permissions(here, fs::Permissions::from_mode(0o777)).unwrap();
        }
        chown(here.join("data"), Some(id("-u", "postfix")), None).unwrap();

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(here.join("addresses"), ["fido", "smith", "rex"].map(address_line).concat()).unwrap();
        let (main_cf, master_cf) = configuration(&house, port, via);
        fs::write(config.join("main.cf"), main_cf).unwrap();
        fs::write(config.join("master.cf"), master_cf).unwrap();
        assert!(command("postfix", &config).arg("check").status().unwrap().success());

        // A child in a group of its own, so that it is ours to end, with all that it starts.
        let programs = command("postconf", &config).args(["-h", "daemon_directory"]).output().unwrap();
        let programs = String::from_utf8(programs.stdout).unwrap();
        let mut master = Command::new(Path::new(programs.trim()).join("master"));
        master.arg("-d").arg("-c").arg(&config).process_group(0);
        master.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let postfix = Self { master: master.spawn().unwrap(), house, config, port };
        wait_for("postfix to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(postfix)
    }

    fn post(&self, to: &[&str], message: &[u8], by: By) {
        Smtp::connect(self.port).post("smith", to, message, by);
    }

    /// Tries at once to deliver what waits.
    fn flush(&self) {
        assert!(command("postqueue", &self.config).arg("-f").status().unwrap().success());
    }

    /// The messages that Postfix has, a line of JSON each.
    fn queue(&self) -> String {
        String::from_utf8(command("postqueue", &self.config).arg("-j").output().unwrap().stdout).unwrap()
    }

    fn wait_for_an_empty_queue(&self) {
        wait_for("an empty queue", || self.queue().is_empty().then_some(()));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.house.path().join("postfix.log")).unwrap_or_default()
    }

    /// Waits for a line in the log that has all of this.
    fn wait_for_log(&self, parts: &[&str]) {
        wait_for(&format!("{parts:?} in Postfix's log"), || {
            let log = self.log();
            log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
        });
    }

    /// How many messages lie in a user's mailbox.
    fn delivered(&self, user: &str) -> usize {
        fs::read_dir(self.house.maildir(user).join("new")).map_or(0, Iterator::count)
    }

    /// Waits for one message, fetches it by POP2 and deletes it.
    fn fetch(&self, daemon: &Daemon, user: &str, password: &str) -> Vec<u8> {
        wait_for("a message", || (self.delivered(user) == 1).then_some(()));
        let mut client = daemon.connect();
        client.line();
        assert_eq!(client.say(&format!("HELO {user} {password}")), "#1 messages for you");
        let length = client.say("READ 1");
        client.send(b"RETR\r\n");
        let message = client.octets(length[1..].split(' ').next().unwrap().parse().unwrap());
        assert_eq!(client.say("ACKD"), "=0 characters: no message to read");
        assert_eq!(client.say("QUIT"), "+ OK, bye");
        assert_eq!(self.delivered(user), 0);
        message
    }

    /// The server, as the same user that delivers.
    fn serve(&self) -> Daemon {
        let (uid, gid) = nobody();
        let mut command = Command::new(self.house.path().join("doghouse"));
        command.args(["serve", "--config"]).arg(self.house.config()).uid(uid).gid(gid).stdin(Stdio::null());
        Daemon::start(command)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", self.log());
        }
        // It ends its group; whatever is left of that must not write into the folder that is removed next.
        let group = Pid::from_child(&self.master);
        let _ = kill_process(group, Signal::TERM);
        let _ = self.master.wait();
        let _ = kill_process_group(group, Signal::KILL);
        wait_for("postfix to end", || (!has_members(group)).then_some(()));
    }
}

/// Whether a process group has members that are more than an entry in the table.
fn has_members(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let status = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold anything: the state, the parent, the group.
        let fields = status.rsplit(')').next().unwrap_or_default();
        let mut fields = fields.split_whitespace();
        fields.next().is_some_and(|state| state != "Z") && fields.nth(1) == Some(&group)
    })
}

/// One of Postfix's commands, which are not on everybody's path.
fn command(program: &str, config: &Path) -> Command {
    let mut command = Command::new(Path::new("/usr/sbin").join(program));
    command.arg("-c").arg(config).stdin(Stdio::null());
    command
}

/// What the operator's guide says, in its place in the least that makes a Postfix.
fn configuration(house: &House, port: u16, via: Via) -> (String, String) {
    let here = house.path().display();
    let blocks = |heading: &str| {
        let section =
            GUIDE.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        section.split("```text\n").skip(1).map(|block| block.split("```").next().unwrap()).collect::<Vec<_>>()
    };
    let put = |text: &str, pairs: &[(&str, String)]| {
        pairs.iter().fold(text.to_owned(), |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "the guide says {from:?} once");
            text.replace(from, to)
        })
    };
    let transport = put(
        blocks("Postfix")[0],
        &[
            ("user=doghouse:doghouse", "user=nobody:nogroup".to_owned()),
            ("/usr/bin/doghouse deliver", format!("{here}/doghouse deliver --config {here}/doghouse.toml")),
        ],
    );
    let domain = match via {
        Via::Command => put(
            blocks("Postfix")[1],
            &[("hash:/etc/postfix/doghouse-users", format!("texthash:{here}/addresses"))],
        ),
        Via::Lmtp => put(blocks("LMTP")[0], &[("/run/doghouse", here.to_string())]),
    };
    let main = format!(
        "{domain}compatibility_level = 3.6\nmyhostname = mx.dog-house.example\nmydestination =\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
         queue_directory = {here}/queue\ndata_directory = {here}/data\n\
         maillog_file = {here}/postfix.log\nmaillog_file_prefixes = {here}\n\
         alias_maps =\nrelay_domains =\ndefault_transport = error:no mail leaves this test\n"
    );
    let master = format!(
        "{transport}127.0.0.1:{port} inet n - n - - smtpd\n\
         pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
         rewrite unix - - n - - trivial-rewrite\nshowq unix n - n - - showq\n\
         bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
         error unix - - n - - error\nretry unix - - n - - error\nproxymap unix - - n - - proxymap\n\
         anvil unix - - n - 1 anvil\nlmtp unix - - n - - lmtp\npostlog unix-dgram n - n - 1 postlogd\n"
    );
    (main, master)
}

fn address_line(user: &str) -> String {
    format!("{user}@dog-house.example {user}\n")
}

fn nobody() -> (u32, u32) {
    (id("-u", "nobody"), id("-g", "nobody"))
}

fn id(which: &str, user: &str) -> u32 {
    let output = Command::new("id").args([which, user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A message with this body. It has what Postfix would add, so that it adds nothing below our header.
fn letter(body: &[u8]) -> Vec<u8> {
    let header = "From: smith@dog-house.example\r\nTo: fido@dog-house.example\r\n\
                  Date: Tue, 12 Feb 1985 09:37:00 -0800\r\nMessage-ID: <937@dog-house.example>\r\n\
                  Subject: =?utf-8?q?f=C3=BCr_fido?=\r\n\r\n";
    [header.as_bytes(), body].concat()
}

#[test]
fn what_postfix_takes_comes_out_of_pop2_octet_for_octet() {
    comes_out_octet_for_octet(Via::Command);
}

#[test]
fn what_postfix_delivers_by_lmtp_comes_out_octet_for_octet() {
    comes_out_octet_for_octet(Via::Lmtp);
}

fn comes_out_octet_for_octet(via: Via) {
    let Some(postfix) = Postfix::start(via) else { return };
    let daemon = postfix.serve();
    let long = |length: usize| [vec![b'x'; length], b"\r\n".to_vec()].concat();
    let attachment = b"QmFzZSA2NCBvZiBhIGJvbmUsIGluIGxpbmVzIG9mIGVxdWFsIGxlbmd0aA==\r\n".repeat(80_000);
    for (what, by, body) in [
        ("plain", By::Data, b"Woof.\r\n".to_vec()),
        ("8-bit", By::Data, "Für heute: Knochen, groß.\r\n".as_bytes().to_vec()),
        ("no charset at all", By::Data, (128..=255).chain(*b"\r\n").collect()),
        ("controls", By::Data, b"\0\x01\x08\t\x0b\x0c\x1b[2J\x7f \r\n".to_vec()),
        ("dots", By::Data, b".\r\n..\r\n.x\r\n.\r\n".to_vec()),
        ("From lines", By::Data, b"From me\r\n>From you\r\n\r\nFrom smith Tue Feb 12 1985\r\n".to_vec()),
        ("blanks and empty lines at the end", By::Data, b"Woof. \t\r\n\r\n\r\n".to_vec()),
        ("the longest line of SMTP", By::Data, long(998)),
        ("a line longer than SMTP's", By::Data, long(20_000)),
        ("no body", By::Data, Vec::new()),
        ("large", By::Data, attachment),
        ("by length", By::Bdat, b"Woof.\r\n.\r\nWoof.\r\n".to_vec()),
    ] {
        let message = letter(&body);
        postfix.post(&["fido"], &message, by);
        let fetched = postfix.fetch(&daemon, "fido", "bone");
        // Postfix puts its own fields above ours; R and D of the guide's flags are the first. By LMTP we do.
        let above = fetched.strip_suffix(message.as_slice());
        let above = above.unwrap_or_else(|| {
            panic!("{what}: {}", fetched[fetched.len().saturating_sub(500)..].escape_ascii())
        });
        let above = String::from_utf8(above.to_vec()).unwrap();
        assert!(above.starts_with("Return-Path: <smith@dog-house.example>\r\n"), "{what}: {above}");
        let added = match via {
            Via::Command => "\r\nDelivered-To: fido@dog-house.example\r\n",
            Via::Lmtp => "(Doghouse) with LMTP id ",
        };
        assert!(above.contains(added), "{what}: {above}");
    }

    // What SMTP cannot carry, Postfix makes so that it can.
    for (what, by, body, comes_as) in [
        ("no line end at the end", By::Bdat, "Woof.", "Woof.\r\n"),
        ("a CR alone", By::Data, "over\rwritten\r\n", "over written\r\n"),
        ("a LF alone", By::Bdat, "Woof.\nWoof.\r\n", "Woof.\r\nWoof.\r\n"),
    ] {
        postfix.post(&["fido"], &letter(body.as_bytes()), by);
        let fetched = postfix.fetch(&daemon, "fido", "bone");
        assert!(fetched.ends_with(&letter(comes_as.as_bytes())), "{what}: {}", fetched.escape_ascii());
    }

    // Two recipients are two deliveries, and case does not count in an address.
    postfix.post(&["smith", "FIDO"], &letter(b"Woof.\r\n"), By::Data);
    assert!(postfix.fetch(&daemon, "fido", "bone").ends_with(b"\r\n\r\nWoof.\r\n"));
    assert!(postfix.fetch(&daemon, "smith", "cat").ends_with(b"\r\n\r\nWoof.\r\n"));
    postfix.wait_for_an_empty_queue();
}

#[test]
fn mail_for_nobody_goes_back() {
    let Some(postfix) = Postfix::start(Via::Command) else { return };
    let daemon = postfix.serve();
    let mut smtp = Smtp::connect(postfix.port);
    smtp.say("MAIL FROM:<smith@dog-house.example>", "250");
    smtp.say("RCPT TO:<nobody@dog-house.example>", "550 5.1.1");
    smtp.say("QUIT", "221");

    // rex has an address and no account.
    postfix.post(&["rex"], &letter(b"Woof.\r\n"), By::Data);
    postfix.wait_for_log(&["to=<rex@dog-house.example>", "dsn=5.1.1", "status=bounced"]);
    let bounce = String::from_utf8(postfix.fetch(&daemon, "smith", "cat")).unwrap();
    assert!(bounce.contains("Status: 5.1.1") && bounce.contains("there is no user \"rex\""), "{bounce}");
    assert!(bounce.contains("Message-ID: <937@dog-house.example>"), "the message itself is there: {bounce}");
    postfix.wait_for_an_empty_queue();
}

#[test]
fn by_lmtp_mail_for_nobody_goes_back_and_a_server_that_is_away_is_waited_for() {
    let Some(postfix) = Postfix::start(Via::Lmtp) else { return };
    postfix.post(&["fido"], &letter(b"Woof.\r\n"), By::Data);
    postfix.wait_for_log(&["to=<fido@dog-house.example>", "status=deferred"]);
    wait_for("the message to be put aside", || {
        postfix.queue().contains("\"queue_name\": \"deferred\"").then_some(())
    });
    let daemon = postfix.serve();
    postfix.flush();
    assert!(postfix.fetch(&daemon, "fido", "bone").ends_with(b"\r\n\r\nWoof.\r\n"));
    postfix.post(&["rex", "fido"], &letter(b"Woof.\r\n"), By::Data);
    postfix.wait_for_log(&["to=<rex@dog-house.example>", "dsn=5.1.1", "status=bounced"]);
    postfix.fetch(&daemon, "fido", "bone");
    let bounce = String::from_utf8(postfix.fetch(&daemon, "smith", "cat")).unwrap();
    assert!(bounce.contains("there is no user \"rex\""), "{bounce}");
    postfix.wait_for_an_empty_queue();
}

#[test]
fn what_cannot_be_delivered_now_waits_until_it_can() {
    let Some(postfix) = Postfix::start(Via::Command) else { return };
    let daemon = postfix.serve();
    let house = &postfix.house;
    let deferred_until_mended = |reason: &str, mend: &dyn Fn()| {
        postfix.post(&["fido"], &letter(&b"Woof.\r\n".repeat(5_000)), By::Data);
        postfix.wait_for_log(&["to=<fido@dog-house.example>", "dsn=4.3.0", "status=deferred", reason]);
        // Until it is put aside a flush would miss it.
        wait_for("the message to be put aside", || {
            postfix.queue().contains("\"queue_name\": \"deferred\"").then_some(())
        });
        assert_eq!(postfix.delivered("fido"), 0, "nothing half-written is visible");
        mend();
        postfix.flush();
        assert!(postfix.fetch(&daemon, "fido", "bone").ends_with(&letter(&b"Woof.\r\n".repeat(5_000))));
        postfix.wait_for_an_empty_queue();
        assert_eq!(
            (postfix.delivered("fido"), postfix.delivered("smith")),
            (0, 0),
            "once, and nothing went back"
        );
    };

    let good = fs::read(house.config()).unwrap();
    fs::write(house.config(), "mial = 1\n").unwrap();
    deferred_until_mended("did you mean \"mail\"?", &|| fs::write(house.config(), &good).unwrap());

    let users = house.path().join("users");
    let accounts = fs::read(&users).unwrap();
    fs::remove_file(&users).unwrap();
    deferred_until_mended("users", &|| fs::write(&users, &accounts).unwrap());

    let tmp = house.maildir("fido").join("tmp");
    let mode = |mode| fs::set_permissions(&tmp, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    deferred_until_mended("give the user that this program runs as access", &|| mode(0o700));

    // A limit of file sizes stands in for the full disk.
    let (program, aside) = (house.path().join("doghouse"), house.path().join("doghouse-aside"));
    fs::rename(&program, &aside).unwrap();
    let limited = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 8\nexec {} \"$@\"\n", aside.display());
    fs::write(&program, limited).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    deferred_until_mended("cannot write a message in", &|| fs::rename(&aside, &program).unwrap());
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0, "nothing is left in tmp");
}
