//! An account that can send, with a place for its mail.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::common::{Outcome, bare_fido, run};

pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new(server: SocketAddr, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[account.a]\nhost = 'x'\nuser = 'x'\nto = 'maildir:{}'\n[account.a.smtp]\nhost = '{server}'\n\
             from = 'Fido <fido@dog.example>'\ntimeout = 2\n{more}\n",
            folder.path().join("mail").display()
        );
        fs::write(folder.path().join("fido.toml"), text).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn fido(&self, arguments: &[&str]) -> Command {
        let mut fido = bare_fido();
        fido.arg("--config").arg(self.path("fido.toml")).args(arguments).env("TMPDIR", self.0.path());
        fido
    }

    pub(crate) fn send(&self, arguments: &[&str], input: &str) -> Outcome {
        run(&mut self.fido(&[&["send"], arguments].concat()), input)
    }

    /// The names and texts of the messages in a folder.
    pub(crate) fn folder(&self, name: &str) -> Vec<(String, String)> {
        let Ok(entries) = fs::read_dir(self.path("mail").join(format!(".{name}/cur"))) else { return vec![] };
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
            .collect()
    }

    /// The texts of the messages in a folder while somebody else changes it.
    pub(crate) fn folder_as_it_is(&self, name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("mail").join(format!(".{name}/cur"))) else { return vec![] };
        entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok()).collect()
    }
}
