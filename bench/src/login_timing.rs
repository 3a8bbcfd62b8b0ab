//! `login-timing SAMPLES`: whether the time of a refused login tells if there is such a user.
//!
//! It starts a server of its own, in this process, and refuses it the chance to log anybody in: a right password would
//! be remembered. All accounts have the same scheme and cost, since an unknown user is checked against a stand-in
//! that is one of them (docs/design/accounts.md).
//!
//! Exit: 0 the kinds cannot be told apart, 1 they can, 2 it could not be measured.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use argon2::{Argon2, password_hash::PasswordHasher as _};
use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use doghouse_bench::rank::{mann_whitney, median};

/// The names of each kind are as many and as long, so that nothing but the kind differs.
const KINDS: [(&str, &str); 3] =
    [("unknown user", "nob"), ("wrong password", "usr"), ("locked account", "loc")];

/// Names of each kind.
const NAMES: usize = 8;

/// How often three kinds that are the same may be told apart by chance.
const ERROR: f64 = 0.01;

/// Logins that are not counted: what is only slow at first must not fall to one kind.
const WARM_UP: usize = 60;

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::from(1),
        Ok(false) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("login-timing: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure() -> Result<bool, Box<dyn Error>> {
    let samples: usize = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => 1500,
        [one] => one.parse().ok().filter(|samples| *samples >= 20).ok_or("SAMPLES is a number from 20 on")?,
        _ => return Err("usage: login-timing [SAMPLES]".into()),
    };
    let folder = tempfile::TempDir::with_prefix("doghouse-bench-")?;
    let config = lay_out(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let daemon = runtime.block_on(async {
        let doors = Doors::open(&config, Handed::default())?;
        Daemon::start(config, doors, None)
    })?;
    let address = *daemon.addresses().first().ok_or("nothing listens")?;
    let times = sample(address, samples);
    runtime.block_on(daemon.stop());
    Ok(judge(&times?))
}

/// Accounts of which the half is locked, and limits that slow nobody down.
fn lay_out(folder: &std::path::Path) -> Result<Config, Box<dyn Error>> {
    let mut users = String::new();
    for number in 0..NAMES {
        let hash = Argon2::default().hash_password(format!("right{number}").as_bytes())?.to_string();
        let [_, (_, real), (_, locked)] = KINDS;
        write!(users, "{real}{number}:{{ARGON2ID}}{hash}\n{locked}{number}:!{{ARGON2ID}}{hash}\n")?;
    }
    fs::write(folder.join("users"), users)?;
    let text = "hostname = 'dog-house.example'\n[[listener]]\naddress = '127.0.0.1:0'\n\
                [accounts]\npasswd_file = 'users'\n[mail]\ndefault = ['maildir:mail/{user}']\n\
                [limits]\nlogin_failures = 4000000000\n";
    Ok(Config::parse(text, &folder.join("doghouse.toml"))?)
}

/// The times of each kind, in seconds. Each round has all kinds in an order that nobody knows before: whatever else
/// this machine does meanwhile meets them alike.
fn sample(address: SocketAddr, samples: usize) -> Result<[Vec<f64>; 3], Box<dyn Error>> {
    let mut times = [const { Vec::new() }; 3];
    for round in 0..WARM_UP / KINDS.len() + samples {
        let mut order = [0, 1, 2];
        order.swap(0, below(3)?);
        order.swap(1, 1 + below(2)?);
        for kind in order {
            let (_, name) = KINDS.get(kind).ok_or("no such kind")?;
            let took = refused(address, &format!("{name}{}", below(NAMES)?))?;
            if round >= WARM_UP / KINDS.len() {
                times.get_mut(kind).ok_or("no such kind")?.push(took.as_secs_f64());
            }
        }
    }
    Ok(times)
}

/// A number below another, by chance. That the first ones come a little more often does not matter here.
fn below(end: usize) -> Result<usize, getrandom::Error> {
    Ok(usize::try_from(getrandom::u32()?).unwrap_or(0) % end)
}

/// How long the answer to a wrong password takes.
fn refused(address: SocketAddr, user: &str) -> Result<Duration, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    line.clear();
    let command = format!("HELO {user} wrong\r\n");
    let begun = Instant::now();
    stream.get_mut().write_all(command.as_bytes())?;
    stream.read_line(&mut line)?;
    let took = begun.elapsed();
    if line.starts_with("- login refused") { Ok(took) } else { Err(format!("not refused: {line:?}").into()) }
}

/// Prints what there is to see; whether any two kinds can be told apart.
fn judge(times: &[Vec<f64>; 3]) -> bool {
    for ((kind, _), times) in KINDS.iter().zip(times) {
        println!("{kind:<15} {} samples, median {:.3} ms", times.len(), median(times) * 1e3);
    }
    // Of three pairs each may err a third as often.
    let most = ERROR / 3.0;
    let mut told_apart = false;
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let (Some((kind, _)), Some((other_kind, _))) = (KINDS.get(one), KINDS.get(other)) else { continue };
        let (Some(first), Some(second)) = (times.get(one), times.get(other)) else { continue };
        let outcome = mann_whitney(first, second);
        let differ = outcome.p < most;
        told_apart |= differ;
        println!(
            "{kind} / {other_kind}: z {:+.2}, p {:.4}{}",
            outcome.z,
            outcome.p,
            if differ { ": they differ" } else { "" }
        );
    }
    let verdict = if told_apart { "can be told apart" } else { "cannot be told apart" };
    println!("The kinds {verdict}, at an error rate of {ERROR} ({most:.4} for each pair).");
    told_apart
}
