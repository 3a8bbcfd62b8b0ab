//! `bench/cluster`: one and two servers over PostgreSQL and an object store, beside one over a Maildir, and how the
//! client's wait grows with the mailbox.
//!
//! All are started before anything is measured and measured in turn, for several rounds; everything is on this machine,
//! bounded, and ends by itself. Exit: 0 all was measured, 1 not.
#![forbid(unsafe_code)]

mod clients;
mod site;

use std::{error::Error, fmt::Write as _, process::ExitCode, time::Duration};

use clap::Parser;

use clients::{Job, Wait};
use site::{Node, Site};

/// Measures one and two servers over PostgreSQL and an object store, on loopback.
#[derive(Debug, Parser)]
#[command(name = "bench/cluster")]
struct Cli {
    /// How often everything is measured
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    rounds: usize,
    /// How long one measurement lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    seconds: f64,
    /// Clients at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    clients: usize,
    /// Accounts, and messages of 5 KiB in each, to be fetched
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    accounts: usize,
    /// Messages in each
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    messages: usize,
    /// Sizes of mailboxes to be selected
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    mailboxes: Vec<usize>,
    /// Everything once and small: that it works
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if cli.smoke {
        (cli.rounds, cli.seconds, cli.clients) = (1, 0.3, 4);
        (cli.accounts, cli.messages, cli.mailboxes) = (4, 5, vec![10, 1_000]);
    }
    match measure(&cli) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench/cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A row: what is done, and by whom it is answered.
const JOBS: [(Job, &str); 4] = [
    (Job::Count, "log in, count, quit: sessions/s"),
    (Job::Fetch, "fetch and keep, 5 KiB: messages/s"),
    (Job::Deliver, "deliver by LMTP, 5 KiB, durable: messages/s"),
    (Job::DeliverLarge, "deliver by LMTP, 200 KiB, durable: messages/s"),
];

fn measure(cli: &Cli) -> Result<String, Box<dyn Error>> {
    let site = Site::start(cli.accounts)?;
    let nodes = [site.node()?, site.node()?];
    let maildir = site.maildir_node()?;
    let one: &[&Node] = &[&nodes[0]];
    let subjects: [(&str, &[&Node]); 3] =
        [("one server", one), ("two servers", &[&nodes[0], &nodes[1]]), ("Maildir", &[&maildir])];
    for nodes in [one, &[&maildir]] {
        clients::fill(nodes, cli.accounts, cli.messages)?;
    }
    let time = Duration::from_secs_f64(cli.seconds);
    let mut figures = vec![vec![Vec::new(); subjects.len()]; JOBS.len()];
    for _ in 0..cli.rounds {
        for ((job, _), row) in JOBS.iter().zip(&mut figures) {
            for ((_, nodes), cell) in subjects.iter().zip(row) {
                cell.push(clients::rate(*job, nodes, cli.accounts, cli.clients, time)?);
            }
        }
    }
    let mut report = format!("\n{:47}", format!("{} clients, medians of {}", cli.clients, cli.rounds));
    for (name, _) in &subjects {
        write!(report, " {name:>12}")?;
    }
    writeln!(report, " {:>7}", "two/one")?;
    for ((_, what), row) in JOBS.iter().zip(&mut figures) {
        write!(report, "{what:47}")?;
        let row: Vec<f64> = row.iter_mut().map(|cell| median(cell)).collect();
        for figure in &row {
            write!(report, " {figure:>12.0}")?;
        }
        let ratio = row.get(1).zip(row.first()).map_or(0.0, |(two, one)| two / one);
        writeln!(report, " {ratio:>7.2}")?;
    }
    drop((nodes, maildir));
    report += &selecting(cli, &site)?;
    Ok(report)
}

/// How long the client waits for the count, and for the lengths of the first and the last message.
fn selecting(cli: &Cli, site: &Site) -> Result<String, Box<dyn Error>> {
    let mut report = format!("\n{:16}", "messages");
    for head in ["count, ms", "again", "first READ", "last READ", "all ids, ms"] {
        write!(report, " {head:>12}")?;
    }
    report.push('\n');
    for &size in &cli.mailboxes {
        site.make_mailbox(size);
        let mut cells: [Vec<f64>; 5] = Default::default();
        for _ in 0..cli.rounds.max(1) {
            // A fresh one remembers nothing.
            let node = site.node()?;
            // But the connection to the database is not what is measured.
            clients::wait(&node, "warm", 0)?;
            let begun = std::time::Instant::now();
            let Wait { count, first, last } = clients::wait(&node, "big", size)?;
            let all = begun.elapsed();
            let again = clients::wait(&node, "big", size)?.count;
            for (cell, time) in cells.iter_mut().zip([count, again, first, last, all]) {
                cell.push(time.as_secs_f64() * 1e3);
            }
        }
        write!(report, "{size:<16}")?;
        for cell in &mut cells {
            write!(report, " {:>12.2}", median(cell))?;
        }
        report.push('\n');
    }
    report += "count: from HELO to its reply, by a server that has just been started; again: by the same, later.\n\
               The ids are read meanwhile: the last READ waits until they are there.\n";
    Ok(report)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
