//! A house to try things in: a temporary folder with a configuration, users and mail, the daemon over it, and a
//! client that says what it is told.
#![allow(dead_code, unreachable_pub)] // each test program uses a part

pub mod figures;
pub mod net;
pub mod site;

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Nothing on this machine takes longer, however busy it is.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct House(TempDir);

impl House {
    /// Users fido with the password bone and smith with cat; no mail; any free port.
    pub fn new() -> Self {
        Self::with_config("")
    }

    /// The same, with more tables at the end of the configuration.
    pub fn with_config(extra: &str) -> Self {
        Self::with_mail("maildir:mail/{user}", extra)
    }

    /// The same, with the mail in another place.
    pub fn with_mail(place: &str, extra: &str) -> Self {
        let folder = TempDir::with_prefix("doghouse-test-").unwrap();
        let listener =
            if extra.contains("[[listener]]") { "" } else { "[[listener]]\naddress = \"127.0.0.1:0\"\n" };
        let config = format!(
            "hostname = \"dog-house.example\"\n[accounts]\npasswd_file = \"users\"\n\
             [mail]\ndefault = [\"{place}\"]\n{extra}\n{listener}"
        );
        fs::write(folder.path().join("doghouse.toml"), config).unwrap();
        fs::write(folder.path().join("users"), "fido:{PLAIN}bone\nsmith:{PLAIN}cat\n").unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("doghouse.toml")
    }

    pub fn maildir(&self, user: &str) -> PathBuf {
        self.path().join("mail").join(user)
    }

    /// Puts a message into `new`, as another program would.
    pub fn put(&self, user: &str, name: &str, octets: &[u8]) {
        let new = self.maildir(user).join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join(name), octets).unwrap();
    }

    /// `doghouse` with these arguments and this house's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Self::bare_command(arguments);
        command.arg("--config").arg(self.config());
        command
    }

    /// `doghouse` with these arguments.
    pub fn bare_command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doghouse"));
        command.args(arguments).env_remove("DOGHOUSE_LOG").stdin(Stdio::null());
        command
    }

    /// Delivers a message by `doghouse deliver`.
    pub fn deliver(&self, user: &str, octets: &[u8]) {
        self.deliver_into(user, "INBOX", octets);
    }

    /// The same, into a folder.
    pub fn deliver_into(&self, user: &str, folder: &str, octets: &[u8]) {
        let mut command = self.command(&["deliver", user, "--folder", folder]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(octets).unwrap();
        assert!(child.wait().unwrap().success());
    }

    pub fn serve(&self) -> Daemon {
        Daemon::start(self.command(&["serve"]))
    }

    /// The same, where it listens on no address.
    pub fn serve_elsewhere(&self) -> Daemon {
        Daemon::spawn(self.command(&["serve"]))
    }
}

/// A running `doghouse serve`. Dropping it ends it.
pub struct Daemon {
    pub address: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    /// By a command of one's own; as another user, say.
    pub fn start(command: Command) -> Self {
        let mut daemon = Self::spawn(command);
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains("listening")).unwrap();
        let address = line.split("address").nth(1).unwrap().trim_start_matches(['=', '"', ':']);
        daemon.address = address.split([' ', '"']).next().unwrap().parse().unwrap();
        daemon
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (errors, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                lines.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        let daemon = Self { address: SocketAddr::from(([0; 4], 0)), child, log };
        daemon.wait_for_log("listening");
        daemon
    }

    /// Where it listens for another protocol, as the log has it.
    pub fn listens(&self, protocol: &str) -> String {
        let end = format!(" protocol=\"{protocol}\"");
        self.wait_for_log(&end);
        let log = self.log();
        let line = log.lines().find(|line| line.ends_with(&end)).unwrap();
        line.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn wait_for_log(&self, needle: &str) {
        let begun = Instant::now();
        while !self.log().contains(needle) {
            assert!(begun.elapsed() < PATIENCE, "no {needle:?} in the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) -> ExitStatus {
        self.ended().unwrap_or_else(|| panic!("it does not end:\n{}", self.log()))
    }

    pub fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return Some(status),
                None if begun.elapsed() > PATIENCE => return None,
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A connection on which a test says just what it means to.
pub struct Client<S = TcpStream>(BufReader<S>);

/// With what no machine needs longer for.
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        Self::over(patient(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub fn into_stream(self) -> S {
        self.0.into_inner()
    }

    /// One reply, which ends in CR LF and has at most 512 octets; without its end.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        assert!(
            line.len() <= 512 && line.ends_with(b"\r\n"),
            "no reply: {:?}",
            line.escape_ascii().to_string()
        );
        line.truncate(line.len() - 2);
        String::from_utf8(line).unwrap()
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).unwrap();
    }

    /// Says a command and hears one reply.
    pub fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        self.line()
    }

    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.0.read_exact(&mut octets).unwrap();
        octets
    }

    /// Everything until the server closes.
    pub fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("not closed: {error}"),
            _ => rest,
        }
    }

    /// Hears the greeting and logs in as fido.
    pub fn log_in(&mut self) -> String {
        self.line();
        self.say("HELO fido bone")
    }
}
