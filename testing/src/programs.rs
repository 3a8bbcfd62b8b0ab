//! Where the programs are.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

/// The folders where programs are looked for; those of the system are not on everybody's path.
pub(crate) fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from)).collect()
}

/// A program, by its whole path; panics with the Debian package to install where it is missing.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    let found = folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| missing(name, package))
}

/// Says which Debian package has what is missing.
pub(crate) fn missing(what: &str, package: &str) -> ! {
    panic!("{what} is missing: install the Debian package {package}, or run ./check, which does")
}

/// The folder of PostgreSQL's own programs: that of the `postgres` on the path, otherwise the newest that Debian has.
pub(crate) fn postgres() -> PathBuf {
    let is_whole = |folder: &Path| {
        ["postgres", "initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file())
    };
    // A link may lead from the path into the folder where the others are.
    let real = |folder: PathBuf| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned());
    if let Some(found) = folders().into_iter().filter_map(real).find(|folder| is_whole(folder)) {
        return found;
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let number = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let newest =
        versions.map(|entry| entry.path()).filter(|path| is_whole(&path.join("bin"))).max_by_key(number);
    newest.map_or_else(|| missing("PostgreSQL", "postgresql"), |path| path.join("bin"))
}

/// A port of the loopback address that nobody listens at; somebody else may take it before it is used.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
