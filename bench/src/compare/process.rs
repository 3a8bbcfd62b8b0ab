//! Servers as processes: started, measured with all their children, and ended by number whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A process that was started here, and whatever it has started. It is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Tree {
    child: Child,
}

/// How long a server may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

impl Tree {
    /// Starts a program whose output goes into a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = fs::File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        if let Ok(mut running) = RUNNING.lock() {
            running.insert(child.id());
        }
        Ok(Self { child })
    }

    /// Waits until somebody listens there.
    pub(crate) fn await_door(&mut self, address: SocketAddr) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("ended at its start: {status}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("does not listen on {address}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its number and those of its descendants.
    fn numbers(&self) -> Vec<i32> {
        let mut parents: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(stat) = Stat::read(number) else { continue };
            parents.entry(stat.parent).or_default().push(number);
        }
        let mut all = vec![i32::try_from(self.child.id()).unwrap_or(0)];
        let mut next = 0;
        while let Some(number) = all.get(next).copied() {
            all.extend(parents.get(&number).into_iter().flatten());
            next += 1;
        }
        all
    }

    /// The CPU time of all of them so far, also of those that have ended.
    pub(crate) fn cpu(&self) -> Duration {
        // `/proc` counts in hundredths of a second wherever this runs: Linux's USER_HZ.
        const TICK: Duration = Duration::from_millis(10);
        let used: u64 = self.numbers().into_iter().filter_map(Stat::read).map(|stat| stat.ticks).sum();
        TICK.saturating_mul(u32::try_from(used).unwrap_or(u32::MAX))
    }

    /// The octets of memory that nobody else shares, over all of them.
    pub(crate) fn private(&self) -> io::Result<u64> {
        let mut kib = 0;
        for number in self.numbers() {
            let Ok(rollup) = fs::read_to_string(format!("/proc/{number}/smaps_rollup")) else { continue };
            kib += rollup
                .lines()
                .filter(|line| line.starts_with("Private_"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                .sum::<u64>();
        }
        if kib == 0 { Err(io::Error::other("its memory cannot be read in /proc")) } else { Ok(kib * 1024) }
    }

    /// Whether it is there still.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) {
        for number in self.numbers() {
            if let Some(pid) = Pid::from_raw(number) {
                // It may have ended meanwhile.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.end();
        if let Ok(mut running) = RUNNING.lock() {
            running.remove(&self.child.id());
        }
    }
}

impl Tree {
    fn end(&mut self) {
        if !self.runs() {
            return;
        }
        let children = self.numbers();
        if let Some(pid) = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while self.runs() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        if self.runs() {
            self.signal(Signal::KILL);
        }
        let _ = self.child.wait();
        // Its children have ended with it, or are about to: they have nobody left to work for.
        for number in children.into_iter().skip(1) {
            while Stat::read(number).is_some() && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

struct Stat {
    parent: i32,
    /// Nobody has waited for it yet.
    ended: bool,
    /// Of itself and of the children that it has waited for.
    ticks: u64,
}

impl Stat {
    fn read(number: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{number}/stat")).ok()?)
    }

    /// The name, in parentheses, may hold anything.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ended = matches!(*fields.first()?, "Z" | "X");
        let parent = fields.get(1)?.parse().ok()?;
        // The fields 14 to 17 of proc(5).
        let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { parent, ended, ticks })
    }
}

/// The servers that run now, by number.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether this program was told to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// A server that has ended with this program has not failed; this does not return then.
pub(crate) fn wait_if_told_to_end() {
    // Both may have been told in the same moment, as by Ctrl-C.
    thread::sleep(Duration::from_millis(50));
    while ENDING.load(Ordering::Relaxed) {
        thread::sleep(PATIENCE);
    }
}

/// Where this program is told to end, its servers are ended and its folder is removed first. Where it is killed, they
/// are ended by the kernel (`setpriv --pdeathsig`) and the folder stays.
pub(crate) fn clean_up_when_told_to_end(folder: PathBuf, keep: bool) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(guard);
    thread::spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => 130, _ = terminate.recv() => 143 }
        });
        ENDING.store(true, Ordering::Relaxed);
        let numbers = RUNNING.lock().map(|running| running.clone()).unwrap_or_default();
        for number in &numbers {
            if let Some(pid) = Pid::from_raw(i32::try_from(*number).unwrap_or(0)) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let begun = Instant::now();
        let there =
            |number: &u32| Stat::read(i32::try_from(*number).unwrap_or(0)).is_some_and(|stat| !stat.ended);
        while numbers.iter().any(there) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        if !keep {
            let _ = fs::remove_dir_all(folder);
        }
        std::process::exit(code);
    });
    Ok(())
}

/// Free ports on loopback, all of them different. Somebody else may take one before the server does, which then does
/// not start.
pub(crate) fn free_doors<const COUNT: usize>() -> io::Result<[SocketAddr; COUNT]> {
    let mut doors = [SocketAddr::from(([127, 0, 0, 1], 0)); COUNT];
    // All are held until the last one is found: else the system may give one twice.
    let held: Vec<TcpListener> = doors.iter().map(TcpListener::bind).collect::<Result<_, _>>()?;
    for (door, held) in doors.iter_mut().zip(&held) {
        *door = held.local_addr()?;
    }
    Ok(doors)
}

/// What a program says of its version, the first line of it.
pub(crate) fn version(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// Where a program is, also in the system's folders, which are not on everybody's path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/sbin"]);
    folders.map(|folder| Path::new(folder).join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_with_a_name_that_misleads() {
        let line = "42 (a) 9 (b) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 127));
    }

    #[test]
    fn a_tree_is_ended_with_its_children() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut tree = Tree::start(Command::new("sh").args(["-c", "sleep 60 & wait"]), log.path()).unwrap();
        let begun = Instant::now();
        while tree.numbers().len() < 2 && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(tree.runs());
        assert!(tree.private().unwrap() > 0);
        let numbers = tree.numbers();
        assert_eq!(numbers.len(), 2);
        tree.signal(Signal::KILL);
        drop(tree);
        let left = |number: &i32| Stat::read(*number).is_some_and(|stat| stat.parent == numbers[0]);
        assert!(!numbers.iter().any(left));
    }
}
