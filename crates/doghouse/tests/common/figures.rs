//! What a running server takes, and what it says of itself.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{Daemon, PATIENCE, patient};

pub fn raise_the_limit_of_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Memory that belongs to the process alone, in octets.
pub fn private_memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let kib = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
    text.lines().filter(|line| line.starts_with("Private_")).map(kib).sum::<u64>() * 1024
}

/// How many files and sockets a process has open.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Waits until no session is left, and none that is being turned away: until so many descriptors are open at most.
/// Returns how many there are.
pub fn wait_until_at_rest(daemon: &Daemon, most: usize) -> usize {
    let begun = Instant::now();
    loop {
        let sessions = value(daemon, "doghouse_sessions{protocol=\"POP2\"}");
        // The answer above may have left a socket for a moment.
        let open = descriptors(daemon.pid());
        if sessions < 0.5 && open <= most {
            return open;
        }
        assert!(begun.elapsed() < PATIENCE, "{sessions} sessions are left, {open} descriptors are open");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the server answers by HTTP: the head in small letters, and the body.
pub fn get(daemon: &Daemon, path: &str) -> (String, String) {
    let mut stream = patient(TcpStream::connect(daemon.listens("HTTP")).unwrap());
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// The value of a metric.
pub fn value(daemon: &Daemon, metric: &str) -> f64 {
    let (_, text) = get(daemon, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {metric} in\n{text}")).parse().unwrap()
}
