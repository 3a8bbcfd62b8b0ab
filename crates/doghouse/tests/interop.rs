//! Programs that nobody here wrote: Postfix, swaks and procmail deliver; telnet, nc and a shell script fetch; fail2ban
//! reads the log.
//!
//! Where one is not installed its test says so and is skipped, but never in CI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

mod common;
#[path = "interop/fail2ban.rs"]
mod fail2ban;
#[path = "interop/hand.rs"]
mod hand;
#[path = "interop/local.rs"]
mod local;
#[path = "interop/postfix.rs"]
mod postfix;
#[path = "interop/smtp.rs"]
mod smtp;
#[path = "interop/swaks.rs"]
mod swaks;

use std::{
    env,
    io::{self, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Whether these programs can be tried; says why where they cannot.
fn can_run(programs: &[&str]) -> bool {
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let installed = |program: &&&str| path.split(':').any(|folder| Path::new(folder).join(program).exists());
    programs.iter().find(|program| !installed(program)).is_none_or(|program| {
        skip(&format!("{program} is not installed"));
        false
    })
}

/// Says that a test is skipped, past the test harness, which keeps what `eprintln!` prints to itself.
fn skip(reason: &str) {
    assert!(env::var_os("CI").is_none(), "not to be skipped in CI: {reason}");
    let name = thread::current().name().unwrap_or_default().to_owned();
    io::stderr().write_all(format!("{name}: skipped, {reason}\n").as_bytes()).unwrap();
}

/// Waits for something that another program is about to do.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
