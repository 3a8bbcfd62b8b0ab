//! A server under a supervisor that ends it when this process ends.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

/// What the supervisor does with any server.
const ANY: &str = include_str!("supervise.sh");

/// A shell that starts and stops a server in a temporary folder, and removes both when its input ends: statics are not
/// dropped, and a killed process drops nothing.
#[derive(Debug)]
pub(crate) struct Supervised {
    folder: PathBuf,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    child: Child,
    /// None while it is dropped.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervised {
    /// Starts the supervisor, which makes the folder. The script has the functions that orders name, and `farewell`,
    /// which ends the server.
    pub(crate) fn new(script: &str, arguments: &[&OsStr]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{script}\n{ANY}")).arg("supervisor").args(arguments);
        // What kills a whole group, such as an interrupt from the terminal, is not to kill the supervisor.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("LC_ALL", "C");
        without_postgres_settings(&mut command);
        let mut child = command.spawn().expect("a shell");
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let folder = PathBuf::from(line(&mut answers));
        Self { folder, shell: Mutex::new(Shell { child, orders, answers }) }
    }

    /// The temporary folder; the supervisor's own files in it are `said` and what the script makes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives an order, and waits until it is carried out.
    ///
    /// # Errors
    ///
    /// What was said, where it failed.
    pub(crate) fn order(&self, order: &str) -> Result<(), String> {
        // A test that has failed meanwhile is no reason for others to.
        let mut shell = self.shell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(shell.orders.as_mut().unwrap(), "{order}").expect("the supervisor takes orders");
        match line(&mut shell.answers).as_str() {
            "done" => Ok(()),
            _ => Err(self.text("said")),
        }
    }

    /// The same, where failing is not expected: panics with what was said, and with the server's log.
    pub(crate) fn must(&self, order: &str) {
        if let Err(mut said) = self.order(order) {
            write!(said, "\n{}", self.text("log")).unwrap();
            panic!("{order}: {said}");
        }
    }

    /// A file in the folder; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join(name)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Supervised {
    /// Waits until the server has ended and the folder is gone.
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        shell.orders = None;
        let _ = shell.child.wait();
    }
}

fn line(answers: &mut impl BufRead) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the supervisor answers");
    assert!(line.ends_with('\n'), "the supervisor has ended");
    line.trim_end().to_owned()
}

/// What the user has set for `PostgreSQL`'s programs is not to change what a test does.
pub(crate) fn without_postgres_settings(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
}
