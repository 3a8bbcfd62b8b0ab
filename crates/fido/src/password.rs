//! Where the password comes from: a person, a command, or standard input; never an argument or the environment,
//! which others on the machine can read.

use std::{
    io::{self, BufRead, IsTerminal},
    process::{Command, Stdio},
};

use pop2::{Secret, User};
use zeroize::Zeroizing;

use crate::{Exit, Failure, host::Host};

/// More than any command line of POP2 has room for.
const MAX: u64 = 1024;

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// Whoever sits at the terminal.
    #[default]
    Person,
    /// The first line that this shell command writes.
    Command(String),
    /// The first line of standard input.
    Stdin,
    /// The desktop's keyring, where fido was built with it.
    Keyring,
}

/// The password of `user` on `host`.
pub fn get(source: &Source, user: &User, host: &Host) -> Result<Secret, Failure> {
    match source {
        Source::Command(command) => from_command(command),
        Source::Stdin => first_line(io::stdin().lock()).map_err(|error| {
            Failure::new(Exit::Io, format!("cannot read the password from standard input: {error}"))
        }),
        #[cfg(feature = "keyring")]
        Source::Keyring => crate::keyring::get(user, host),
        #[cfg(not(feature = "keyring"))]
        Source::Keyring => Err(Failure::new(
            Exit::Config,
            "this fido was built without the keyring (cargo build --features fido/keyring); use password-command",
        )),
        Source::Person if io::stdin().is_terminal() => ask(user, host),
        Source::Person => Err(Failure::new(
            Exit::Usage,
            "there is no terminal to ask for the password; use --password-stdin or --password-command",
        )),
    }
}

/// Asks for a password on the terminal, without echo.
pub fn ask(user: &User, host: &Host) -> Result<Secret, Failure> {
    let asked = rpassword::prompt_password(format!("Password of {user} on {host}: "));
    asked.map(|password| Secret::new(password.into_bytes())).map_err(|error| {
        Failure::new(Exit::Io, format!("cannot ask for the password: {error}; try --password-stdin"))
    })
}

fn from_command(command: &str) -> Result<Secret, Failure> {
    let failure = |why: String| {
        let text = format!("the password command {why}; run it by hand to see what is wrong: {command}");
        Failure::new(Exit::Unavailable, text)
    };
    let shell = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failure(format!("cannot be started: {error}")))?;
    let output = Zeroizing::new(shell.stdout);
    if !shell.status.success() {
        return Err(failure(format!("failed ({})", shell.status)));
    }
    first_line(output.as_slice()).map_err(|error| failure(format!("gave no password: {error}")))
}

/// The first line without its end; the reader keeps what follows.
fn first_line(reader: impl BufRead) -> io::Result<Secret> {
    let mut line = Zeroizing::new(Vec::new());
    reader.take(MAX).read_until(b'\n', &mut line)?;
    let password = line.strip_suffix(b"\n").unwrap_or(&line);
    let password = password.strip_suffix(b"\r").unwrap_or(password);
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its first line is empty"));
    }
    Ok(Secret::new(password.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for (text, password) in [("bone\nmore", "bone"), ("bone\r\n", "bone"), (" my bone ", " my bone ")] {
            assert_eq!(first_line(text.as_bytes()).unwrap().expose(), password.as_bytes());
        }
        assert!(first_line(&b"\nbone\n"[..]).is_err());
        assert!(first_line(&b""[..]).is_err());
    }

    #[test]
    fn a_command_gives_the_password_or_the_reason_why_not() {
        assert_eq!(from_command("echo bone; echo more").unwrap().expose(), b"bone");
        assert_eq!(from_command("exit 3").unwrap_err().exit, Exit::Unavailable);
        assert!(from_command("true").unwrap_err().to_string().contains("first line is empty"));
    }
}
