//! Commands: what a client says (RFC 937, "Formal Syntax").

use std::fmt;

use crate::{
    ArgumentError, LineTooLong, MAX_LINE, MailboxName, MessageNumber, Quoting, Secret, User, argument, quote,
};

/// A command of RFC 937.
#[derive(Debug, Clone)]
pub enum Command {
    /// `HELO user password`
    Helo(Login),
    /// `FOLD mailbox`
    Fold(MailboxName),
    /// `READ [n]`
    Read(Option<MessageNumber>),
    /// `RETR`
    Retr,
    /// `ACKS`, `ACKD` or `NACK`
    Ack(Verdict),
    /// `QUIT`
    Quit,
}

/// What a client says of a message that it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// ACKS: received, keep it in the mailbox.
    Save,
    /// ACKD: received, delete it from the mailbox.
    Delete,
    /// NACK: not received, keep it in the mailbox.
    Again,
}

/// The arguments of HELO.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who logs in.
    pub user: User,
    password: Secret,
    as_sent: Option<Secret>,
}

impl Login {
    /// A login with a password as the user knows it.
    #[must_use]
    pub fn new(user: User, password: Secret) -> Self {
        Self { user, password, as_sent: None }
    }

    /// What the password may be: the octets with quoting decoded, then the octets as they were sent where
    /// that differs, since old programs do not quote. One of them being right is one attempt, both being
    /// wrong too (`DECISIONS` 7).
    pub fn passwords(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.password).chain(&self.as_sent)
    }

    fn parse(arguments: &[u8]) -> Result<Self, CommandError> {
        let (user, password) = quote::split_word(arguments);
        if user.is_empty() || password.is_empty() {
            return Err(CommandError::Helo);
        }
        if has_bare_control(user) {
            return Err(CommandError::Control);
        }
        let user = User::from_octets(&quote::decode(user).ok_or(CommandError::Helo)?)?;
        let as_sent = || Secret::new(password.to_vec());
        Ok(match quote::decode(password).map(Secret::new) {
            Some(decoded) if quote::is_quoted(password) => {
                Self { user, password: decoded, as_sent: Some(as_sent()) }
            }
            Some(plain) => Self::new(user, plain),
            None => Self::new(user, as_sent()),
        })
    }
}

/// Why a line is not a command. The text says it to whoever typed the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The first word is none of the eight.
    #[error("no such command; there are HELO FOLD READ RETR ACKS ACKD NACK QUIT")]
    Unknown,
    /// HELO without its two arguments.
    #[error("HELO needs a user and a password")]
    Helo,
    /// FOLD without its argument, or with a quote that has nothing after it.
    #[error("FOLD needs the name of a mailbox")]
    Fold,
    /// READ with something other than a number.
    #[error("READ takes one decimal number or nothing")]
    Read,
    /// An argument where none is taken.
    #[error("that command takes no argument")]
    Argument,
    /// An octet that no command holds (`DECISIONS` 5 and 6).
    #[error("a command is made of 7-bit characters other than NUL and CR")]
    Octet,
    /// A control character that is not quoted.
    #[error("a control character in a name must be quoted")]
    Control,
    /// The line goes on past its limit (`DECISIONS` 10).
    #[error(transparent)]
    TooLong(#[from] LineTooLong),
}

impl From<ArgumentError> for CommandError {
    fn from(_: ArgumentError) -> Self {
        Self::Octet
    }
}

/// Why a command cannot be put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// RFC 937 has no way to send it.
    #[error("a password is made of 7-bit characters other than NUL, CR and LF, at least one")]
    Password,
    /// It would need a line longer than a server takes.
    #[error("the arguments are too long: a command is at most {MAX_LINE} octets long")]
    TooLong,
}

impl Command {
    /// Reads a line without its end. Keywords are taken in any case, blanks at the end are dropped
    /// (`DECISIONS` 8 and 9).
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        if !line.iter().all(|&octet| argument::is_allowed(octet)) {
            return Err(CommandError::Octet);
        }
        let (keyword, rest) = quote::split_word(line);
        let arguments = quote::trim_end(rest);
        let bare = |command| if arguments.is_empty() { Ok(command) } else { Err(CommandError::Argument) };
        match keyword.to_ascii_uppercase().as_slice() {
            b"HELO" => Login::parse(arguments).map(Self::Helo),
            b"FOLD" => parse_mailbox(arguments).map(Self::Fold),
            b"READ" if arguments.is_empty() => Ok(Self::Read(None)),
            b"READ" => MessageNumber::parse(arguments).map(|n| Self::Read(Some(n))).ok_or(CommandError::Read),
            b"RETR" => bare(Self::Retr),
            b"ACKS" => bare(Self::Ack(Verdict::Save)),
            b"ACKD" => bare(Self::Ack(Verdict::Delete)),
            b"NACK" => bare(Self::Ack(Verdict::Again)),
            b"QUIT" => bare(Self::Quit),
            _ => Err(CommandError::Unknown),
        }
    }

    /// Appends the command's line, in capitals and with CR LF, to `wire`; nothing where it fails.
    pub fn encode(&self, quoting: Quoting, wire: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = wire.len();
        let done = self.encode_line(quoting, wire).and_then(|()| {
            wire.extend_from_slice(b"\r\n");
            if wire.len() - start > MAX_LINE { Err(EncodeError::TooLong) } else { Ok(()) }
        });
        if done.is_err() {
            wire.truncate(start);
        }
        done
    }

    fn encode_line(&self, quoting: Quoting, wire: &mut Vec<u8>) -> Result<(), EncodeError> {
        wire.extend_from_slice(self.keyword().as_bytes());
        match self {
            Self::Helo(login) => {
                let password = login.password.expose();
                if password.is_empty() || !password.iter().all(|&octet| argument::is_allowed(octet)) {
                    return Err(EncodeError::Password);
                }
                wire.push(b' ');
                quote::encode_word(login.user.as_str().as_bytes(), quoting, wire);
                wire.push(b' ');
                quote::encode_word(password, quoting, wire);
            }
            Self::Fold(mailbox) => {
                wire.push(b' ');
                quote::encode_string(mailbox.as_str().as_bytes(), quoting, wire);
            }
            Self::Read(Some(number)) => wire.extend_from_slice(format!(" {number}").as_bytes()),
            Self::Read(None) | Self::Retr | Self::Ack(_) | Self::Quit => {}
        }
        Ok(())
    }

    /// The command's keyword, in capitals.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Helo(_) => "HELO",
            Self::Fold(_) => "FOLD",
            Self::Read(_) => "READ",
            Self::Retr => "RETR",
            Self::Ack(verdict) => verdict.keyword(),
            Self::Quit => "QUIT",
        }
    }
}

impl Verdict {
    /// The keyword of the acknowledgment, in capitals.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Save => "ACKS",
            Self::Delete => "ACKD",
            Self::Again => "NACK",
        }
    }
}

/// The line as it may be shown: without its password.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())?;
        match self {
            Self::Helo(login) => write!(f, " {} ********", login.user),
            Self::Fold(mailbox) => write!(f, " {mailbox}"),
            Self::Read(Some(number)) => write!(f, " {number}"),
            Self::Read(None) | Self::Retr | Self::Ack(_) | Self::Quit => Ok(()),
        }
    }
}

fn parse_mailbox(argument: &[u8]) -> Result<MailboxName, CommandError> {
    if has_bare_control(argument) {
        return Err(CommandError::Control);
    }
    match quote::decode(argument) {
        Some(name) if !name.is_empty() => Ok(MailboxName::from_octets(&name)?),
        _ => Err(CommandError::Fold),
    }
}

/// Whether a control character stands there for itself, which `<print>` does not allow.
fn has_bare_control(octets: &[u8]) -> bool {
    let mut quoted = false;
    octets.iter().any(|&octet| {
        let bare = octet.is_ascii_control() && !quoted;
        quoted = !quoted && octet == b'\\';
        bare
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &[u8]) -> String {
        match Command::parse(line) {
            Ok(Command::Helo(login)) => {
                let passwords: Vec<_> =
                    login.passwords().map(|p| String::from_utf8_lossy(p.expose()).into_owned()).collect();
                format!("HELO [{}] {passwords:?}", login.user.as_str())
            }
            Ok(Command::Fold(mailbox)) => format!("FOLD [{}]", mailbox.as_str()),
            Ok(command) => command.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn every_command_of_the_rfc_is_read() {
        for (line, command) in [
            ("HELO POSTEL SECRET", r#"HELO [POSTEL] ["SECRET"]"#),
            ("FOLD /usr/spool/mail/smith", "FOLD [/usr/spool/mail/smith]"),
            ("READ", "READ"),
            ("READ  27", "READ 27"),
            ("RETR", "RETR"),
            ("ACKS", "ACKS"),
            ("ACKD", "ACKD"),
            ("NACK", "NACK"),
            ("QUIT", "QUIT"),
        ] {
            assert_eq!(shown(line.as_bytes()), command);
        }
    }

    #[test]
    fn decision_4_dots_and_semicolons_are_ordinary() {
        assert_eq!(shown(b"HELO j.smith;x a.b;c"), r#"HELO [j.smith;x] ["a.b;c"]"#);
    }

    #[test]
    fn decision_5_nul_and_cr_are_refused_even_quoted() {
        assert_eq!(shown(b"HELO fr\\\0ed bone"), "Octet");
        assert_eq!(shown(b"FOLD a\\\rb"), "Octet");
        assert_eq!(shown(b"HELO fr\\\x01ed bone"), "HELO [fr\x01ed] [\"bone\"]");
        assert_eq!(shown(b"HELO fr\x01ed bone"), "Control");
        assert_eq!(shown(b"FOLD a\x1b[2J"), "Control");
    }

    #[test]
    fn decision_6_octets_over_127_are_garbage() {
        assert_eq!(shown("FOLD Entwürfe".as_bytes()), "Octet");
        assert_eq!(shown(b"HELO fred b\xffne"), "Octet");
    }

    #[test]
    fn decision_7_the_password_is_the_rest_of_the_line_decoded_then_as_sent() {
        assert_eq!(shown(br"HELO fred my old bone"), r#"HELO [fred] ["my old bone"]"#);
        assert_eq!(shown(br"HELO fred my\ bone"), r#"HELO [fred] ["my bone", "my\\ bone"]"#);
        assert_eq!(shown(br"HELO fr\ ed bo\\ne"), r#"HELO [fr ed] ["bo\\ne", "bo\\\\ne"]"#);
        assert_eq!(shown(br"HELO fred bone\"), r#"HELO [fred] ["bone\\"]"#);
        assert_eq!(shown(br"HELO fred bone\ "), r#"HELO [fred] ["bone ", "bone\\ "]"#);
        assert_eq!(shown(br"FOLD old mail\\2 "), r"FOLD [old mail\2]");
    }

    #[test]
    fn decision_8_any_case_is_taken() {
        assert_eq!(shown(b"helo fred bone"), r#"HELO [fred] ["bone"]"#);
        assert_eq!(shown(b"rEtR"), "RETR");
    }

    #[test]
    fn decision_9_blanks_at_the_end_are_dropped() {
        assert_eq!(shown(b"QUIT  \t"), "QUIT");
        assert_eq!(shown(b"READ 3 "), "READ 3");
        assert_eq!(shown(b"READ "), "READ");
        assert_eq!(shown(b"HELO fred bone  "), r#"HELO [fred] ["bone"]"#);
    }

    #[test]
    fn everything_else_is_garbage() {
        for (line, error) in [
            (&b""[..], "Unknown"),
            (b" QUIT", "Unknown"),
            (b"HELLO fred bone", "Unknown"),
            (b"USER fred", "Unknown"),
            (b"HELO", "Helo"),
            (b"HELO fred", "Helo"),
            (b"HELO fred ", "Helo"),
            (b"FOLD", "Fold"),
            (b"FOLD \\", "Fold"),
            (b"READ x", "Read"),
            (b"READ -1", "Read"),
            (b"READ 1 2", "Read"),
            (b"RETR 1", "Argument"),
            (b"QUIT now", "Argument"),
        ] {
            assert_eq!(shown(line), error, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let command = Command::parse(b"HELO fred kn\\uckle").unwrap();
        assert_eq!(command.to_string(), "HELO fred ********");
        assert!(!format!("{command:?}").contains("uckle"));
    }

    #[test]
    fn a_command_that_a_server_would_not_take_is_not_written() {
        let login = |user: &str, password: &str| {
            Command::Helo(Login::new(User::new(user).unwrap(), Secret::from(password)))
        };
        let mut wire = b"before".to_vec();
        for (command, error) in [
            (login("fred", ""), EncodeError::Password),
            (login("fred", "knöchel"), EncodeError::Password),
            (login("fred", "a\r\nQUIT"), EncodeError::Password),
            (login("fred", &"x".repeat(501)), EncodeError::TooLong),
        ] {
            assert_eq!(command.encode(Quoting::Rfc, &mut wire), Err(error));
        }
        assert_eq!(wire, b"before");
        login("fr ed", "my bone").encode(Quoting::Raw, &mut wire).unwrap();
        assert_eq!(wire, b"beforeHELO fr ed my bone\r\n");
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn what_is_written_is_read_back(user in "[ -~\x01\x7f]{1,40}", password in "[ -~\x01\x7f]{1,40}") {
            let command = Command::Helo(Login::new(User::new(&user).unwrap(), Secret::from(password.as_str())));
            let mut wire = Vec::new();
            command.encode(Quoting::Rfc, &mut wire).unwrap();
            let Ok(Command::Helo(login)) = Command::parse(wire.strip_suffix(b"\r\n").unwrap()) else {
                panic!("{wire:?} is no HELO");
            };
            prop_assert_eq!(login.user.as_str(), user.as_str());
            prop_assert_eq!(login.password.expose(), password.as_bytes());

            let mailbox = Command::Fold(MailboxName::new(&user).unwrap());
            wire.clear();
            mailbox.encode(Quoting::Rfc, &mut wire).unwrap();
            let Ok(Command::Fold(name)) = Command::parse(wire.strip_suffix(b"\r\n").unwrap()) else {
                panic!("{wire:?} is no FOLD");
            };
            prop_assert_eq!(name.as_str(), user.as_str());
        }
    }
}
