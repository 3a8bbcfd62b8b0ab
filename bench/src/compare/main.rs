//! `bench/compare`: how fast Doghouse is beside other servers, and beside what this machine can do at all.
//!
//! Each server is started alone over mail of its own, in turn, for several rounds. Clients check every octet of every
//! message: a server that is fast and wrong has no figures. All is on loopback, bounded, and ends by itself.
//!
//! Exit: 0 all that is here was measured, 1 somebody failed, 2 nothing could be measured.
#![forbid(unsafe_code)]

mod corpus;
mod figures;
mod load;
mod machine;
mod process;
mod report;
mod rows;
mod servers;
mod talk;
mod tls;

use std::{
    cell::Cell,
    collections::BTreeSet,
    error::Error,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    corpus::{Corpus, Size},
    machine::Facts,
    report::Report,
    rows::{Bench, ROWS},
    servers::{Owner, Programs, Subject},
};

/// Measures Doghouse beside Dovecot, popa3d and what this machine can do at all, on loopback.
///
/// Nothing is installed: who is not there is left out, and said so.
#[derive(Debug, Parser)]
#[command(name = "bench/compare")]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Clone, Args)]
struct Options {
    /// Rows to measure, by their letters: `abc`. (g), the CPU time, is in all rows that have any
    #[arg(long, value_name = "LETTERS", default_value = "abcdefhijk")]
    rows: String,
    /// Who is measured: doghouse, dovecot-best, dovecot-installed, popa3d, floor, write, sendfile, names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    servers: Vec<String>,
    /// How often everybody is measured
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    rounds: usize,
    /// How long one measurement lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    seconds: f64,
    /// Accounts with small messages
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    accounts: usize,
    /// Small messages in each
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    messages: usize,
    /// Clients at once; rows with one figure take the middle one
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,16,64")]
    clients: Vec<usize>,
    /// Large messages
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    large_messages: usize,
    /// The octets of each, as stored with LF
    #[arg(long, value_name = "OCTETS", default_value_t = 10 * 1024 * 1024)]
    large_octets: usize,
    /// Messages in the mailboxes that are selected
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1000,10000,100000")]
    crowds: Vec<usize>,
    /// Connections that are held
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1000,4000,10000")]
    held: Vec<usize>,
    /// Sizes so small that all is over in seconds: whether it works, and no figures to tell anybody
    #[arg(long)]
    smoke: bool,
    /// Only say what is here and what is missing
    #[arg(long)]
    list: bool,
    /// The server that is measured, if not the one that is built beside this program
    #[arg(long, value_name = "FILE")]
    doghouse: Option<PathBuf>,
    /// popa3d, if it is not installed: its package and Dovecot's cannot be installed together, but unpacked they can
    #[arg(long, value_name = "FILE")]
    popa3d: Option<PathBuf>,
    /// Where mail and logs go, in a folder of their own that is removed in the end
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Leave that folder there
    #[arg(long)]
    keep: bool,
    /// Write all values of all rounds
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a picture of each row
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
}

/// The programs that stand for servers; the measurement starts them.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Floor {
        #[command(flatten)]
        mail: Mail,
        #[arg(long)]
        tls: SocketAddr,
        #[arg(long)]
        threads: usize,
        #[arg(long)]
        certificate: PathBuf,
        #[arg(long)]
        key: PathBuf,
    },
    #[command(hide = true)]
    Bare {
        #[command(flatten)]
        mail: Mail,
        #[arg(long)]
        how: String,
        #[arg(long)]
        file: PathBuf,
    },
    #[command(hide = true)]
    Inetd {
        #[arg(long)]
        door: SocketAddr,
        #[arg(long)]
        program: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Mail {
    #[arg(long)]
    door: SocketAddr,
    #[arg(long)]
    accounts: usize,
    #[arg(long)]
    messages: usize,
    /// 0 is for small ones.
    #[arg(long)]
    octets: usize,
}

impl Mail {
    fn corpus(&self) -> Corpus {
        let size = if self.octets == 0 { Size::Small } else { Size::Of(self.octets) };
        Corpus { accounts: self.accounts, messages: self.messages, size }
    }
}

impl Options {
    fn wants(&self, subject: Subject) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|name| name == subject.word())
    }

    fn made_small(self) -> Self {
        Self {
            rounds: 1,
            seconds: 0.2,
            accounts: 4,
            messages: 10,
            clients: vec![1, 3, 4],
            large_messages: 2,
            large_octets: 300_000,
            crowds: vec![100],
            held: vec![20],
            ..self
        }
    }

    /// What the rest relies on.
    fn check(&self) -> Result<(), String> {
        let known = rows::letters();
        if let Some(letter) = self.rows.chars().find(|letter| !known.contains(letter)) {
            return Err(format!(
                "there is no row {letter:?}; there are {}",
                known.iter().collect::<String>()
            ));
        }
        let all = [Subject::Write, Subject::Sendfile, Subject::Names].into_iter().chain(Subject::SERVERS);
        let names: BTreeSet<&str> = all.map(Subject::word).collect();
        if let Some(name) = self.servers.iter().find(|name| !names.contains(name.as_str())) {
            let names: Vec<&str> = names.into_iter().collect();
            return Err(format!("there is no server {name:?}; there are {}", names.join(", ")));
        }
        let counts = [self.rounds, self.accounts, self.messages, self.large_messages, self.large_octets];
        let lists = self.clients.iter().chain(&self.crowds).chain(&self.held);
        if counts.iter().chain(lists).any(|number| *number == 0) || self.clients.is_empty() {
            return Err("all numbers are 1 or more".into());
        }
        if !(0.05..=600.0).contains(&self.seconds) {
            return Err("--seconds is between 0.05 and 600".into());
        }
        if !self.held.is_sorted() {
            return Err("--held has its numbers in order, the least one first".into());
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.part {
        None => compare(cli.options),
        Some(part) => serve(part).map(|()| true).map_err(Into::into),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench/compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(part: &Part) -> std::io::Result<()> {
    match part {
        Part::Floor { mail, tls, threads, certificate, key } => {
            let certificate = Some((certificate.clone(), key.clone()));
            servers::serve_floor(&mail.corpus(), [mail.door, *tls], *threads, certificate)
        }
        Part::Bare { mail, how, file } => {
            servers::serve_bare(&mail.corpus(), mail.door, how == "sendfile", file)
        }
        Part::Inetd { door, program } => servers::serve_inetd(*door, program),
    }
}

/// Measures; whether nobody failed.
fn compare(options: Options) -> Result<bool, Box<dyn Error>> {
    let mut options = if options.smoke { options.made_small() } else { options };
    options.check()?;
    let root = rustix::process::geteuid().is_root();
    let programs = Programs::look(options.doghouse.clone(), options.popa3d.clone())?;
    let mut left_out = Vec::new();
    for subject in Subject::SERVERS {
        if !options.wants(subject) {
            continue;
        }
        if let Some(why) = programs.missing(subject, root) {
            eprintln!("left out: {subject}: {why}");
            left_out.push((subject, why));
        }
    }
    if options.list {
        return Ok(true);
    }
    if options.smoke && std::env::var_os("CI").is_some() && programs.dovecot.is_none() {
        return Err("where CI is set, Dovecot has to be there (Debian: dovecot-pop3d dovecot-lmtpd)".into());
    }
    let all = [Subject::Write, Subject::Sendfile, Subject::Names].into_iter().chain(Subject::SERVERS);
    let measured =
        all.filter(|subject| options.wants(*subject) && !left_out.iter().any(|(out, _)| out == subject));
    options.servers = measured.map(|subject| subject.word().to_owned()).collect();
    if options.servers.is_empty() {
        return Err("nobody is left to be measured".into());
    }

    let rows = options.rows.clone();
    if !root {
        // A server that guards its passwords does not let its own user read its memory.
        options.rows.retain(|letter| letter != 'e');
    }

    machine::raise_open_files(65_536);
    let above = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let mut scratch = tempfile::Builder::new().prefix("doghouse-compare-").tempdir_in(above)?;
    scratch.disable_cleanup(options.keep);
    process::clean_up_when_told_to_end(scratch.path().to_owned(), options.keep)?;
    // The servers' users have to get through it.
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
    let owner = if root { Some(nobody()?) } else { None };
    let run = scratch.path().join("run");
    fs::create_dir_all(&run)?;
    let certificate = tls::certify(scratch.path())?;
    for file in [&certificate.certificate, &certificate.key] {
        corpus::give(file, owner.as_ref().map(|owner| owner.ids))?;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut facts = facts(&options, &programs, owner.as_ref(), scratch.path(), cores);
    if rows != options.rows {
        facts.push(("left out", "row (e): only root can read how much memory is a server's own".into()));
    }
    let bench = Bench {
        options: &options,
        programs: &programs,
        scratch: scratch.path(),
        certificate: &certificate,
        owner: owner.as_ref(),
        cores,
        starts: Cell::new(0),
    };
    let asked = ROWS.into_iter().filter(|(letter, _)| options.rows.contains(*letter));
    let mut report = Report { facts, left_out, sheets: Vec::new() };
    print!("{}", report::head(&report));
    // Row by row, so that who ends it early has what was measured.
    for (letter, title) in asked {
        let sheet = bench.row(letter, title);
        print!("{}", report::text(&sheet));
        report.sheets.push(sheet);
        write(&options, &report)?;
    }
    Ok(!report.has_failures())
}

/// The files that were asked for.
fn write(options: &Options, report: &Report) -> Result<(), Box<dyn Error>> {
    if let Some(file) = &options.json {
        fs::write(file, format!("{:#}\n", report::json(report)))?;
    }
    if let Some(folder) = &options.svg {
        fs::create_dir_all(folder)?;
        for sheet in &report.sheets {
            fs::write(folder.join(format!("compare-{}.svg", sheet.row)), report::svg(sheet))?;
        }
    }
    Ok(())
}

/// Whose mail it is where root measures: a user with no rights.
fn nobody() -> Result<Owner, Box<dyn Error>> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("nobody:")).ok_or("there is no user nobody")?;
    let fields: Vec<&str> = line.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
    let ids = number(2).zip(number(3)).ok_or("the user nobody has no numbers")?;
    Ok(Owner { name: "nobody".into(), ids })
}

/// What stands above the figures.
fn facts(
    options: &Options,
    programs: &Programs,
    owner: Option<&Owner>,
    scratch: &Path,
    cores: usize,
) -> Facts {
    let mut facts = machine::facts(scratch, cores);
    let version = |subject| programs.version(subject).unwrap_or_else(|| "not here".into());
    facts.push(("Doghouse", version(Subject::Doghouse)));
    facts.push(("Dovecot", version(Subject::DovecotBest)));
    facts.push(("popa3d", version(Subject::Popa3d)));
    let whom = owner.map_or("the user who measures", |owner| owner.name.as_str());
    facts.push((
        "mail",
        format!("files of {whom}, on the disk, read before the clock starts where not called cold"),
    ));
    let small = format!("{} accounts of {} small messages", options.accounts, options.messages);
    facts.push(("corpus", format!("{small}, ,S= and ,W= in the names, the same for all; digests by XXH3")));
    facts
        .push(("passwords", "{PLAIN} on both sides, so that no hash is measured; popa3d: MD5 by PAM".into()));
    facts.push(("login", "POP2: HELO; Dovecot: AUTH PLAIN in one line; popa3d: USER, PASS".into()));
    facts.push((
        "fsync",
        "fetching: Dovecot at its best never; delivery: the file and its folder, on both sides".into(),
    ));
    let dropped =
        if machine::drop_caches() { "dropped before cold figures" } else { "NOT dropped (only root may)" };
    facts.push(("disk caches", dropped.into()));
    let (rounds, seconds) = (options.rounds, options.seconds);
    facts.push((
        "rounds",
        format!("{rounds}, of {seconds} s for each figure; the servers in turn, each alone"),
    ));
    facts.push(("open files", machine::open_files()));
    if options.smoke {
        facts.push(("SMOKE RUN", "tiny sizes: these are no figures".into()));
    }
    facts
}
