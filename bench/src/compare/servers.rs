//! Who is measured: each is started alone, over mail of its own, and ended before the next one.

mod bare;
mod doghouse;
mod dovecot;
mod floor;
mod popa3d;

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) use self::{bare::serve as serve_bare, floor::serve as serve_floor, popa3d::serve as serve_inetd};
use crate::{
    corpus::{Corpus, Size},
    process::{Tree, find_program, version},
    talk::Protocol,
};

/// Whose figures stand in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    Doghouse,
    /// Dovecot, set up to be as fast as it can be.
    DovecotBest,
    /// Dovecot as Debian's package sets it up.
    DovecotInstalled,
    /// A small POP3 server, a process for each session.
    Popa3d,
    /// POP2 from memory, with no mailbox behind it.
    Floor,
    /// The same octets written on a bare connection.
    Write,
    /// The same, by `sendfile`.
    Sendfile,
    /// No server: the names in `cur` and `new`, read.
    Names,
}

impl Subject {
    pub(crate) const SERVERS: [Self; 5] =
        [Self::Doghouse, Self::DovecotBest, Self::DovecotInstalled, Self::Popa3d, Self::Floor];

    /// The word for the command line and for JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Doghouse => "doghouse",
            Self::DovecotBest => "dovecot-best",
            Self::DovecotInstalled => "dovecot-installed",
            Self::Popa3d => "popa3d",
            Self::Floor => "floor",
            Self::Write => "write",
            Self::Sendfile => "sendfile",
            Self::Names => "names",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Doghouse => "Doghouse",
            Self::DovecotBest => "Dovecot, at its best",
            Self::DovecotInstalled => "Dovecot, as installed",
            Self::Popa3d => "popa3d",
            Self::Floor => "floor (POP2 from memory)",
            Self::Write => "bare connection, write",
            Self::Sendfile => "bare connection, sendfile",
            Self::Names => "reading the names",
        })
    }
}

/// The kinds of store, of which only the first is not Doghouse's alone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Maildir,
    Mbox,
    Mh,
    Mtx,
}

impl Store {
    pub(crate) const ALL: [Self; 4] = [Self::Maildir, Self::Mbox, Self::Mh, Self::Mtx];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Mbox => "mbox",
            Self::Mh => "mh",
            Self::Mtx => "mtx",
        }
    }
}

/// A certificate for `dog-house.example` that nobody has signed, and its key, as files in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The user whose mail it is, and as whom servers work that were started by root.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) ids: (u32, u32),
}

/// What is there on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) ours: PathBuf,
    pub(crate) doghouse: Option<PathBuf>,
    pub(crate) dovecot: Option<PathBuf>,
    pub(crate) dovecot_lmtp: bool,
    pub(crate) popa3d: Option<PathBuf>,
}

impl Programs {
    pub(crate) fn look(doghouse: Option<PathBuf>, popa3d: Option<PathBuf>) -> io::Result<Self> {
        let ours = std::env::current_exe()?;
        let beside = ours.with_file_name("doghouse");
        Ok(Self {
            doghouse: doghouse.or(Some(beside)).filter(|program| program.is_file()),
            dovecot: find_program("dovecot"),
            dovecot_lmtp: dovecot::has("lmtp"),
            popa3d: popa3d.filter(|program| program.is_file()).or_else(|| find_program("popa3d")),
            ours,
        })
    }

    /// Why somebody cannot be measured here, if so.
    pub(crate) fn missing(&self, subject: Subject, root: bool) -> Option<String> {
        match subject {
            Subject::Doghouse if self.doghouse.is_none() => Some(
                "no program doghouse beside this one; bench/compare builds it, or name it with --doghouse"
                    .into(),
            ),
            Subject::DovecotBest | Subject::DovecotInstalled => {
                if self.dovecot.is_none() || !dovecot::has("pop3") {
                    return Some(
                        "not installed (Debian: dovecot-pop3d, and dovecot-lmtpd for delivery)".into(),
                    );
                }
                let version = self.version(subject).unwrap_or_default();
                (!version.starts_with("2.3.")).then(|| {
                    format!("version {version:?}: the configuration that is written here is that of 2.3 only")
                })
            }
            Subject::Popa3d if self.popa3d.is_none() => {
                Some("not installed (Debian: popa3d, or unpacked and named with --popa3d)".into())
            }
            Subject::Popa3d if !root => Some("it can only be started by root".into()),
            _ => None,
        }
    }

    pub(crate) fn version(&self, subject: Subject) -> Option<String> {
        match subject {
            Subject::Doghouse => version(self.doghouse.as_deref()?, "--version"),
            Subject::DovecotBest | Subject::DovecotInstalled => {
                version(self.dovecot.as_deref()?, "--version")
            }
            Subject::Popa3d => version(self.popa3d.as_deref()?, "-V"),
            _ => None,
        }
    }
}

/// What a server is to serve, and how.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    pub(crate) programs: &'a Programs,
    /// Where its configuration, its log and its state go.
    pub(crate) home: PathBuf,
    /// Where its mail is: a folder with a Maildir, a file or a folder for each account.
    pub(crate) mail: PathBuf,
    pub(crate) store: Store,
    pub(crate) corpus: Corpus,
    pub(crate) certificate: &'a Certificate,
    pub(crate) owner: Option<&'a Owner>,
    /// Whether what comes in has to be on the disk before it is taken.
    pub(crate) durable: bool,
    pub(crate) cores: usize,
}

/// One that serves.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) tree: Tree,
    pub(crate) protocol: Protocol,
    pub(crate) door: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) lmtp: Option<SocketAddr>,
}

/// Starts one.
pub(crate) fn start(subject: Subject, setting: &Setting<'_>) -> io::Result<Server> {
    std::fs::create_dir_all(&setting.home)?;
    let started = match subject {
        Subject::Doghouse => doghouse::start(setting),
        Subject::DovecotBest => dovecot::start(setting, true),
        Subject::DovecotInstalled => dovecot::start(setting, false),
        Subject::Popa3d => popa3d::start(setting),
        Subject::Floor => floor::start(setting),
        Subject::Write => bare::start(setting, "write"),
        Subject::Sendfile => bare::start(setting, "sendfile"),
        Subject::Names => Err(io::Error::other("is no server")),
    };
    let all_doors = started.and_then(|mut server| {
        // They are not opened in the same moment.
        for door in [Some(server.door), server.tls, server.lmtp].into_iter().flatten() {
            server.tree.await_door(door)?;
        }
        Ok(server)
    });
    all_doors.map_err(|error| {
        let log = std::fs::read_to_string(setting.log()).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(4).collect();
        io::Error::other(format!("{error}: {}", end.into_iter().rev().collect::<Vec<_>>().join(" / ")))
    })
}

impl Setting<'_> {
    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The same, as the mail's owner from the beginning where that is somebody else.
    fn command_as_owner(&self, program: &Path) -> Command {
        let mut command = command(program);
        if let (Some(setpriv), Some(owner)) = (find_program("setpriv"), self.owner) {
            let (user, group) = owner.ids;
            command = Command::new(setpriv);
            command
                .args([format!("--reuid={user}"), format!("--regid={group}")])
                .args(["--clear-groups", "--pdeathsig", "TERM"])
                .arg(program);
        }
        command
    }

    /// This program, as one of the floors, told what it serves.
    fn ourselves(&self, as_what: &[&str], door: SocketAddr) -> Command {
        let mut command = command(&self.programs.ours);
        let octets = match self.corpus.size {
            Size::Small => 0,
            Size::Of(octets) => octets,
        };
        command
            .args(as_what)
            .args(["--door", &door.to_string()])
            .args(["--accounts", &self.corpus.accounts.to_string()])
            .args(["--messages", &self.corpus.messages.to_string()])
            .args(["--octets", &octets.to_string()]);
        command
    }
}

/// A command that is ended with this program, however that ends.
fn command(program: &Path) -> Command {
    match find_program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}
