//! A mailbox server that keeps to a script, and fido run against it.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of this")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long either side may take before a test is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers as its script says, and stops at the first line that it does not expect.
///
/// A script has a line a step: `S: text` is sent, with CR LF; `C: text` must come from the client; `close`
/// closes; `silence` waits until the client closes, whatever it says. Behind the last step the client must
/// close, having said no more.
pub struct Peer {
    pub address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Peer {
    /// Plays each script on a connection of its own, one after the other.
    pub fn plays(scripts: &[&str]) -> Self {
        Self::watched(scripts, |_| {})
    }

    /// As [`plays`](Self::plays), and `watch` is told each line of the client before it is answered.
    pub fn watched(scripts: &[&str], mut watch: impl FnMut(&str) + Send + 'static) -> Self {
        let scripts: Vec<String> = scripts.iter().map(|&script| script.to_owned()).collect();
        Self::serves(move |listener| {
            for script in scripts {
                play(&script, listener.accept().unwrap().0, &mut watch);
            }
        })
    }

    /// Does as `serve` says with the listener.
    pub fn serves(serve: impl FnOnce(TcpListener) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, thread: thread::spawn(move || serve(listener)) }
    }

    /// The script has come to its end as it should.
    pub fn done(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    /// Runs `fido COMMAND 127.0.0.1:port ARGUMENTS` for fred, whose password is bone, to the end of the script.
    pub fn meets(self, command: &str, arguments: &[&str]) -> Outcome {
        let login = ["--user", "fred", "--password-stdin"];
        let outcome = run(&mut fido(self.address, command, &[&login, arguments].concat()), "bone\n");
        if let Err(panic) = self.thread.join() {
            eprintln!("{outcome:?}");
            std::panic::resume_unwind(panic);
        }
        outcome
    }
}

fn play(script: &str, stream: TcpStream, watch: &mut dyn FnMut(&str)) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    for step in script.lines().map(str::trim_start).filter(|step| !step.is_empty()) {
        match step.split_once(": ").unwrap_or((step.trim_end_matches(':'), "")) {
            ("S", text) => writer.write_all(format!("{text}\r\n").as_bytes()).unwrap(),
            ("C", text) => {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap_or_else(|error| panic!("no {text:?}: {error}"));
                assert_eq!(line, format!("{text}\r\n"), "where the script has {text:?}");
                watch(text);
            }
            ("close", _) => return,
            ("silence", _) => {
                // It may say QUIT, and may close with octets of ours unread.
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            _ => panic!("no step of a script: {step:?}"),
        }
    }
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "behind the end of the script");
}

/// The program, about to be run against `address`.
pub fn fido(address: SocketAddr, command: &str, arguments: &[&str]) -> Command {
    let mut fido = bare_fido();
    fido.arg(command).arg(address.to_string()).args(arguments);
    fido
}

/// The program, which finds nothing of whoever runs the tests.
pub fn bare_fido() -> Command {
    let mut fido = Command::new(env!("CARGO_BIN_EXE_fido"));
    for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
        fido.env(folder, "/nonexistent");
    }
    // It remembers nothing of what was fetched before.
    fido.env("XDG_STATE_HOME", fresh_folder());
    fido
}

/// A folder that nobody else has.
fn fresh_folder() -> std::path::PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("state-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `command` to its end with `input` on its standard input.
pub fn run(command: &mut Command, input: &str) -> Outcome {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Outcome::from(child.wait_with_output().unwrap())
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// It ended with this exit code, and its last line on standard error holds `text`.
    #[track_caller]
    pub fn ends(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(text), "{text:?} is not in the last line: {self:#?}");
        assert!(!self.stderr.contains("bone"), "the password shows: {self:#?}");
    }
}

/// The messages in a Maildir's `new`, in the order of their content.
pub fn messages(maildir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(maildir.join("new")) else { return vec![] };
    let mut messages: Vec<String> =
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    messages.sort();
    messages
}

/// A folder for one test, and `maildir:` or `mbox:` with a path in it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.0.path().join("mail")
    }

    pub fn target(&self, kind: &str) -> String {
        format!("{kind}:{}", self.path().display())
    }

    /// The mbox without the times in its `From ` lines.
    pub fn mbox(&self) -> String {
        without_times(&fs::read_to_string(self.path()).unwrap_or_default())
    }

    /// That there is nothing but what was asked for: no lock, no spool.
    #[track_caller]
    pub fn holds_only_mail(&self) {
        let names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "mail"), "{names:?}");
    }
}

/// An mbox without the times in its `From ` lines.
pub fn without_times(mbox: &str) -> String {
    mbox.split_inclusive('\n').map(|line| if line.starts_with("From ") { "From \n" } else { line }).collect()
}

/// The whole of a session in which fred reads two messages; `ack` is what is said of each, `quit` the end.
pub fn two_messages(ack: &str) -> String {
    format!(
        "S: + POP2 dog-house.example Server Ready
         C: HELO fred bone
         S: #2 messages
         C: READ 1
         S: =21 characters
         C: RETR
         S: Subject: 1
         S:
         S: Woof.
         C: {ack}
         S: =12 characters
         C: READ 2
         S: =12 characters
         C: RETR
         S: Subject: 2
         C: {ack}
         S: =0 no more messages
         C: QUIT
         S: + OK"
    )
}

/// What the two messages are when they are stored.
pub const TWO: [&str; 2] = ["Subject: 1\n\nWoof.\n", "Subject: 2\n"];
