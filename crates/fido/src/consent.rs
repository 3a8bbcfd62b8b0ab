//! Leave to send a password in clear: nobody is asked for networks of one's own, and once for each other server.

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
};

use crate::{
    Exit, Failure,
    host::{Host, is_public},
    paths,
};

/// Whether a password may cross networks that are everybody's in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// A person is asked, unless that was done before.
    #[default]
    Asked,
    /// Nobody can be asked: only if that was done before.
    Remembered,
    /// Yes: `--plain`, or the configuration.
    Given,
}

impl Consent {
    /// Whether a password may go in clear to `host`, which turned out to be at `peer`.
    ///
    /// # Errors
    /// Where it may not, or there is nobody to ask.
    pub fn to_clear_text(self, host: &Host, peer: SocketAddr) -> Result<(), Failure> {
        if !is_public(peer) || self == Self::Given {
            return Ok(());
        }
        let memory = memory();
        let name = host.to_string();
        let known = memory.as_deref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        if known.lines().any(|line| line == name) {
            return Ok(());
        }
        let refused = |how| {
            let text = format!("{host}: the password would cross the network in clear; {how}");
            Err(Failure::new(Exit::Usage, text))
        };
        if self == Self::Remembered {
            return refused("run `fido check` once, which asks whether that is meant, or use TLS");
        }
        if !io::stdin().is_terminal() {
            return refused("use TLS, or allow it: --plain, or plain = true in the configuration");
        }
        if !ask(&format!(
            "{host} is not on a network of your own, and everybody on the way can read the password. Go on? [y/N] "
        ))? {
            return refused("use TLS, if that server has it");
        }
        if let Some(path) = memory
            && let Err(error) = remember(&path, &name)
        {
            eprintln!("fido: cannot remember that answer in {}: {error}", path.display());
        }
        Ok(())
    }
}

/// Where servers are remembered for which leave was given, one a line.
fn memory() -> Option<PathBuf> {
    paths::state().map(|folder| folder.join("cleartext-hosts"))
}

fn remember(path: &std::path::Path, name: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    writeln!(OpenOptions::new().append(true).create(true).open(path)?, "{name}")
}

/// Asks a person, on standard error; no is the answer to anything but yes.
pub fn ask(question: &str) -> Result<bool, Failure> {
    let mut answer = String::new();
    eprint!("{question}");
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_no_public_network_where_nobody_was_asked() {
        let host: Host = "never-asked.dog-house.example:25".parse().unwrap();
        let refused = Consent::Remembered.to_clear_text(&host, "192.0.2.1:25".parse().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("would cross the network in clear"), "{refused}");
    }

    #[test]
    fn networks_of_ones_own_and_a_consent_that_was_given_are_asked_nothing() {
        let host: Host = "dog-house.example".parse().unwrap();
        let (own, public) = ("192.168.7.9:109".parse().unwrap(), "192.0.2.1:109".parse().unwrap());
        assert!(Consent::Asked.to_clear_text(&host, own).is_ok());
        assert!(Consent::Given.to_clear_text(&host, public).is_ok());
    }
}
