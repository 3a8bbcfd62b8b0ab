//! What a figure depends on and does not say: the machine, the versions, the state of things.

use std::{fs, path::Path};

/// Lines of a name and what it is.
pub(crate) type Facts = Vec<(&'static str, String)>;

pub(crate) fn facts(scratch: &Path, cores: usize) -> Facts {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let model = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = first_value("/proc/meminfo", "MemTotal").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    vec![
        ("kernel", format!("{} {} {}", text(name.sysname()), text(name.release()), text(name.machine()))),
        ("processor", format!("{model}, {cores} cores, shared by clients and server")),
        ("memory", memory),
        ("file system", file_system(scratch)),
        ("load before it", load.join(" ")),
    ]
}

fn first_value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The kind of file system that a folder is on: that of the longest place that leads to it.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
            folder.starts_with(place).then(|| (place.len(), kind.to_owned()))
        })
        .max()
        .map_or_else(|| "unknown".into(), |(_, kind)| kind)
}

/// Makes the kernel forget what it has read of the disk. Whether it could: only root may.
pub(crate) fn drop_caches() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Lets this process and those that it starts have this many files open, as far as it may.
pub(crate) fn raise_open_files(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let both = Rlimit { current: Some(wanted), maximum: Some(wanted.max(now.maximum.unwrap_or(wanted))) };
    let hard = Rlimit { current: now.maximum, maximum: now.maximum };
    // Root may raise both; anybody the one up to the other.
    let _ = setrlimit(Resource::Nofile, both).or_else(|_| setrlimit(Resource::Nofile, hard));
}

/// How many files a process may have open.
pub(crate) fn open_files() -> String {
    let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    now.maximum.map_or_else(|| "any number a process".into(), |most| format!("{most} a process at most"))
}
