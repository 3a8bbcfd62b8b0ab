//! From a connection to a selected folder, with the servers that there are.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

use pop2::{
    Greeting, MailboxName, Secret,
    client::{self, Mailbox, Options, Trace, Watcher},
    workstation::Settings,
};

use crate::{Exit, Failure, config::Profile, connection::Connection, escape::Line, host::Host, password};

/// An account on a server: what is needed to open its folders, each on a connection of its own.
#[derive(Debug)]
pub struct Account {
    profile: Profile,
    verbose: bool,
    /// Whether nothing is told on standard error, which is the screen.
    is_quiet: bool,
    password: Secret,
    /// What the user has been told already.
    told: RefCell<BTreeSet<String>>,
}

impl Account {
    /// An account with its password: this gets it, and may wait for a person.
    pub fn new(profile: Profile, verbose: bool) -> Result<Self, Failure> {
        let password = password::get(&profile.password, &profile.user, &profile.route.host)?;
        Ok(Self::with_password(profile, password, verbose))
    }

    /// The same, where the password is known.
    #[must_use]
    pub fn with_password(profile: Profile, password: Secret, verbose: bool) -> Self {
        Self { profile, verbose, is_quiet: false, password, told: RefCell::default() }
    }

    /// As this, and nothing is told on standard error.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// What is known of it.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The server.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.profile.route.host
    }

    /// What an error of a session with the server means.
    pub fn failure(&self, error: &client::Error) -> Failure {
        Failure::of_session(self.host(), error)
    }

    /// Connects, logs in, and selects `folder`, or stays in the default mailbox.
    pub async fn open(&self, folder: Option<&MailboxName>) -> Result<Mailbox<Connection>, Failure> {
        let stream = self.profile.route.open().await?;
        let trace = self.verbose.then(|| Box::new(show) as Watcher);
        let settings = Settings { timeout: self.profile.route.timeout, quoting: self.profile.quoting };
        let options = Options { settings, trace };
        let greeted = client::connect(stream, options).await.map_err(|error| self.failure(&error))?;
        if *greeted.greeting() == Greeting::Pop3 {
            self.tell(&format!("{} greets as a POP3 server; it is asked for POP2 all the same", self.host()));
        }
        let login = greeted.login(self.profile.user.clone(), self.password.clone()).await;
        let mailbox = login.map_err(|error| self.failure(&error))?;
        match folder {
            None => Ok(mailbox),
            Some(folder) => self.select(mailbox, folder).await,
        }
    }

    /// Selects `folder`, and makes sure that the server has. UW's ipop2d, asked for a folder that does not
    /// exist, keeps the old one open and gives its count: messages would be fetched, and deleted, from a
    /// folder that nobody named. So where the counts are equal, it is asked for one that surely does not.
    async fn select(
        &self,
        default: Mailbox<Connection>,
        folder: &MailboxName,
    ) -> Result<Mailbox<Connection>, Failure> {
        let before = default.count();
        let selected = default.select(folder.clone()).await.map_err(|error| self.failure(&error))?;
        if selected.count() != before || before == 0 {
            return Ok(selected);
        }
        let missing = selected.select(no_folder()?).await.map_err(|error| self.failure(&error))?;
        if missing.count() == 0 {
            return missing.select(folder.clone()).await.map_err(|error| self.failure(&error));
        }
        // Nothing is marked, so nothing depends on how this goes.
        let _ = missing.quit().await;
        let text = format!(
            "{}: the server has as many messages in a folder that cannot exist as in {folder}: it may not \
             have opened {folder}; nothing was fetched from it; check the name",
            self.host()
        );
        Err(Failure::new(Exit::Protocol, text))
    }

    /// Tells the user something, once.
    fn tell(&self, text: &str) {
        if !self.is_quiet && self.told.borrow_mut().insert(text.to_owned()) {
            eprintln!("fido: {text}");
        }
    }
}

/// The name of a folder that no server has.
pub(crate) fn no_folder() -> Result<MailboxName, Failure> {
    let random = RandomState::new().hash_one("a folder");
    MailboxName::new(&format!("no-such-folder-{random:016x}"))
        .map_err(|error| Failure::new(Exit::Software, error.to_string()))
}

/// Shows on standard error what passes over the wire.
fn show(what: Trace<'_>) {
    match what {
        Trace::Said(command) => eprintln!("C: {command}"),
        Trace::Heard(line) => eprintln!("S: {}", Line(line.as_bytes())),
        Trace::Message(length) => eprintln!("S: ({length} octets)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_no_server_has_differs_each_time() {
        assert_ne!(no_folder().unwrap(), no_folder().unwrap());
    }
}
