//! A terminal that tmux makes, and the program on it.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of this")]

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::needs::are_there;

/// A tmux server of its own with a shell in its window, which ends with the test.
pub struct Tmux(TempDir);

impl Tmux {
    /// A terminal of 80 columns and 24 lines, the usual ones; `None`, which it says past the test harness, where tmux
    /// is not here.
    pub fn start() -> Option<Self> {
        Self::with((80, 24), &[])
    }

    /// The same with other columns and lines, and with variables in the shell's environment.
    pub fn with((columns, lines): (u16, u16), variables: &[(&str, &str)]) -> Option<Self> {
        if !are_there(&["tmux"]) {
            return None;
        }
        let tmux = Self(TempDir::new().unwrap());
        let home = tmux.0.path().display();
        let mut shell = format!("env -u NO_COLOR PS1='$ ' TZ=UTC HOME='{home}'");
        for folder in ["CONFIG", "DATA", "STATE"] {
            write!(shell, " XDG_{folder}_HOME='{home}'").unwrap();
        }
        for (name, value) in variables {
            write!(shell, " {name}='{value}'").unwrap();
        }
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let shell = format!("{shell} sh");
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &shell]);
        tmux.run(&["pipe-pane", &format!("cat > '{}'", tmux.path("written").display())]);
        tmux.wait("$");
        Some(tmux)
    }

    /// A file or folder that goes with it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.path("socket")).args(arguments);
        tmux.env_remove("TMUX").env("LC_ALL", "C.UTF-8").output().unwrap()
    }

    /// Presses keys, by tmux's names.
    pub fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Types a text as it is, and Enter.
    pub fn enter(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
        self.press(&["Enter"]);
    }

    /// Starts the program.
    pub fn fido(&self, arguments: &str) {
        self.enter(&format!("clear; '{}' {arguments}", env!("CARGO_BIN_EXE_fido")));
    }

    /// Starts the program on a Maildir, and waits until it lists a message.
    pub fn opens(&self, mail: &Path, subject: &str) {
        self.fido(&format!("--mail '{}'", mail.display()));
        self.wait(subject);
    }

    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.run(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen shows all of these: a screen is drawn in pieces, and may be looked at between them.
    #[track_caller]
    pub fn wait_for_all(&self, texts: &[&str]) -> String {
        self.wait_until(&format!("{texts:?}"), |screen| texts.iter().all(|text| screen.contains(text)))
    }

    /// Waits until the screen is as `is_it` says.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_it(&screen) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "no {what:?} in:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Closes the terminal, and waits until the program that has written its number into the file `id` is gone.
    pub fn closes_under(self) {
        let program = format!("/proc/{}/stat", self.read("id").trim());
        self.run(&["kill-server"]);
        let start = Instant::now();
        // Whoever has started it may be slow to notice.
        while fs::read_to_string(&program).is_ok_and(|it| !it.contains(") Z ")) {
            assert!(start.elapsed() < Duration::from_secs(30), "it still runs");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a format of tmux's says of the terminal.
    pub fn asks(&self, format: &str) -> String {
        String::from_utf8_lossy(&self.run(&["display", "-p", format]).stdout).trim().to_owned()
    }

    /// Waits until the shell has the terminal, with its own screen, a cursor and no mouse.
    #[track_caller]
    pub fn is_put_back(&self) {
        // What is typed before goes to the reader.
        self.wait_until("the shell's screen", |_| self.asks("#{alternate_on}") == "0");
        self.enter("echo o''ver");
        self.wait("over");
        assert_eq!(self.asks("#{alternate_on}#{mouse_any_flag}#{cursor_flag}"), "001");
    }

    /// Every octet that was written to the terminal.
    pub fn written(&self) -> Vec<u8> {
        fs::read(self.path("written")).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}
