//! The configuration: whose mail is on which server, and how to come to it.

mod smtp;

pub use smtp::{Editor, Hiding, Smtp};

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use pop2::{MailboxName, Quoting, User};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    Exit, Failure,
    connection::{Route, Security},
    consent::Consent,
    host::Host,
    password::Source,
    paths,
    sink::Target,
    tls::{Fingerprint, Trust},
};

/// How long a server may be silent where nothing else is said.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// An account of a person on a server.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What it is called here.
    pub name: String,
    /// How to come to the server.
    pub route: Route,
    /// How arguments are written.
    pub quoting: Quoting,
    /// Who logs in.
    pub user: User,
    /// Where the password comes from.
    pub password: Source,
    /// Folders beside the default mailbox.
    pub folders: Vec<MailboxName>,
    /// Where mail goes.
    pub to: Option<Target>,
    /// Whether a message is deleted on the server once it is safe here.
    pub delete: bool,
    /// How its mail is sent, if it is.
    pub smtp: Option<Smtp>,
}

/// All accounts, by their names.
#[derive(Debug, Default)]
pub struct Config {
    /// Where it was read from, or would be.
    pub path: PathBuf,
    /// The accounts.
    pub accounts: BTreeMap<String, Profile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    #[serde(default)]
    account: BTreeMap<String, RawAccount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(clippy::struct_excessive_bools)] // as they stand in the file
struct RawAccount {
    #[serde(deserialize_with = "parsed")]
    host: Host,
    #[serde(default)]
    tls: bool,
    ca: Option<PathBuf>,
    #[serde(default, deserialize_with = "maybe_parsed")]
    pin: Option<Fingerprint>,
    #[serde(default)]
    plain: bool,
    #[serde(deserialize_with = "parsed_user")]
    user: User,
    password_command: Option<String>,
    #[serde(default)]
    keyring: bool,
    #[serde(default, deserialize_with = "parsed_names")]
    folders: Vec<MailboxName>,
    #[serde(default, deserialize_with = "parsed_target")]
    to: Option<Target>,
    #[serde(default)]
    delete: bool,
    #[serde(default)]
    raw: bool,
    timeout: Option<u64>,
    smtp: Option<smtp::RawSmtp>,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn maybe_parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<Option<T>, D::Error> {
    parsed(from).map(Some)
}

fn parsed_user<'de, D: Deserializer<'de>>(from: D) -> Result<User, D::Error> {
    User::new(&String::deserialize(from)?).map_err(D::Error::custom)
}

fn parsed_names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<MailboxName>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    names.iter().map(|name| MailboxName::new(name).map_err(D::Error::custom)).collect()
}

fn parsed_target<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Target>, D::Error> {
    let text = String::deserialize(from)?;
    let text = match (text.split_once(":~/"), paths::home()) {
        (Some((kind, rest)), Some(home)) => format!("{kind}:{}", home.join(rest).display()),
        _ => text,
    };
    Target::parse(text.as_ref()).map(Some).map_err(D::Error::custom)
}

impl Config {
    /// Reads the file that is given, or the usual one, which need not be there.
    pub fn load(given: Option<&Path>) -> Result<Self, Failure> {
        let config = Self::load_if_there(given)?;
        match given {
            Some(path) if !path.exists() => {
                let text = format!("there is no configuration {}; `fido setup` makes it", path.display());
                Err(Failure::new(Exit::Config, text))
            }
            _ => Ok(config),
        }
    }

    /// The same, where the file that is given need not be there either.
    pub fn load_if_there(given: Option<&Path>) -> Result<Self, Failure> {
        let usual = || paths::config().map(|folder| folder.join("config.toml"));
        let Some(path) = given.map(Path::to_owned).or_else(usual) else { return Ok(Self::default()) };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path, accounts: BTreeMap::new() })
            }
            Err(error) => {
                let text = format!("cannot read the configuration {}: {error}", path.display());
                Err(Failure::new(Exit::Config, text))
            }
        }
    }

    /// Reads the text of the file.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let what = error.message().replace('\n', "; ");
            Failure::new(Exit::Config, format!("{}:{line}: {}", path.display(), what.escape_debug()))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let profile = |(name, raw): (String, RawAccount)| {
            let profile = raw.profile(&name, folder).map_err(|why| {
                Failure::new(Exit::Config, format!("{}: account {name:?}: {why}", path.display()))
            })?;
            Ok((name, profile))
        };
        let accounts = raw.account.into_iter().map(profile).collect::<Result<_, Failure>>()?;
        Ok(Self { path: path.to_owned(), accounts })
    }

    /// The account of that name.
    pub fn account(&self, name: &str) -> Result<Profile, Failure> {
        self.accounts.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.accounts.keys().map(String::as_str).collect();
            let known = match known.as_slice() {
                [] => "there are no accounts yet: `fido setup` makes one".to_owned(),
                known => format!("there are {}", known.join(", ")),
            };
            let text = format!("{name:?} is no account; {known}. A server wants --user");
            Failure::new(Exit::Usage, text)
        })
    }
}

impl RawAccount {
    fn profile(self, name: &str, folder: &Path) -> Result<Profile, String> {
        let security = security(self.tls, self.ca.map(|path| folder.join(path)), self.pin)?;
        let consent = if self.plain { Consent::Given } else { Consent::Asked };
        let timeout = self.timeout.map_or(TIMEOUT, Duration::from_secs);
        Ok(Profile {
            name: name.to_owned(),
            route: Route { host: self.host, security, timeout, consent },
            quoting: if self.raw { Quoting::Raw } else { Quoting::Rfc },
            user: self.user,
            password: match self.password_command {
                Some(command) => Source::Command(command),
                None if self.keyring => Source::Keyring,
                None => Source::Person,
            },
            folders: self.folders,
            to: self.to,
            delete: self.delete,
            smtp: self.smtp.map(|raw| raw.smtp(folder)).transpose()?,
        })
    }
}

/// Who can read what passes, by what is said of it.
pub(crate) fn security(tls: bool, ca: Option<PathBuf>, pin: Option<Fingerprint>) -> Result<Security, String> {
    match (tls, ca, pin) {
        (_, Some(_), Some(_)) => {
            Err("a certificate is trusted by its authority or by its fingerprint, not both".to_owned())
        }
        (_, Some(ca), None) => Ok(Security::Tls(Trust::Authorities(ca))),
        (_, None, Some(pin)) => Ok(Security::Tls(Trust::Pinned(pin))),
        (true, None, None) => Ok(Security::Tls(Trust::System)),
        (false, None, None) => Ok(Security::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/fido.toml")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_account_is_read_with_all_that_it_may_have() {
        let config = parse(
            "[account.home]\nhost = 'dog-house.example:1110'\nuser = 'fido'\nca = 'ca.pem'\n\
             password-command = 'pass show home'\nfolders = ['lists.rust']\nto = 'mbox:/m'\ndelete = true\n\
             raw = true\ntimeout = 5\n\n[account.old]\nhost = '192.168.7.2'\nuser = 'fred'\n",
        )
        .unwrap();
        let home = config.account("home").unwrap();
        assert_eq!(home.route.host.to_string(), "dog-house.example:1110");
        assert_eq!(home.route.security, Security::Tls(Trust::Authorities("/etc/ca.pem".into())));
        assert_eq!(home.route.timeout, Duration::from_secs(5));
        assert_eq!(home.password, Source::Command("pass show home".to_owned()));
        assert_eq!((home.folders.len(), home.delete, home.quoting), (1, true, Quoting::Raw));
        let old = config.account("old").unwrap();
        assert_eq!((old.route.security, old.password), (Security::Plain, Source::Person));
        let unknown = config.account("new").unwrap_err();
        assert_eq!(unknown.to_string(), "\"new\" is no account; there are home, old. A server wants --user");
        assert!(parse("").unwrap().account("home").unwrap_err().to_string().contains("fido setup"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, what) in [
            ("[account.a]\nhost = 'x'", "/etc/fido.toml:1: missing field `user`"),
            ("[account.a]\nhost = 'a b'\nuser = 'x'", "/etc/fido.toml:2: a host is a name or an address"),
            ("[account.a]\nhost = 'x'\nuser = 'x'\nsecret = 1", "/etc/fido.toml:4: unknown field `secret`"),
            ("[account.a]\nhost = 'x'\nuser = 'x'\npin = 'sha256:1'", "/etc/fido.toml:4: a fingerprint is"),
            ("[account.a]\nhost = 'x'\nuser = 'x'\nto = 'imap:x'", "/etc/fido.toml:4: mail goes to"),
            ("account = 1", "/etc/fido.toml:1: "),
            ("[account.a\u{1b}]", "/etc/fido.toml:1: "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(what), "{text:?}: {error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        let both = format!("[account.a]\nhost = 'x'\nuser = 'x'\nca = 'y'\npin = '{}'", "ab".repeat(32));
        assert!(parse(&both).unwrap_err().contains("not both"));
    }
}
