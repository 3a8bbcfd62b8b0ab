//! Of a process that is killed no server is left, and no file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use testing::{Front, Haproxy, How, Postgres, S3};

/// With this in its environment, this program starts servers and waits for its end.
const HOLDS: &str = "TESTING_HOLDS";

#[test]
fn a_killed_process_leaves_nothing() {
    if let Ok(state) = std::env::var(HOLDS) {
        hold(&state);
    }
    for state in ["served", "paused", "stopped"] {
        let (mut child, mut traces) = start(state);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let held = lines.find_map(|line| line.strip_prefix("held: ").map(str::to_owned)).unwrap();
        let [folder, store, proxy] = held.split(' ').collect::<Vec<_>>()[..] else { panic!("{held}") };
        let addresses: [SocketAddr; 2] = [store, proxy].map(|address| address.parse().unwrap());
        traces.folders.insert(folder.into());
        traces.look();
        // PostgreSQL, where it runs, with its processes; the store; HAProxy; and two supervisors.
        assert!(traces.processes.len() >= if state == "stopped" { 4 } else { 8 }, "{state}: {traces:?}");
        assert_eq!(traces.folders.len(), 2, "{traces:?}");
        assert!(traces.folders.iter().all(|folder| folder.is_dir()), "{traces:?}");
        assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()));
        kill(child, traces);
        assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()), "{state}");
    }
}

#[test]
fn a_process_that_is_killed_while_a_server_starts_leaves_nothing() {
    for milliseconds in [0, 300, 900] {
        let (child, mut traces) = start("served");
        let begun = Instant::now();
        while traces.folders.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{traces:?}");
            traces.look();
        }
        thread::sleep(Duration::from_millis(milliseconds));
        traces.look();
        kill(child, traces);
    }
}

/// Starts this program in such a state.
fn start(state: &str) -> (Child, Traces) {
    let mark = format!("{HOLDS}_NUMBER={}-{:?}", std::process::id(), Instant::now());
    let (name, value) = mark.split_once('=').unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_nothing", "--nocapture"])
        .env(HOLDS, state)
        .env(name, value)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let traces = Traces { mark, but: child.id(), folders: BTreeSet::new(), processes: BTreeMap::new() };
    (child, traces)
}

fn hold(state: &str) -> ! {
    let postgres = Postgres::shared();
    let backends = [S3::shared().address()];
    let haproxy = Haproxy::start(&[Front { name: "s3", backends: &backends, proxy: false, check: true }]);
    match state {
        "paused" => postgres.pause(),
        "stopped" => postgres.stop(How::Fast),
        _ => {}
    }
    println!("\nheld: {} {} {}", postgres.folder().display(), backends[0], haproxy.address("s3"));
    loop {
        thread::park();
    }
}

/// Kills a process, and waits until there is nothing of it.
fn kill(mut child: Child, mut traces: Traces) {
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    loop {
        traces.look();
        if traces.processes.is_empty() && !traces.folders.iter().any(|folder| folder.exists()) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{traces:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What there is of a process.
#[derive(Debug)]
struct Traces {
    /// A part of its environment that no other has.
    mark: String,
    /// Its own number.
    but: u32,
    /// All folders that were ever met.
    folders: BTreeSet<PathBuf>,
    /// Those that run, with their arguments.
    processes: BTreeMap<u32, String>,
}

impl Traces {
    /// Looks for the processes that it has started, whoever their parent is by now: they have the mark, or work in one of
    /// the folders, as PostgreSQL does, which writes over its environment.
    fn look(&mut self) {
        self.processes.clear();
        for entry in fs::read_dir("/proc").unwrap().map(Result::unwrap) {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end meanwhile; then there is nothing of it to read.
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let is_marked =
                read("environ").split(|octet| *octet == 0).any(|pair| pair == self.mark.as_bytes());
            if pid == self.but || !(is_marked || self.folders.iter().any(|folder| place.starts_with(folder)))
            {
                continue;
            }
            let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            for (at, begin) in arguments.match_indices("/tmp/doghouse-") {
                let is_name = |c: char| c.is_ascii_alphanumeric();
                let name = arguments[at + begin.len()..].split(|c| !is_name(c)).next().unwrap();
                // The supervisor's own script has the pattern of such names, which ends in one letter many times.
                if name.len() == 8 && name != "XXXXXXXX" {
                    self.folders.insert(format!("{begin}{name}").into());
                }
            }
            self.processes.insert(pid, arguments);
        }
    }
}
