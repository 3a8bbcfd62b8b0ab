//! A terminal for the program itself, which tmux makes.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of this")]

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// Whether tmux is here; says so where it is not, past the test harness.
pub fn can_run() -> bool {
    let path = env::var("PATH").unwrap_or_default();
    let is_there = path.split(':').any(|folder| Path::new(folder).join("tmux").exists());
    if !is_there {
        assert!(env::var_os("CI").is_none(), "not to be skipped in CI: tmux is not installed");
        io::stderr().write_all(b"fido: skipped, tmux is not installed\n").unwrap();
    }
    is_there
}

/// A tmux server of its own, which ends with the test.
pub struct Tmux(pub tempfile::TempDir);

impl Tmux {
    pub fn start() -> Self {
        let tmux = Self(tempfile::TempDir::new().unwrap());
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env PS1='$ ' sh"]);
        tmux
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.0.path().join("socket")).args(arguments);
        tmux.env_remove("TMUX").env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").output().unwrap()
    }

    pub fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen shows a text.
    pub fn wait(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = String::from_utf8_lossy(&self.run(&["capture-pane", "-p"]).stdout).into_owned();
            if screen.contains(text) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "no {text:?} in:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}
