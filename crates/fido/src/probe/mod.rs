//! `fido probe`: what a POP2 server does, case by case, without harm to the mailbox.
//!
//! - `cases` is the table of what is tried; `before`, `messages` and `folders` try it;
//! - `bench` is what they have at hand, `wire` a connection, `log` what was said and heard;
//! - `finding`, `guess` and `report` are what comes of it.

mod before;
mod bench;
mod cases;
mod finding;
mod folders;
mod guess;
mod log;
mod messages;
mod report;
mod wire;

use std::io::{self, Write};

use crate::{Exit, Failure, args::Probe, config::Config};

use bench::Bench;
use cases::{CASES, Case};
use finding::{Finding, NotTried};
use guess::Guess;
use report::{Report, Row, Summary};

/// Tries every case that can be tried, and writes the report to standard output.
pub async fn run(config: &Config, args: &Probe) -> Result<(), Failure> {
    let bench = Bench::new(config, args)?;
    bench.reach().await?;
    let mut cases = Vec::with_capacity(CASES.len());
    for case in CASES {
        cases.push(try_case(&bench, case).await);
    }
    let report = Report {
        host: bench.host().to_string(),
        messages: bench.has_login().then(|| bench.count.get()),
        summary: Summary::of(&cases),
        guess: Guess::of(&bench.log.signs()),
        cases,
    };
    let mut out = io::stdout().lock();
    let written = if args.json { report.write_json(&mut out) } else { write!(out, "{report}") };
    written.map_err(|error| Failure::new(Exit::Io, format!("cannot write to standard output: {error}")))
}

async fn try_case(bench: &Bench, case: &Case) -> Row {
    let tried = match case.needs.missing(bench) {
        Some(why) => Err(NotTried(why)),
        None => (case.run)(bench).await,
    };
    let Finding { verdict, does } = tried.unwrap_or_else(Finding::from);
    Row { name: case.name, rests_on: case.rests_on, finding: verdict, does, dialogue: bench.log.take() }
}
