//! The users file, in Dovecot's passwd-file format.
//!
//! A line an account, `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra_fields`, of which the first two fields
//! have to be there; empty lines, and lines that begin with `#`, are let be. Lines end in LF or CRLF. Whatever is
//! not understood is kept octet by octet, so that the file can be shared with other programs.

use std::collections::HashMap;
use std::fmt;

use pop2::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use super::devices;
use super::error::Error;
use super::fields::Fields;
use super::scheme::{self, Hash, Locked};

/// The longest name that a folder can have, in octets (`NAME_MAX` of POSIX systems).
const NAME_LIMIT: usize = 255;

/// The lines of a users file.
///
/// `Debug` shows how many accounts there are and nothing of them.
pub struct PasswdFile {
    lines: Vec<Line>,
}

enum Line {
    /// Blank, or a comment; its line end included.
    Other(Zeroizing<Vec<u8>>),
    User(Box<User>),
}

struct User {
    name: String,
    /// The password field as it stands in the file.
    password: Zeroizing<Vec<u8>>,
    /// The colon after the password field, the fields behind it and the line end.
    rest: Vec<u8>,
    hash: Result<Hash, Locked>,
    fields: Result<Fields, Locked>,
}

/// An account as the file has it.
pub(super) struct Account {
    /// What its password is checked against, if it can be logged in to.
    pub(super) hash: Result<Hash, Locked>,
    /// The rest, if that is understood.
    pub(super) fields: Option<Fields>,
}

/// An account that nobody can log in to, by a mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: user {user} cannot log in: {locked}")]
pub struct Warning {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// The user's name.
    pub user: String,
    /// What is wrong, and the remedy.
    pub locked: Locked,
}

/// The lines that keep a file from being a users file; there is at least one.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(Vec<LineFault>);

impl Faults {
    /// The lines, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &LineFault> {
        self.0.iter()
    }
}

/// The first fault, and how many more there are.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => write!(f, "{only}"),
            [first, more @ ..] => write!(f, "{first} (and {} more)", more.len()),
        }
    }
}

impl std::error::Error for Faults {}

/// A line that is no account, no comment and not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct LineFault {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// What is wrong with it, and the remedy.
    pub fault: Fault,
}

/// What is wrong with a line. It names nothing of the line, in which anything may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// There is one field only.
    #[error("no ':' after the user name; a line is user:{{SCHEME}}hash")]
    NoColon,
    /// A control octet other than a tab stands in the line.
    #[error("a control character; take it out")]
    Control,
    /// The first field cannot be a user's name.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// The user has a line already.
    #[error("the user of line {first} once more; take one of the two out")]
    Twice {
        /// The earlier line, counted from 1.
        first: usize,
    },
}

/// Why something cannot be a user's name: a name is sent in a POP2 command, stands in a line of the users file and
/// is the name of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameFault {
    /// There is nothing.
    #[error("the user name is empty; a line is user:{{SCHEME}}hash")]
    Empty,
    /// Something in it is not of the 94 visible characters of ASCII.
    #[error("a user name is made of visible ASCII characters, without blanks")]
    Invisible,
    /// It would lead out of the folder that the users' folders are in, or hide there.
    #[error("a user name does not begin with '.' and holds no '/', since it is the name of a folder")]
    NoFolder,
    /// It would be a comment, or end at the colon.
    #[error("a user name does not begin with '#' and holds no ':', since it stands in the users file")]
    NoField,
    /// It is longer than the name of a folder can be.
    #[error("a user name has 255 characters at most")]
    Long,
}

/// Reads a users file. No input makes it panic.
///
/// An account whose password cannot be used is not an error of the file: see [`PasswdFile::warnings`].
///
/// # Errors
/// Every line that is neither an account nor a comment nor blank, at once.
pub fn parse(octets: &[u8]) -> Result<PasswdFile, Faults> {
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    let mut seen = HashMap::new();
    for (line, octets) in (1..).zip(octets.split_inclusive(|&octet| octet == b'\n')) {
        let parsed = Line::parse(octets).and_then(|parsed| {
            let User { name, .. } = match &parsed {
                Line::Other(_) => return Ok(parsed),
                Line::User(user) => &**user,
            };
            match seen.insert(name.clone(), line) {
                Some(first) => Err(Fault::Twice { first }),
                None => Ok(parsed),
            }
        });
        match parsed {
            Ok(parsed) => lines.push(parsed),
            Err(fault) => faults.push(LineFault { line, fault }),
        }
    }
    if faults.is_empty() { Ok(PasswdFile { lines }) } else { Err(Faults(faults)) }
}

impl Line {
    fn parse(octets: &[u8]) -> Result<Self, Fault> {
        if matches!(octets.trim_ascii(), [] | [b'#', ..]) {
            return Ok(Self::Other(Zeroizing::new(octets.to_vec())));
        }
        let line = octets.strip_suffix(b"\n").unwrap_or(octets);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().any(|&octet| octet.is_ascii_control() && octet != b'\t') {
            return Err(Fault::Control);
        }
        let colon = line.iter().position(|&octet| octet == b':').ok_or(Fault::NoColon)?;
        let (name, fields) = line.split_at(colon);
        let name = check_name(name)?;
        let fields = fields.strip_prefix(b":").unwrap_or(fields);
        let mut split = fields.splitn(2, |&octet| octet == b':');
        let (password, others) = (split.next().unwrap_or_default(), split.next().unwrap_or_default());
        Ok(Self::User(Box::new(User {
            name: name.to_owned(),
            password: Zeroizing::new(password.to_vec()),
            // Both are parts of the line, so the rest begins after the name, the colon and the password.
            rest: octets.get(colon + 1 + password.len()..).unwrap_or_default().to_vec(),
            hash: Hash::parse(password),
            fields: Fields::parse(others),
        })))
    }

    /// The octets behind what is understood of the line, up to and with its line end.
    fn tail(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Other(octets) => octets,
            Self::User(user) => &mut user.rest,
        }
    }
}

pub(super) fn check_name(name: &[u8]) -> Result<&str, NameFault> {
    let text = str::from_utf8(name).map_err(|_| NameFault::Invisible)?;
    match name {
        [] => Err(NameFault::Empty),
        _ if !name.iter().all(u8::is_ascii_graphic) => Err(NameFault::Invisible),
        [b'.', ..] => Err(NameFault::NoFolder),
        _ if name.contains(&b'/') => Err(NameFault::NoFolder),
        [b'#', ..] => Err(NameFault::NoField),
        _ if name.contains(&b':') => Err(NameFault::NoField),
        _ if name.len() > NAME_LIMIT => Err(NameFault::Long),
        _ => Ok(text),
    }
}

/// Only what POP2 can carry (RFC 937, formal syntax), or the new password would never be right.
pub(super) fn check_password(password: &Secret) -> Result<(), Error> {
    match password.expose() {
        [] => Err(Error::EmptyPassword),
        octets if octets.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n' | 0x80..)) => {
            Err(Error::UnsendablePassword)
        }
        _ => Ok(()),
    }
}

impl PasswdFile {
    /// A file without a line.
    #[must_use]
    pub fn empty() -> Self {
        Self { lines: Vec::new() }
    }

    /// The users' names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users().map(|(_, user)| user.name.as_str())
    }

    /// The accounts that a mistake in the file locks, in its order.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.users().filter_map(|(line, user)| match user.locked() {
            Some(Locked::OnPurpose) | None => None,
            Some(locked) => Some(Warning { line, user: user.name.clone(), locked }),
        })
    }

    /// The file as it is to be written.
    #[must_use]
    pub fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new(Vec::new());
        for line in &self.lines {
            match line {
                Line::Other(other) => octets.extend_from_slice(other),
                Line::User(user) => {
                    let User { name, password, rest, .. } = &**user;
                    for part in [name.as_bytes(), b":", password, rest] {
                        octets.extend_from_slice(part);
                    }
                }
            }
        }
        octets
    }

    /// Adds an account at the end of the file; every other line stays as it is.
    pub fn add(&mut self, user: &str, password: &Secret) -> Result<(), Error> {
        let name = check_name(user.as_bytes())?.to_owned();
        if self.names().any(|name| name == user) {
            return Err(Error::Exists(name));
        }
        let mut user = User {
            name,
            password: Zeroizing::default(),
            rest: Vec::new(),
            hash: Err(Locked::OnPurpose),
            fields: Ok(Fields::default()),
        };
        user.store(password)?;
        if let Some(last) = self.lines.last_mut().map(Line::tail)
            && !last.ends_with(b"\n")
        {
            last.push(b'\n');
        }
        let crlf = self.lines.first_mut().is_some_and(|first| first.tail().ends_with(b"\r\n"));
        user.rest = if crlf { b"\r\n".to_vec() } else { b"\n".to_vec() };
        self.lines.push(Line::User(Box::new(user)));
        Ok(())
    }

    /// Adds an account that only devices log in to: its own password is one that nobody knows.
    pub fn add_for_devices(&mut self, user: &str) -> Result<(), Error> {
        self.add(user, &devices::random()?)
    }

    /// Gives an account a new password, and opens one that was locked by its password field; its other fields and
    /// every other line stay as they are.
    pub fn set_password(&mut self, user: &str, password: &Secret) -> Result<(), Error> {
        let mut users = self.lines.iter_mut().filter_map(|line| match line {
            Line::User(user) => Some(user),
            Line::Other(_) => None,
        });
        let found = users.find(|found| found.name == user);
        found.ok_or_else(|| Error::Unknown(user.to_owned()))?.store(password)
    }

    /// Takes an account out; every other line stays as it is.
    pub fn remove(&mut self, user: &str) -> Result<(), Error> {
        let before = self.lines.len();
        self.lines.retain(|line| !matches!(line, Line::User(found) if found.name == user));
        if self.lines.len() == before { Err(Error::Unknown(user.to_owned())) } else { Ok(()) }
    }

    /// The accounts, in the order of the file.
    pub(super) fn into_accounts(self) -> impl Iterator<Item = (String, Account)> {
        self.lines.into_iter().filter_map(|line| match line {
            Line::User(user) => {
                let User { name, hash, fields, .. } = *user;
                let hash = match &fields {
                    Ok(fields) if fields.no_login => Err(Locked::OnPurpose),
                    Ok(_) => hash,
                    Err(locked) => Err(*locked),
                };
                Some((name, Account { hash, fields: fields.ok() }))
            }
            Line::Other(_) => None,
        })
    }

    /// The accounts with their line numbers.
    fn users(&self) -> impl Iterator<Item = (usize, &User)> {
        (1..).zip(&self.lines).filter_map(|(number, line)| match line {
            Line::User(user) => Some((number, &**user)),
            Line::Other(_) => None,
        })
    }
}

impl User {
    /// Why nobody can log in, if so.
    fn locked(&self) -> Option<Locked> {
        let on_purpose =
            self.fields.as_ref().is_ok_and(|fields| fields.no_login).then_some(Locked::OnPurpose);
        self.fields.as_ref().err().or(self.hash.as_ref().err()).copied().or(on_purpose)
    }

    fn store(&mut self, password: &Secret) -> Result<(), Error> {
        check_password(password)?;
        self.password = scheme::stored(password).map_err(Error::Hash)?;
        self.hash = Hash::parse(&self.password);
        Ok(())
    }
}

impl fmt::Debug for PasswdFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswdFile({} accounts)", self.users().count())
    }
}
