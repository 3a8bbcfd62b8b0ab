//! Programs that a test needs.
#![allow(unreachable_pub, reason = "it is part of test programs")]

use std::{
    env,
    io::{self, Write},
    path::Path,
    thread,
};

/// Whether all of them are there: names of programs, or paths. Says which is not, past the test harness.
pub fn are_there(programs: &[&str]) -> bool {
    let path = env::var("PATH").unwrap_or_default();
    let is_there = |program: &&&str| path.split(':').any(|folder| Path::new(folder).join(program).exists());
    let Some(missing) = programs.iter().find(|program| !is_there(program)) else { return true };
    assert!(env::var_os("CI").is_none(), "not to be skipped in CI: {missing} is not installed");
    let name = thread::current().name().unwrap_or_default().to_owned();
    io::stderr().write_all(format!("{name}: skipped, {missing} is not installed\n").as_bytes()).unwrap();
    false
}
