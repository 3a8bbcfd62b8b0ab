//! Where the mail is that is read, and whose it is.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{
    Exit, Failure,
    config::{Config, Profile},
    local::{self, Local},
    message::{self, one_line},
    paths,
    sink::Target,
};

/// Which summaries are made of headers: another number whenever others come out.
const SUMMARIES: u32 = 1;

/// Where mail is read, and where it comes from.
#[derive(Debug)]
pub(super) struct Place {
    /// The Maildir.
    pub path: PathBuf,
    /// The account; `None` where a Maildir was named.
    pub account: Option<Profile>,
}

impl Place {
    /// By the command line: a Maildir, an account, or the first one.
    pub(super) fn chosen(
        config: &Config,
        account: Option<&str>,
        mail: Option<&Path>,
    ) -> Result<Self, Failure> {
        if let Some(path) = mail {
            return Ok(Self { path: path.to_owned(), account: None });
        }
        let profile = match account {
            Some(name) => config.account(name)?,
            None => config.accounts.values().next().cloned().ok_or_else(|| {
                let text =
                    "there are no accounts yet: `fido setup` makes one; or name a Maildir, with --mail";
                Failure::new(Exit::Usage, text)
            })?,
        };
        let path = match maildir(&profile) {
            Some(path) => path.to_owned(),
            None => own(&profile.name)?,
        };
        make(&path)?;
        Ok(Self { path, account: Some(profile) })
    }

    /// What it is called on the screen.
    #[must_use]
    pub(super) fn title(&self) -> String {
        match &self.account {
            Some(profile) => one_line(&profile.name),
            None => one_line(&self.path.to_string_lossy()),
        }
    }

    /// Where fetched mail goes, and whether it may be deleted on the server then: not where another place is the one
    /// that the configuration names for the mail.
    #[must_use]
    pub(super) fn target(&self, profile: &Profile) -> (Target, bool) {
        let is_meant = profile.to.is_none() || maildir(profile).is_some();
        let target = Target::Store { kind: "maildir".into(), path: self.path.clone() };
        (target, profile.delete && is_meant)
    }
}

/// Opens a Maildir, with summaries that are safe to show.
pub fn open(path: &Path) -> Result<Local, Failure> {
    Ok(Local::open(path)?.summarised_by(SUMMARIES, summary))
}

/// The Maildir that an account's mail goes to, if it is one.
fn maildir(profile: &Profile) -> Option<&Path> {
    match &profile.to {
        Some(Target::Store { kind, path }) if kind == "maildir" => Some(path),
        _ => None,
    }
}

/// The Maildir that fido has for an account.
fn own(name: &str) -> Result<PathBuf, Failure> {
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
    let data = paths::data().filter(|_| is_name).ok_or_else(|| {
        let text =
            format!("it is not known where the mail of {name:?} is to lie here; give it a Maildir in `to`");
        Failure::new(Exit::Config, text)
    })?;
    Ok(data.join(name))
}

/// Makes a Maildir for its owner alone; one that is there is left as it is.
fn make(path: &Path) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(Exit::CannotCreate, format!("cannot make the Maildir {}: {error}", path.display()))
    };
    if fs::exists(path).map_err(cannot)? {
        return Ok(());
    }
    let mut folders = DirBuilder::new();
    folders.recursive(true).mode(0o700);
    ["tmp", "new", "cur"].iter().try_for_each(|part| folders.create(path.join(part))).map_err(cannot)
}

/// What a list shows of a header: texts of [`message`], which are safe to show.
fn summary(header: &[u8]) -> local::Summary {
    let summary = message::Summary::of(header);
    let message::Mailbox { name, address } = &summary.from;
    let sender = if name.is_empty() { address } else { name };
    let references: Vec<&str> = summary.references.iter().map(String::as_str).collect();
    let date = summary.date.as_ref().map(|date| date.seconds);
    local::Summary::new(sender, &summary.subject, date, &summary.id, &references)
}
