//! `local-copy [MESSAGES]`: how long fido's local copy of mail takes to open, to refresh and to be ordered.
//!
//! It makes a Maildir of small messages in a temporary folder, in threads of five. What it reads is in the system's
//! memory by then: a disk comes on top of the first opening.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fmt::Write as _,
    fs, io,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use doghouse_bench::rank::median;
use fido::local::{Filter, Flags, Folder, Local, Name, Sort, threads};

/// How often each is measured.
const RUNS: usize = 9;

/// Messages that come while nobody looks.
const LATER: usize = 100;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local-copy: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let count: usize = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => 50_000,
        [one] => one.parse().map_err(|_| "MESSAGES is a number")?,
        _ => return Err("usage: local-copy [MESSAGES]".into()),
    };
    let folder = tempfile::TempDir::with_prefix("doghouse-bench-")?;
    let path = folder.path();
    for part in ["new", "cur", "tmp"] {
        fs::create_dir(path.join(part))?;
    }
    for number in 0..count {
        write(path, number)?;
    }
    // Until the folders' times can be trusted.
    thread::sleep(Duration::from_millis(300));
    println!("{count} messages; medians of {RUNS} runs");
    let resident = resident()?;
    let mut inbox = open(path)?;
    println!("{:<28} {:>9} KiB", "memory of an open folder", self::resident()?.saturating_sub(resident));
    println!("{:<28} {:>9} KiB", "index", fs::metadata(path.join("fido-index"))?.len() / 1024);
    row("count all folders", || Ok(Local::open(path)?.folders()?.len()))?;
    row("open without index", || {
        // Dropping a folder writes nothing that has been written.
        remove_index(path)?;
        Ok(open(path)?.entries().len())
    })?;
    row("open with index", || Ok(open(path)?.entries().len()))?;
    row("refresh, nothing changed", || Ok(inbox.refresh(|_, _| {})?.added))?;
    let mut is_on = false;
    row("mark one", || {
        is_on = !is_on;
        Ok(inbox.mark(&[count / 2], Flags::FLAGGED, is_on).done.len())
    })?;
    let all: Vec<usize> = (0..inbox.entries().len()).collect();
    row("mark all", || {
        is_on = !is_on;
        Ok(inbox.mark(&all, Flags::FLAGGED, is_on).done.len())
    })?;
    let (mut opened, mut refreshed) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let before = count + run * LATER;
        for number in before..before + LATER {
            write(path, number)?;
        }
        let begun = Instant::now();
        let later = open(path)?;
        opened.push(begun.elapsed().as_secs_f64());
        drop(later);
        let begun = Instant::now();
        inbox.refresh(|_, _| {})?;
        refreshed.push(begun.elapsed().as_secs_f64());
    }
    show("open after 100 new ones", &opened);
    show("refresh after 100 new ones", &refreshed);
    orders(&inbox)
}

fn orders(inbox: &Folder) -> Result<(), Box<dyn Error>> {
    let entries = inbox.entries();
    for sort in [Sort::Date, Sort::Received, Sort::Sender, Sort::Subject, Sort::Size] {
        row(&format!("sort by {sort:?}").to_lowercase(), || Ok(sort.order(entries).len()))?;
    }
    let order = Sort::Date.order(entries);
    row("threads", || Ok(threads(entries, &order, false).len()))?;
    row("threads, by subject too", || Ok(threads(entries, &order, true).len()))?;
    let text = Filter::default().text("bone 77");
    row("filter by text", || Ok(text.apply(entries, &order).len()))?;
    let unseen = Filter::default().without(Flags::SEEN);
    row("filter by flags", || Ok(unseen.apply(entries, &order).len()))
}

fn open(path: &Path) -> Result<Folder, fido::local::Error> {
    Local::open(path)?.folder(&Name::inbox(), |_, _| {})
}

fn remove_index(path: &Path) -> io::Result<()> {
    match fs::remove_file(path.join("fido-index")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A message as people write them, each the fifth part of a thread.
fn write(path: &Path, number: usize) -> Result<(), Box<dyn Error>> {
    let (thread, part) = (number / 5, number % 5);
    let id = |part: usize| format!("<{thread}.{part}.20260105120000@workstation.bone.example>");
    let mut text = String::new();
    writeln!(text, "Return-Path: <rex{}@bone.example>", number % 89)?;
    writeln!(text, "Received: from bone.example by dog-house.example; Mon, 5 Jan 2026 12:00:00 +0000")?;
    writeln!(text, "From: \"Rex of House {}\" <rex{}@bone.example>", number % 89, number % 89)?;
    writeln!(text, "To: Fido <fido@dog-house.example>")?;
    writeln!(text, "Subject: {}About bone {thread} and where it lies", if part == 0 { "" } else { "Re: " })?;
    let (hour, minute) = (number / 60 % 24, number % 60);
    writeln!(text, "Date: {} Jan 2026 {hour:02}:{minute:02}:00 +0100", number * 7 % 28 + 1)?;
    writeln!(text, "Message-ID: {}", id(part))?;
    if part > 0 {
        let before: Vec<String> = (0..part).map(id).collect();
        writeln!(text, "References: {}", before.join("\n "))?;
    }
    writeln!(text, "\n{}", "woof woof woof\n".repeat(number % 20))?;
    let name = format!("{}.M{number}P1Q1R0.workstation,S={}", 1_767_000_000 + number, text.len());
    let name = if number.is_multiple_of(10) { format!("new/{name}") } else { format!("cur/{name}:2,S") };
    Ok(fs::write(path.join(name), text)?)
}

/// The memory that this process has, in KiB.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn row(what: &str, mut act: impl FnMut() -> Result<usize, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        act()?;
        times.push(begun.elapsed().as_secs_f64());
    }
    show(what, &times);
    Ok(())
}

fn show(what: &str, times: &[f64]) {
    println!("{what:<28} {:>9.3} ms", median(times) * 1e3);
}
