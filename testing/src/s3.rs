//! An object store that speaks S3.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{http, programs};

const REQUIREMENTS: &str = include_str!("../s3/requirements.txt");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/s3/server.py");

/// A private object store in memory, moto's, whose faults are made on demand.
///
/// It takes any key and secret, and any signature. Buckets are in paths: `http://127.0.0.1:PORT/BUCKET/KEY`.
#[derive(Debug)]
pub struct S3 {
    /// Ends when its standard input does.
    child: Child,
    address: SocketAddr,
    buckets: AtomicU64,
}

impl S3 {
    /// The access key to use; any other is taken as well.
    pub const KEY: &str = "doghouse";
    /// Its secret.
    pub const SECRET: &str = "doghouse";
    /// The region to use.
    pub const REGION: &str = "us-east-1";

    /// A new one. The first one below a target folder takes a minute: it installs moto there.
    #[must_use]
    pub fn start() -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut child = Command::new(python())
            .arg(SERVER)
            // What kills a whole group, such as an interrupt from the terminal, is not to leave it half dead.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .expect("Python");
        let mut lines = BufReader::new(&mut reader);
        let mut said = String::new();
        while lines.read_line(&mut said).unwrap() > 0 {
            let last = said.lines().last().and_then(|line| line.strip_prefix("port "));
            if let Some(port) = last.and_then(|port| port.parse::<u16>().ok()) {
                let address = (Ipv4Addr::LOCALHOST, port).into();
                return Self { child, address, buckets: AtomicU64::new(1) };
            }
        }
        let _ = child.wait();
        panic!("the object store does not start: {said}");
    }

    /// The one of this process, for tests that make no faults; started when it is first asked for.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<S3> = LazyLock::new(S3::start);
        &SHARED
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes an empty bucket, and says its name.
    #[must_use]
    pub fn bucket(&self) -> String {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        self.must("PUT", &format!("/{name}"));
        name
    }

    /// Sets faults, and turns off all that are not named: `fail_put_every=100&delay_ms=5`; an empty text is none.
    ///
    /// `fail_put_every`, `fail_get_every` (lists too) and `fail_delete_every`: each so-manieth is answered 503 and not
    /// done. `lose_put_every`: answered 200 and not stored. `silent_put_every`: stored, and the connection ends without
    /// an answer. `truncate_get_every`: the connection ends after half of the
    /// object. `shorten_get_every`: half of the object as if it were the whole. `delay_ms`: each answer waits.
    /// `down=1`: 503 for all. Requests are counted anew from here on, so that those with 1 are all.
    pub fn faults(&self, query: &str) {
        self.must("GET", &format!("/_faults?{query}"));
    }

    /// What was asked for since the start, also where it failed, as JSON: `puts`, `gets`, `heads` and `deletes` of
    /// objects, `lists` of buckets, `posts` (deleting many, multipart), and the faults that were `injected`.
    #[must_use]
    pub fn counts(&self) -> String {
        self.must("GET", "/_counts")
    }

    /// One of these counts.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        let counts = self.counts();
        let value = counts.split_once(&format!("\"{name}\": ")).map(|(_, rest)| rest);
        let digits = value.and_then(|rest| rest.split([',', '}']).next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no {name} in {counts}"))
    }

    /// The keys in a bucket, in order; no fault touches this.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        self.must("GET", &format!("/_objects?bucket={bucket}")).lines().map(str::to_owned).collect()
    }

    /// Asks without a signature, by a connection of its own: the status and the body. The path begins with the bucket's
    /// name: `/bucket-1/key`.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        http::request(self.address, method, path, body)
    }

    fn must(&self, method: &str, path: &str) -> String {
        let (status, body) = self.request(method, path, b"");
        let body = String::from_utf8(body).expect("UTF-8");
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The Python of an environment below the target folder that has moto; made where it is not there yet.
fn python() -> PathBuf {
    let python = programs::program("python3", "python3");
    let folder = target().join("moto");
    let marker = folder.join("complete");
    // An environment does not outlive the Python that it was made with.
    let version =
        Command::new(&python).args(["-c", "import sys; print(sys.version, sys.base_prefix)"]).output();
    let wanted = format!("{REQUIREMENTS}{}", String::from_utf8_lossy(&version.expect("Python").stdout));
    let is_complete = || fs::read_to_string(&marker).is_ok_and(|there| there == wanted);
    let made = folder.join("bin/python");
    if is_complete() && made.exists() {
        return made;
    }
    let lock = File::create(target().join("moto.lock")).unwrap();
    lock.lock().unwrap();
    if !is_complete() || !made.exists() {
        let _ = fs::remove_dir_all(&folder);
        run(
            Command::new(&python).args(["-m", "venv"]).arg(&folder),
            &lock,
            "the Debian package python3-venv",
        );
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS).unwrap();
        let mut pip = Command::new(&made);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"]);
        run(pip.arg(&requirements), &lock, "moto from the Python package index");
        fs::write(&marker, wanted).unwrap();
    }
    made
}

/// Runs one step of making the environment, or panics with what it says and what it needs.
fn run(command: &mut Command, lock: &File, needs: &str) {
    // The step holds the lock as well: it may go on where this process is killed, and nobody else is to begin then.
    let output = command.stdin(lock.try_clone().unwrap()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?} needs {needs}: {}", String::from_utf8_lossy(&said));
}

/// Cargo's target folder, in which this program is.
fn target() -> PathBuf {
    let this = env::current_exe().unwrap();
    let found = this.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let fallback = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let folder = found.map_or_else(fallback, Path::to_owned);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_has_this_program() {
        assert!(env::current_exe().unwrap().starts_with(target()));
    }
}
