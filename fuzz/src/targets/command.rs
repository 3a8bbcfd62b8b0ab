//! Command lines.

use pop2::{Command, EncodeError, MAX_LINE, Quoting};

use crate::is_one_line;

/// A line that is a command is written and read back as the same; whatever is shown of it is one line.
///
/// The input is one line without its end.
pub fn command(line: &[u8]) {
    let command = match Command::parse(line) {
        Ok(command) => command,
        Err(error) => return assert!(is_one_line(&error.to_string()), "{error:?}"),
    };
    assert!(is_one_line(&command.to_string()), "{command:?}");
    encoded(&command, line, Quoting::Raw);
    let Some(wire) = encoded(&command, line, Quoting::Rfc) else { return };
    let again = Command::parse(&wire).unwrap_or_else(|error| panic!("{command}: {error}"));
    assert_eq!(parts(&command), parts(&again));
}

/// The command's line without its end, as it goes over the wire; `None` where it would be too long.
fn encoded(command: &Command, line: &[u8], quoting: Quoting) -> Option<Vec<u8>> {
    let mut wire = b"before".to_vec();
    let done = command.encode(quoting, &mut wire);
    let Some(written) = wire.strip_prefix(b"before") else { panic!("what stood before is gone") };
    if let Err(error) = done {
        // Quoting makes two octets of one, at most.
        assert_eq!(error, EncodeError::TooLong);
        assert!(2 * line.len() + b"\r\n".len() > MAX_LINE, "not too long: {command}");
        assert!(written.is_empty(), "a part was written");
        return None;
    }
    assert!(written.len() <= MAX_LINE);
    let Some(line) = written.strip_suffix(b"\r\n") else { panic!("no line end: {written:?}") };
    let sendable = |octet: &u8| matches!(octet, 1..=9 | 11 | 12 | 14..=127);
    assert!(line.iter().all(sendable), "not to be sent: {line:?}");
    Some(line.to_vec())
}

/// What makes one command differ from another: the keyword, the argument and the password.
fn parts(command: &Command) -> (&'static str, String, Vec<u8>) {
    let (argument, password) = match command {
        Command::Helo(login) => {
            let password = login.passwords().next().map(|password| password.expose().to_vec());
            (login.user.as_str().to_owned(), password.unwrap_or_default())
        }
        Command::Fold(mailbox) => (mailbox.as_str().to_owned(), Vec::new()),
        Command::Read(Some(number)) => (number.to_string(), Vec::new()),
        Command::Read(None) | Command::Retr | Command::Ack(_) | Command::Quit => Default::default(),
    };
    (command.keyword(), argument, password)
}
