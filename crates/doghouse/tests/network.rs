//! The ways in: TLS, sockets in the file system and sockets that were handed over, PROXY headers, and who is let in by
//! which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Command,
    time::Duration,
};

use common::{
    Client, Daemon, House,
    net::{certify, connect_from, tls},
};
use rustix::process::Signal;
use tokio_rustls::rustls::version::{TLS12, TLS13};

/// A house whose first listener is for TLS, and trusts a proxy on 127.0.0.1.
fn tls_house() -> House {
    let house = House::with_config(
        "[[listener]]\naddress = '127.0.0.1:0'\ncertificate = 'one.crt'\nkey = 'one.key'\nproxy_from = ['127.0.0.2/32']\n",
    );
    certify(&house, "one");
    house
}

#[test]
fn mail_is_fetched_over_both_versions_of_tls() {
    let house = tls_house();
    let stored = b"0123456789abcde\n".repeat(60_000);
    house.put("fido", "1700000000.a", &stored);
    let daemon = house.serve();
    for version in [&TLS12, &TLS13] {
        let mut client =
            tls(TcpStream::connect(daemon.address).unwrap(), &house.path().join("one.crt"), version);
        assert_eq!(client.log_in(), "#1 messages for you");
        let length = pop2::wire::length(&stored);
        assert_eq!(client.say("READ"), format!("={length} characters in message 1"));
        client.send(b"RETR\r\n");
        let octets = client.octets(usize::try_from(length).unwrap());
        assert!(octets.chunks(17).all(|line| line == b"0123456789abcde\r\n"));
        client.say("ACKS");
        assert_eq!(client.say("QUIT"), "+ OK, bye");
        assert_eq!(client.end(), b"", "it takes its leave");
    }
    // Who speaks in clear there is no client.
    let mut plain = daemon.connect();
    plain.send(b"HELO fido bone\r\n");
    assert!(!plain.end().starts_with(b"#"));
    daemon.wait_for_log("no session session=3 rip=127.0.0.1 error=no TLS: ");
    assert!(!daemon.log().contains("bone"));
}

/// A connection that is closed with octets unread is reset, and the reset may overtake the reply.
#[test]
fn the_last_reply_arrives_whatever_comes_behind_quit() {
    let house = House::new();
    let daemon = house.serve();
    for behind in [0, 1, 600, 200_000] {
        let mut stream = TcpStream::connect(daemon.address).unwrap();
        let said = [b"HELO fido bone\r\nQUIT\r\n", &*vec![b'x'; behind]].concat();
        stream.write_all(&said).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it is not reset");
        assert!(heard.ends_with("\r\n+ OK, bye\r\n"), "{heard:?}");
    }
}

/// Else whoever sits between could put commands of his own before those of the client.
#[test]
fn nothing_that_comes_in_clear_before_tls_is_heard() {
    let house = tls_house();
    let daemon = house.serve();
    for before in [Vec::new(), header(1, "198.51.100.9:4000", false), header(2, "198.51.100.9:4000", true)] {
        // From the proxy where there is a header.
        let mut client =
            Client::over(connect_from(if before.is_empty() { 1 } else { 2 }, daemon.address).unwrap());
        client.send(&[&before[..], b"HELO fido bone\r\nREAD\r\n"].concat());
        let heard = client.end();
        assert!(!heard.contains(&b'#') && !heard.contains(&b'+'), "{}", heard.escape_ascii());
    }
    daemon.wait_for_log("no session session=3 ");
    let log = daemon.log();
    assert!(log.matches("error=no TLS: ").count() == 3 && !log.contains("logged in"), "{log}");
}

/// The first octets of a client that knows TLS up to a version and, for that version, all that the server wants.
fn hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session; ECDHE with ECDSA and AES, as of 1.0 and as of 1.2; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x0a, 0xc0, 0x2b, 1, 0]);
    // Groups, their form, and signatures with P-256.
    let extensions: [&[u8]; 3] =
        [&[0, 10, 0, 4, 0, 2, 0, 23], &[0, 11, 0, 2, 1, 0], &[0, 13, 0, 4, 0, 2, 4, 3]];
    let extensions = extensions.concat();
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let length = u16::try_from(hello.len()).unwrap();
    let handshake = [&[1, 0][..], &length.to_be_bytes(), &hello].concat();
    [&[22, 3, 1][..], &(length + 4).to_be_bytes(), &handshake].concat()
}

#[test]
fn tls_of_another_age_is_refused() {
    const VERSION: [u8; 2] = [2, 70]; // fatal, protocol_version (RFC 8446, 6)
    let house = tls_house();
    let daemon = house.serve();
    let answer = |minor: u8| {
        let mut stream = connect_from(1, daemon.address).unwrap();
        stream.write_all(&hello(minor)).unwrap();
        let mut record = [0; 7];
        stream.read_exact(&mut record).unwrap();
        (record[0], [record[5], record[6]])
    };
    for old in [0, 1, 2] {
        assert_eq!(answer(old), (21, VERSION), "3.{old}");
    }
    assert_eq!(answer(3).0, 22, "the same hello with 1.2 is answered");
}

#[test]
fn openssl_and_we_understand_each_other() {
    let Ok(version) = Command::new("openssl").arg("version").output() else {
        assert!(std::env::var_os("CI").is_none(), "openssl is not installed");
        println!("skipped: openssl is not installed");
        return;
    };
    let house = tls_house();
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve();
    for version_flag in ["-tls1_2", "-tls1_3"] {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-crlf", version_flag])
            .args(["-servername", "dog-house.example", "-connect", &daemon.address.to_string()])
            .arg("-CAfile")
            .arg(house.path().join("one.crt"))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"HELO fido bone\nREAD\nRETR\nACKS\nQUIT\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let expected =
            "=6 characters in message 1\r\nwoof\r\n=0 characters: no message to read\r\n+ OK, bye\r\n";
        assert!(said.ends_with(expected), "{version_flag} of {version:?}: {said}");
        drop(input);
    }
}

#[test]
fn a_reload_takes_a_new_certificate_and_keeps_the_old_one_where_it_is_bad() {
    let house = tls_house();
    let daemon = house.serve();
    let greeted_with = |name: &str| {
        let stream = TcpStream::connect(daemon.address).unwrap();
        tls(stream, &house.path().join(name), &TLS13).line()
    };
    assert!(greeted_with("one.crt").starts_with("+ POP2 "));
    certify(&house, "two");
    fs::copy(house.path().join("one.crt"), house.path().join("old.crt")).unwrap();
    // The certificate without its key.
    fs::copy(house.path().join("two.crt"), house.path().join("one.crt")).unwrap();
    daemon.signal(Signal::HUP);
    daemon
        .wait_for_log("the new configuration is refused; the old one stays in force error=\"cannot use the");
    assert!(greeted_with("old.crt").starts_with("+ POP2 "));
    fs::copy(house.path().join("two.key"), house.path().join("one.key")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    assert!(greeted_with("two.crt").starts_with("+ POP2 "));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let house = tls_house();
    for (file, content, expected) in [
        ("one.key", "", "cannot use the key "),
        ("one.crt", "woof", "it has none in PEM (BEGIN CERTIFICATE)"),
        ("one.crt", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "it is not in order"),
    ] {
        let good = fs::read(house.path().join(file)).unwrap();
        fs::write(house.path().join(file), content).unwrap();
        for command in ["check", "serve"] {
            let output = house.command(&[command]).output().unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(78), "{said}");
            assert!(said.contains(expected) && said.contains(file), "{command}: {said}");
        }
        fs::write(house.path().join(file), good).unwrap();
    }
    fs::remove_file(house.path().join("one.crt")).unwrap();
    let output = house.command(&["check"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("correct the path"));
}

#[test]
fn a_socket_in_the_file_system_takes_passwords_and_obeys_its_permissions() {
    let house = House::with_config("[[listener]]\nsocket = 'pop2.sock'\nmode = '0600'\n");
    house.put("fido", "1700000000.a", b"woof\n");
    let daemon = house.serve_elsewhere();
    let path = house.path().join("pop2.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = Client::over(UnixStream::connect(&path).unwrap());
    assert_eq!(client.log_in(), "#1 messages for you");
    assert_eq!(client.say("QUIT"), "+ OK, bye");
    daemon.wait_for_log("logged in session=1 rip=local user=\"fido\"");
}

/// By a server that has shut itself off.
#[test]
fn a_reload_opens_a_socket_in_the_file_system_with_its_permissions() {
    let house = House::with_config("[[listener]]\nsocket = 'one.sock'\n");
    let daemon = house.serve_elsewhere();
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), format!("{config}[[listener]]\nsocket = 'two.sock'\nmode = '0666'\n")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    let mode = |name: &str| fs::metadata(house.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("one.sock"), mode("two.sock")), (0o660, 0o666));
    let mut client = Client::over(UnixStream::connect(house.path().join("two.sock")).unwrap());
    assert!(client.log_in().starts_with("#0"));
}

/// What a proxy says of whom it comes, in both versions of its protocol.
fn header(version: u8, source: &str, with_tls: bool) -> Vec<u8> {
    let source: SocketAddr = source.parse().unwrap();
    if version == 1 {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let to = if source.is_ipv4() { "192.0.2.250" } else { "2001:db8::250" };
        return format!("PROXY {family} {} {to} {} 109\r\n", source.ip(), source.port()).into_bytes();
    }
    let mut rest = match source.ip() {
        std::net::IpAddr::V4(ip) => [ip.octets(), [192, 0, 2, 250]].concat(),
        std::net::IpAddr::V6(ip) => [ip.octets(), ip.octets()].concat(),
    };
    rest.extend_from_slice(&source.port().to_be_bytes());
    rest.extend_from_slice(&109_u16.to_be_bytes());
    if with_tls {
        // PP2_TYPE_SSL: the client came by TLS, and showed no certificate.
        rest.extend_from_slice(&[0x20, 0, 5, 1, 0, 0, 0, 1]);
    }
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21", &[family][..], &length, &rest].concat()
}

#[test]
fn a_listed_proxy_tells_where_its_clients_are_and_nobody_else_does() {
    let house = House::with_config(
        "[[listener]]\naddress = '127.0.0.1:0'\ncleartext_from = ['192.0.2.0/24', '2001:db8::/32']\nproxy_from = ['127.0.0.2/32']\n",
    );
    let daemon = house.serve();
    let log_in = |last: u8, header: &[u8]| {
        let mut client = Client::over(connect_from(last, daemon.address).unwrap());
        // In one piece with what follows, and in many.
        for piece in header.chunks(if header.len().is_multiple_of(2) { 7 } else { 500 }) {
            client.send(piece);
        }
        client.send(b"HELO fido bone\r\n");
        let greeting = client.line();
        if greeting.starts_with('-') { greeting } else { client.line() }
    };
    for version in [1, 2] {
        for (source, expected) in [
            ("192.0.2.9:4000", "#0 messages"),
            ("[2001:db8::9]:4000", "#0 messages"),
            ("198.51.100.9:4000", "- passwords in clear are not taken"),
        ] {
            let reply = log_in(2, &header(version, source, false));
            assert!(reply.starts_with(expected), "{version} {source}: {reply}");
            let ip = source.parse::<SocketAddr>().unwrap().ip();
            daemon.wait_for_log(&format!("rip={ip} user=\"fido\""));
        }
    }
    assert!(log_in(2, &header(2, "198.51.100.9:4000", true)).starts_with("#0"), "by TLS up to the proxy");
    assert!(log_in(2, b"PROXY UNKNOWN\r\n").starts_with("#0"), "the proxy itself, from loopback");
    // Who is not listed says it in vain.
    let reply = log_in(3, &header(1, "192.0.2.9:4000", false));
    assert!(reply.starts_with("- "), "{reply}");
    let mut silent = Client::over(connect_from(2, daemon.address).unwrap());
    silent.send(b"HELO fido bone\r\n");
    assert_eq!(silent.end(), b"", "a proxy says where its client is");
    daemon.wait_for_log("rip=127.0.0.2 error=no PROXY header that can be read");
}

#[test]
fn a_proxy_header_comes_before_tls() {
    let house = tls_house();
    let daemon = house.serve();
    let mut stream = connect_from(2, daemon.address).unwrap();
    stream.write_all(&header(2, "198.51.100.9:4000", false)).unwrap();
    let mut client = tls(stream, &house.path().join("one.crt"), &TLS13);
    assert_eq!(client.log_in(), "#0 messages for you");
    daemon.wait_for_log("logged in session=1 rip=198.51.100.9 user=\"fido\"");
    let mut stream = connect_from(2, daemon.address).unwrap();
    stream.write_all(&header(2, "198.51.100.9:4001", false)).unwrap();
    stream.write_all(b"HELO fido bone\r\n").unwrap();
    daemon.wait_for_log("no session session=2 rip=198.51.100.9 ");
}

#[test]
fn a_handed_socket_outlives_the_process_that_serves_it() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let house = House::with_config(&format!("[[listener]]\naddress = '{address}'\n"));
    house.put("fido", "1700000000.a", b"woof\n");
    // Nobody but the one that was handed over could be listened on here.
    let serve = || {
        let serve = house.command(&["serve"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 0</dev/null"]);
        shell.arg(serve.get_program()).args(serve.get_args());
        shell.stdin(std::os::fd::OwnedFd::from(socket.try_clone().unwrap()));
        Daemon::start(shell)
    };
    let first = serve();
    assert_eq!(first.address, address);
    let mut old = Client::new(TcpStream::connect(address).unwrap());
    old.log_in();
    first.signal(Signal::TERM);
    first.wait_for_log("stopping; sessions at work may finish");
    // Nobody accepts it yet, and nobody refuses it.
    let mut between = Client::new(TcpStream::connect(address).unwrap());
    let second = serve();
    assert_eq!(between.log_in(), "#1 messages for you");
    assert_eq!(old.say("QUIT"), "+ OK, bye", "the old one goes on while the new one serves");
    assert!(first.wait().success());
    between.say("QUIT");
    assert!(second.stop().success());
}

#[test]
fn places_are_limited_by_address_and_by_account() {
    let house = House::with_config("[limits]\nsessions_per_address = 3\nsessions_per_account = 2\n");
    let daemon = house.serve();
    let from = |last: u8| Client::over(connect_from(last, daemon.address).unwrap());
    let (mut one, mut two, mut three) = (from(1), from(1), from(1));
    assert!(one.log_in().starts_with("#0") && two.log_in().starts_with("#0"));
    assert_eq!(three.log_in(), "- too many sessions of this account; end one, or try again later");
    drop(three);
    daemon.wait_for_log("session ended session=3 ");
    let mut three = from(1);
    three.line();
    let mut four = from(1);
    assert_eq!(four.line(), "- too many sessions from your address; try again later");
    assert_eq!(four.end(), b"");
    let mut elsewhere = from(2);
    elsewhere.line();
    assert!(elsewhere.say("HELO smith cat").starts_with("#0"));
    assert_eq!(one.say("QUIT"), "+ OK, bye");
    drop(one);
    daemon.wait_for_log("session ended session=1 ");
    assert!(three.say("HELO fido bone").starts_with("#0"), "there is room again");
}

/// A connection closed with octets unread would be reset, and an old system then forgets what it has received.
#[test]
fn whoever_is_turned_away_hears_why_even_if_it_spoke_first() {
    let house = House::with_config(
        "[[lmtp]]\naddress = '127.0.0.1:0'\n[limits]\nsessions = 2\nsessions_per_address = 1\nmail_sessions = 1\n",
    );
    let daemon = house.serve();
    let spoke_first = |last: u8, to: SocketAddr| {
        daemon.signal(Signal::STOP);
        let mut stream = connect_from(last, to).unwrap();
        stream.write_all(b"HELO fido bone\r\n").unwrap();
        daemon.signal(Signal::CONT);
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        heard
    };
    // Whoever was turned away just now may have its place for a moment still.
    let from = |last: u8, to: SocketAddr| loop {
        let mut client = Client::over(connect_from(last, to).unwrap());
        if client.line().starts_with(['+', '2']) {
            return client;
        }
    };
    let _one = from(1, daemon.address);
    let reply = "- too many sessions from your address; try again later\r\n";
    assert_eq!(spoke_first(1, daemon.address), reply);
    let _two = from(2, daemon.address);
    assert_eq!(spoke_first(3, daemon.address), "- too many sessions; try again later\r\n");
    let lmtp = daemon.listens("LMTP").parse().unwrap();
    let _three = from(1, lmtp);
    assert_eq!(spoke_first(2, lmtp), "421 4.7.0 too many sessions; try again later\r\n");
}

/// Else one address could take all places by saying nothing where a handshake is awaited.
#[test]
fn an_address_has_no_more_places_than_its_own_before_its_handshake() {
    let house = House::with_config(
        "[[listener]]\naddress = '127.0.0.1:0'\ncertificate = 'one.crt'\nkey = 'one.key'\n[limits]\nsessions = 8\nsessions_per_address = 2\n",
    );
    certify(&house, "one");
    let daemon = house.serve();
    // Which of them are let in is not said, nor can the others be told: they are just closed.
    let _silent: Vec<_> = (0..8).map(|_| connect_from(3, daemon.address).unwrap()).collect();
    let refused = "too many sessions from one address rip=127.0.0.3";
    let begun = std::time::Instant::now();
    while daemon.log().matches(refused).count() < 6 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(2));
    }
    let elsewhere = connect_from(4, daemon.address).unwrap();
    let mut client = tls(elsewhere, &house.path().join("one.crt"), &TLS13);
    assert_eq!(client.log_in(), "#0 messages for you");
}

#[test]
fn guessing_is_slow_and_who_knows_the_password_is_not_locked_out() {
    let house =
        House::with_config("[limits]\nlogin_failures = 2\nlogin_delay_seconds = 1\nlogin_seconds = 5\n");
    let daemon = house.serve();
    let from = |last: u8| Client::over(connect_from(last, daemon.address).unwrap());
    let mut known = from(9);
    assert!(known.log_in().starts_with("#0"));
    // All at once, and one after the other all the same.
    let begun = std::time::Instant::now();
    let mut guesses: Vec<_> = (0..6).map(|_| from(1)).collect();
    for guess in &mut guesses {
        guess.send(b"HELO fido cat\r\n");
    }
    // A place that fido was seen at before has nothing to wait for.
    let mut again = from(9);
    assert!(again.log_in().starts_with("#0"));
    let replies: Vec<String> = guesses
        .iter_mut()
        .map(|guess| {
            guess.line();
            guess.line()
        })
        .collect();
    assert!(begun.elapsed() >= Duration::from_secs(3), "the third and all after it wait for a second each");
    assert!(
        replies.iter().all(|reply| reply.starts_with("- login refused")
            || reply.starts_with("- too many failed logins; try again later")),
        "{replies:?}"
    );
    daemon.wait_for_log("login refused session=3 rip=127.0.0.1 user=\"fido\"");
}
