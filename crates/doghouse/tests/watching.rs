//! The server as its operator watches it: who is there, the wire as it happens, counts, logs, and what systemd is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use common::{
    Daemon, House,
    figures::{get, value},
    patient,
};
use rustix::process::{Pid, Signal, kill_process};

const WATCHED: &str = "[admin]\nsocket = 'admin.sock'\n[metrics]\naddress = '127.0.0.1:0'\n";

fn house() -> House {
    let house = House::with_config(WATCHED);
    house.put("fido", "1700000000.a", b"Subject: bone\n\nwoof\n");
    house
}

/// What a command says, which has to go well.
fn run(house: &House, arguments: &[&str]) -> String {
    let output = house.command(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn fails(house: &House, arguments: &[&str]) -> (i32, String) {
    let output = house.command(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn who_is_there_is_shown_and_can_be_ended() {
    let house = house();
    let daemon = house.serve();
    assert_eq!(fs::metadata(house.path().join("admin.sock")).unwrap().permissions().mode() & 0o777, 0o600);
    // One after the other: which of two that connect at once is the first session is for the threads to settle.
    let mut fido = daemon.connect();
    fido.log_in();
    fido.say("READ");
    let mut nobody = daemon.connect();
    nobody.line();
    let table = run(&house, &["who"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..5], ["SESSION", "PROTOCOL", "FROM", "USER", "STATE"], "{table}");
    assert_eq!(rows[1][1..5], ["POP2", "127.0.0.1", "fido", "ITEM"], "{table}");
    assert_eq!(rows[2][1..4], ["POP2", "127.0.0.1", "AUTH"], "{table}");
    let json: serde_json::Value = serde_json::from_str(&run(&house, &["who", "--json"])).unwrap();
    assert_eq!((json[0]["user"].as_str(), json[0]["messages"].as_u64()), (Some("fido"), Some(0)));

    fido.send(b"RETR\r\n");
    fido.octets(23);
    fido.say("ACKD");
    assert_eq!(run(&house, &["kick", "fido"]), "sessions ended: 1\n");
    assert_eq!(fido.line(), "- the operator has ended this session; nothing was deleted");
    assert_eq!(fido.end(), b"");
    drop(fido);
    daemon.wait_for_log("session ended session=");
    assert!(house.maildir("fido").join("new/1700000000.a").exists());
    let (code, said) = fails(&house, &["kick", "fido"]);
    assert_eq!((code, said.contains("there is no session \"fido\"")), (65, true), "{said}");
    assert_eq!(run(&house, &["kick", "127.0.0.1", "--json"]).trim(), "{\n  \"ended\": 1\n}");
    assert_eq!(nobody.line(), "- the operator has ended this session; nothing was deleted");
}

/// A command that goes on, and what it says line by line.
struct Running(Child, Receiver<String>);

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (lines, (said, heard)) = (BufReader::new(child.stdout.take().unwrap()), channel());
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    break;
                }
            }
        });
        Self(child, heard)
    }

    fn line(&self) -> String {
        self.1.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_wire_is_shown_as_it_happens_without_passwords_and_mail() {
    let house = house();
    let daemon = house.serve();
    let mut trace = Running::start(house.command(&["trace"]));
    // Until it listens.
    let mut knock = daemon.connect();
    knock.line();
    while trace.1.recv_timeout(Duration::from_millis(50)).is_err() {
        knock = daemon.connect();
        knock.line();
    }
    drop(knock);
    let mut client = daemon.connect();
    client.log_in();
    client.say("READ 1");
    client.send(b"RETR\r\n");
    client.octets(23);
    client.say("ACKS");
    client.say("QUIT");
    client.end();
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.ends_with("S: + OK, bye\\r\\n")) {
        lines.push(trace.line());
    }
    let fido: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("fido@127.0.0.1  ").map(|(_, said)| said)).collect();
    assert_eq!(
        fido,
        [
            "S: #1 messages for you\\r\\n",
            "C: READ 1\\r\\n",
            "S: =23 characters in message 1\\r\\n",
            "C: RETR\\r\\n",
            "   23 octets of message 1",
            "C: ACKS\\r\\n",
            "S: =0 characters: no message to read\\r\\n",
            "C: QUIT\\r\\n",
            "S: + OK, bye\\r\\n"
        ],
        "{lines:#?}"
    );
    let all = lines.join("\n");
    assert!(all.contains("127.0.0.1  C: HELO fido ***\\r\\n"), "{all}");
    assert!(!all.contains("bone") && !all.contains("woof"), "{all}");
    // Ctrl-C ends it in good order.
    kill_process(Pid::from_child(&trace.0), Signal::INT).unwrap();
    assert_eq!(trace.0.wait().unwrap().code(), Some(0));

    let json = Running::start(house.command(&["trace", "smith", "--json"]));
    let line = loop {
        let mut smith = daemon.connect();
        smith.line();
        smith.say("HELO smith cat");
        if let Ok(line) = json.1.recv_timeout(Duration::from_millis(50)) {
            break line;
        }
    };
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["traced"]["session"]["user"], "smith");
}

#[test]
fn how_much_is_logged_can_be_changed_while_it_runs() {
    let house = house();
    let daemon = house.serve();
    assert_eq!(run(&house, &["log-level"]), "info\n");
    drop(daemon.connect());
    daemon.wait_for_log("session ended");
    assert!(!daemon.log().contains("DEBUG"));
    assert_eq!(run(&house, &["log-level", "doghouse=debug"]), "doghouse=debug\n");
    drop(daemon.connect());
    daemon.wait_for_log("DEBUG connected session=");
    let (code, said) = fails(&house, &["log-level", "woof"]);
    assert_eq!((code, said.contains("\"woof\" is no level; write error, warn")), (65, true), "{said}");
    assert_eq!(run(&house, &["log-level", "--json"]).trim(), "{\n  \"level\": \"doghouse=debug\"\n}");
}

/// Whoever reaches the metrics, which nobody logs in to.
#[test]
fn those_who_hold_connections_for_metrics_keep_the_operator_from_nothing() {
    let house = house();
    let daemon = house.serve();
    let _held: Vec<_> = (0..32).map(|_| TcpStream::connect(daemon.listens("HTTP")).unwrap()).collect();
    let mut one_more = patient(TcpStream::connect(daemon.listens("HTTP")).unwrap());
    assert_eq!(one_more.read(&mut [0; 1]).unwrap(), 0, "there is no place for it");
    daemon.connect().log_in();
    assert!(run(&house, &["who"]).starts_with("SESSION"));
}

#[test]
fn who_cannot_be_asked_says_why() {
    let house = House::new();
    let (code, said) = fails(&house, &["who"]);
    assert_eq!((code, said.contains("set admin.socket")), (78, true), "{said}");
    let house = self::house();
    let (code, said) = fails(&house, &["who"]);
    assert_eq!((code, said.contains("is the server running")), (69, true), "{said}");
}

#[test]
fn what_happens_is_counted_and_health_is_told() {
    let house = House::with_config(&format!("{WATCHED}[limits]\nsessions_per_address = 1\n"));
    house.put("fido", "1700000000.a", b"Subject: bone\n\nwoof\n");
    let daemon = house.serve();
    let (head, body) = get(&daemon, "/healthz");
    assert!(head.starts_with("http/1.1 200 ") && body == "well\n", "{head}");
    assert_eq!(get(&daemon, "/readyz").1, "ready\n");
    assert!(get(&daemon, "/woof").0.starts_with("http/1.1 404 "));
    let (head, body) = get(&daemon, "/metrics");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"));
    let mut bad = daemon.connect();
    bad.line();
    bad.say("HELO fido cat");
    bad.end();
    drop(bad);
    daemon.wait_for_log("session ended session=");
    let mut client = daemon.connect();
    client.log_in();
    assert!(value(&daemon, "doghouse_sessions{protocol=\"POP2\"}") >= 1.0);
    daemon.connect().line();
    client.say("READ");
    client.send(b"RETR\r\n");
    client.octets(23);
    client.say("ACKD");
    client.say("QUIT");
    client.end();
    for (metric, expected) in [
        ("doghouse_logins_total{outcome=\"accepted\"}", 1.0),
        ("doghouse_logins_total{outcome=\"password\"}", 1.0),
        ("doghouse_messages_sent_total", 1.0),
        ("doghouse_octets_sent_total", 23.0),
        ("doghouse_messages_deleted_total", 1.0),
        ("doghouse_limits_hit_total{limit=\"sessions_per_address\"}", 1.0),
        ("doghouse_step_seconds_count{step=\"read\"}", 1.0),
        ("doghouse_faults_total{kind=\"open\"}", 0.0),
        ("doghouse_reloads_total{outcome=\"accepted\"}", 0.0),
    ] {
        assert!((value(&daemon, metric) - expected).abs() < 0.5, "{metric}");
    }
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("configuration and users read again");
    assert!(value(&daemon, "doghouse_reloads_total{outcome=\"accepted\"}") > 0.5);
    // A connection that stays open keeps nobody from going down.
    let _open = TcpStream::connect(daemon.listens("HTTP")).unwrap();
    assert!(daemon.stop().success());
}

#[test]
fn a_log_line_is_an_object_where_that_is_wanted() {
    let house = House::with_config("[log]\nformat = 'json'\nlevel = 'doghouse=debug'\n");
    let daemon = house.serve();
    let mut client = daemon.connect();
    client.line();
    client.say("HELO fi\\\"do\\\x1b bone");
    client.end();
    daemon.wait_for_log("\"message\":\"session ended\"");
    let log = daemon.log();
    for line in log.lines() {
        let object: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            object["timestamp"].is_string() && object["level"].is_string() && object["message"].is_string()
        );
    }
    let refused = log.lines().find(|line| line.contains("login refused")).unwrap();
    let refused: serde_json::Value = serde_json::from_str(refused).unwrap();
    assert_eq!((&refused["session"], &refused["rip"]), (&1.into(), &"127.0.0.1".into()));
    assert!(!log.contains("bone") && log.contains("DEBUG"));
}

#[test]
fn a_journal_that_is_not_there_is_said() {
    if std::path::Path::new("/run/systemd/journal/socket").exists() {
        println!("skipped: there is a journal here");
        return;
    }
    let house = House::with_config("[log]\nformat = 'journald'\n");
    let (code, said) = fails(&house, &["serve"]);
    assert_eq!((code, said.contains("cannot reach systemd's journal")), (69, true), "{said}");
}

#[test]
fn systemd_is_told_how_the_server_is() {
    let house = house();
    let path = house.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = house.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let daemon = Daemon::start(command);
    let told = || {
        let mut buffer = [0; 4096];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let next = || loop {
        let told = told();
        if !told.starts_with("WATCHDOG=1") {
            break told;
        }
    };
    assert_eq!(next().trim(), "READY=1");
    while told().trim() != "WATCHDOG=1" {}
    daemon.signal(Signal::HUP);
    let reloading = next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(next().trim(), "READY=1");
    daemon.signal(Signal::TERM);
    let stopping = next();
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC="), "{stopping}");
    assert!(daemon.wait().success());
}

#[test]
fn systemd_is_told_at_a_socket_that_is_no_file() {
    let name = format!("doghouse-notify-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let house = house();
    let mut command = house.command(&["serve"]);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let _daemon = Daemon::start(command);
    let mut buffer = [0; 64];
    let count = socket.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..count].trim_ascii_end(), b"READY=1");
}
