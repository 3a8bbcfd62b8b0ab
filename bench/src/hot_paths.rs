//! `hot-paths WORK TIMES`: does one thing so many times, for `bench/instructions` to count what that takes.
//!
//! Nothing is timed: how many instructions a program executes does not depend on what else the machine does. Server
//! and client are one process, so what the client takes is in every figure, the same from one version to the next.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fs,
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::ExitCode,
};

use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use pop2::wire::Encoder;
use postbox::{FolderName, Postbox, maildir::Maildir};

/// Messages in the mailbox.
const MESSAGES: usize = 100;

/// Lines of a message, of 64 octets with its end.
const LINES: usize = 80;

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hot-paths: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, times] = arguments.as_slice() else {
        return Err("usage: hot-paths convert|select|session|message TIMES".into());
    };
    let times: usize = times.parse()?;
    let folder = tempfile::TempDir::with_prefix("doghouse-bench-")?;
    match what.as_str() {
        "convert" => {
            let (text, mut wire) = (text(), Vec::with_capacity(2 * LINES * 64));
            for _ in 0..times {
                wire.clear();
                Encoder::default().encode(black_box(text.as_bytes()), &mut wire);
                black_box(&wire);
            }
            Ok(())
        }
        "select" => {
            let maildir = lay_out(folder.path())?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            // A postbox that has never been looked into reads the names.
            (0..times).try_for_each(|_| {
                let selected = runtime.block_on(Maildir::new(&maildir).select(&FolderName::inbox()));
                black_box(selected?);
                Ok(())
            })
        }
        "session" => serve(folder.path(), |address| {
            (0..times).try_for_each(|_| Client::log_in(address)?.expect("QUIT", "+").map(drop))
        }),
        "message" => serve(folder.path(), |address| {
            let mut client = Client::log_in(address)?;
            (0..times).try_for_each(|number| client.fetch(number % MESSAGES + 1))?;
            client.expect("QUIT", "+").map(drop)
        }),
        _ => Err(format!("{what}: there is no such work").into()),
    }
}

fn text() -> String {
    "It is behind the house, where the old tree stood: dig with me.\n".repeat(LINES)
}

/// A Maildir of one account.
fn lay_out(folder: &Path) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let maildir = folder.join("mail/fido");
    let text = text();
    fs::create_dir_all(maildir.join("cur"))?;
    fs::create_dir_all(maildir.join("new"))?;
    for number in 0..MESSAGES {
        // Not in the order of their numbers.
        let name =
            format!("{}.x,S={},W={}:2,S", 1_700_000_000 + number * 37 % 101, text.len(), text.len() + LINES);
        fs::write(maildir.join("cur").join(name), &text)?;
    }
    fs::write(folder.join("users"), "fido:{PLAIN}bone\n")?;
    Ok(maildir)
}

fn serve(
    folder: &Path,
    work: impl FnOnce(SocketAddr) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    lay_out(folder)?;
    let config = Config::parse(
        "sandbox = false\n[[listener]]\naddress = '127.0.0.1:0'\n[mail]\ndefault = ['maildir:mail/{user}']\n",
        &folder.join("doghouse.toml"),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let daemon = runtime.block_on(async {
        let doors = Doors::open(&config, Handed::default())?;
        Daemon::start(config, doors, None)
    })?;
    let worked = work(*daemon.addresses().first().ok_or("nothing listens")?);
    runtime.block_on(daemon.stop());
    worked
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn log_in(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut client = Self(BufReader::new(TcpStream::connect(address)?));
        client.hear("+")?;
        client.expect("HELO fido bone", "#")?;
        Ok(client)
    }

    fn fetch(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let promised = self.expect(&format!("READ {number}"), "=")?;
        let length = promised.trim_start_matches('=').split(' ').next().unwrap_or_default().parse()?;
        self.0.get_mut().write_all(b"RETR\r\n")?;
        let mut message = vec![0; length];
        self.0.read_exact(&mut message)?;
        self.expect("ACKS", "=").map(drop)
    }

    fn expect(&mut self, command: &str, begins: &str) -> Result<String, Box<dyn Error>> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.hear(begins)
    }

    fn hear(&mut self, begins: &str) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        if line.starts_with(begins) { Ok(line) } else { Err(format!("{line:?} in place of {begins}").into()) }
    }
}
