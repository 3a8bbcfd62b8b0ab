//! How fido ends: one line that says what went wrong and what to do, and an exit code of sysexits.

use std::process::ExitCode;

use pop2::{client, workstation::Fault};

use crate::host::Host;

/// The exit codes, as sysexits numbers and names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// There was no new mail, where that was to be told so.
    Empty = 1,
    /// The command line, or an argument that cannot be sent.
    Usage = 64,
    /// There is no such host.
    NoHost = 68,
    /// Nothing answers there, or the password command fails.
    Unavailable = 69,
    /// fido itself is wrong.
    Software = 70,
    /// The place for the mail cannot be made or opened.
    CannotCreate = 73,
    /// Reading or writing failed here.
    Io = 74,
    /// It may go better another time.
    Temporary = 75,
    /// The server does not speak POP2, or is not trusted.
    Protocol = 76,
    /// The login is refused.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
    /// A person or the system has ended it; the exit code is that of [`Temporary`](Self::Temporary).
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // Sysexits have no number for it, and it may go better another time.
        Self::from(if exit == Exit::Interrupted { Exit::Temporary as u8 } else { exit as u8 })
    }
}

/// Why fido could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    text: String,
}

impl Failure {
    /// A failure and the line that explains it: what it is about, what happened, what to do.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// What a session with `host` failed of.
    #[must_use]
    pub fn of_session(host: &Host, error: &client::Error) -> Self {
        let exit = exit_of(error);
        let remedy = match (exit, error) {
            (Exit::NoPermission, _) => "; check --user and the password",
            (Exit::Temporary, client::Error::Fault(Fault::TimedOut(_))) => {
                "; try again later, or with a longer --timeout"
            }
            (Exit::Temporary, _) => "; try again later",
            (Exit::Protocol, _) => "; is that a POP2 server? --verbose shows what it says",
            _ => "",
        };
        Self::new(exit, format!("{host}: {error}{remedy}"))
    }

    /// The same failure, and what it means for something else.
    #[must_use]
    pub fn and(mut self, consequence: &str) -> Self {
        self.text.push_str("; ");
        self.text.push_str(consequence);
        self
    }
}

fn exit_of(error: &client::Error) -> Exit {
    match error {
        client::Error::Io(_) => Exit::Temporary,
        client::Error::Fault(Fault::LoginRefused(_)) => Exit::NoPermission,
        client::Error::Fault(Fault::Unexpected { .. } | Fault::BadReply(_)) => Exit::Protocol,
        client::Error::Fault(Fault::Refused(_) | Fault::Closed(_) | Fault::TimedOut(_) | Fault::NoBye) => {
            Exit::Temporary
        }
        client::Error::Argument(_) => Exit::Usage,
        client::Error::Unfinished(_) | client::Error::OutOfPlace(_) => Exit::Software,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_host_and_the_remedy() {
        let host = "dog-house:1109".parse().unwrap();
        let refused = Fault::LoginRefused("wrong password".to_owned()).into();
        let failure = Failure::of_session(&host, &refused);
        assert_eq!(failure.exit, Exit::NoPermission);
        assert_eq!(
            failure.to_string(),
            "dog-house:1109: the server refuses the login: wrong password; check --user and the password"
        );
    }
}
