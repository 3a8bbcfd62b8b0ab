//! Of a process that is killed no server is left, and no file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use testing::{Front, Haproxy, Postgres, S3};

/// With this in its environment, this program starts servers and waits for its end.
const HOLDS: &str = "TESTING_HOLDS";
/// With this as well, which no other process has.
const MARK: &str = "TESTING_MARK";

#[test]
fn a_killed_process_leaves_nothing() {
    if let Ok(state) = std::env::var(HOLDS) {
        hold(&state);
    }
    for state in ["served", "paused", "stopped"] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_leaves_nothing", "--nocapture"])
            .env(HOLDS, state)
            .env(MARK, format!("{}-{state}", std::process::id()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let held = lines.find_map(|line| line.strip_prefix("held: ").map(str::to_owned)).unwrap();
        let [folder, store, proxy] = held.split(' ').collect::<Vec<_>>()[..] else { panic!("{held}") };
        let folder = PathBuf::from(folder);
        let addresses: [SocketAddr; 2] = [store, proxy].map(|address| address.parse().unwrap());
        let mut processes = processes_of(child.id(), &folder);
        // Each of the three has one at least, and PostgreSQL its own where it runs.
        assert!(processes.len() >= if state == "stopped" { 4 } else { 8 }, "{state}: {processes:?}");
        assert!(folder.join("data").is_dir());
        assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()));

        child.kill().unwrap();
        child.wait().unwrap();
        let begun = Instant::now();
        loop {
            processes.retain(|(pid, started)| start(*pid).as_ref() == Some(started));
            if processes.is_empty() && !folder.exists() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{state}: {processes:?} {}", folder.display());
            thread::sleep(Duration::from_millis(50));
        }
        assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()), "{state}");
    }
}

fn hold(state: &str) -> ! {
    let postgres = Postgres::shared();
    let backends = [S3::shared().address()];
    let haproxy = Haproxy::start(&[Front { name: "s3", backends: &backends, proxy: false, check: true }]);
    match state {
        "paused" => postgres.pause(),
        "stopped" => postgres.stop(testing::How::Fast),
        _ => {}
    }
    println!("\nheld: {} {} {}", postgres.folder().display(), backends[0], haproxy.address("s3"));
    loop {
        thread::park();
    }
}

/// The processes that another has started, by number and start, whoever their parent is by now: they have in their
/// environment what it has in its own, or work in its folder, as PostgreSQL does, which writes over its environment.
fn processes_of(parent: u32, folder: &Path) -> Vec<(u32, String)> {
    let environment = |pid: u32| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let marks = |environment: &[u8]| -> Option<Vec<u8>> {
        let mut pairs = environment.split(|octet| *octet == 0);
        pairs.find(|pair| pair.starts_with(MARK.as_bytes())).map(<[u8]>::to_owned)
    };
    let mark = marks(&environment(parent));
    assert!(mark.is_some());
    let is_there =
        |pid: u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|path| path.starts_with(folder));
    let numbers = fs::read_dir("/proc").unwrap();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let found = numbers.filter(|pid| *pid != parent && (marks(&environment(*pid)) == mark || is_there(*pid)));
    found.filter_map(|pid| Some((pid, start(pid)?))).collect()
}

/// When a process began, which tells it from a later one with its number.
fn start(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // One that nobody has waited for is no process any more.
    (fields[0] != "Z").then(|| fields[19].to_owned())
}
