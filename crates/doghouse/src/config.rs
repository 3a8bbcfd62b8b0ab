//! The configuration file.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use postbox::{Location, Quota, postgres::Database};
use serde::Deserialize;
use toml::Spanned;

use crate::logging::{Format, filter};

mod database;
mod delivery;
mod endpoint;
mod error;
mod limits;
mod listener;

use database::RawDatabase;
pub use delivery::Delivery;
use delivery::{RawDelivery, RawLmtp, RawQuota, RawSmtp};
pub use endpoint::Endpoint;
use endpoint::permissions;
pub use error::ConfigError;
use error::line_and_column;
pub use limits::Limits;
use limits::RawLimits;
use listener::RawListener;
pub use listener::{KeyPair, Listener};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/doghouse/doghouse.toml";

/// What a configuration file says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name in the greeting.
    pub hostname: String,
    /// Whom the process becomes that was started as root.
    pub user: Option<String>,
    /// Whether it shuts itself off from all that it does not need.
    pub sandbox: bool,
    /// The folder that the configuration file is in.
    pub folder: PathBuf,
    /// Where to listen, at least one.
    pub listeners: Vec<Listener>,
    /// The database of several servers, where there is one.
    pub database: Option<Database>,
    /// Where the users and their passwords are.
    pub accounts: AccountsIn,
    /// The file of the users and their passwords.
    pub passwd_file: PathBuf,
    /// The passwords of their devices; it need not be there.
    pub devices_file: PathBuf,
    /// Where it is noted when each device was used last.
    pub last_use_file: PathBuf,
    /// How long a verified password is remembered in memory.
    pub remember: Duration,
    /// The stores of an account's mail in order, at least one.
    pub mail: Vec<Location>,
    /// Names of folders, with `{user}` for the account's, and the store that each is.
    pub folders: Vec<(String, Location)>,
    /// Where mail comes in by SMTP.
    pub smtp: Vec<Endpoint>,
    /// Where mail comes in by LMTP.
    pub lmtp: Vec<Endpoint>,
    /// Whose mail is taken.
    pub delivery: Delivery,
    /// How much of it.
    pub quota: Quota,
    /// How much, and how long.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Where a monitoring system asks.
    pub metrics: Option<SocketAddr>,
    /// The socket by which commands ask the running server.
    pub admin: Option<Endpoint>,
}

/// Where accounts are.
#[derive(Debug, Clone)]
pub enum AccountsIn {
    /// In the files that the configuration names.
    Files,
    /// In this database.
    Database(Database),
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What lines look like, and where they go.
    pub format: Format,
    /// How much, unless the environment says.
    pub level: String,
}

/// What is wrong, and where in the text it begins.
type Fault = (usize, String);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    hostname: Option<Spanned<String>>,
    user: Option<String>,
    sandbox: Sandbox,
    listener: Vec<Spanned<RawListener>>,
    database: Option<RawDatabase>,
    accounts: RawAccounts,
    mail: RawMail,
    smtp: Vec<RawSmtp>,
    lmtp: Vec<Spanned<RawLmtp>>,
    delivery: RawDelivery,
    quota: RawQuota,
    limits: RawLimits,
    log: RawLog,
    metrics: RawMetrics,
    admin: RawAdmin,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: Format,
    level: Spanned<String>,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { format: Format::default(), level: Spanned::new(0..0, "info".to_owned()) }
    }
}

/// On, unless it is said otherwise.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Sandbox(bool);

impl Default for Sandbox {
    fn default() -> Self {
        Self(true)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawMetrics {
    address: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAdmin {
    socket: Option<PathBuf>,
    mode: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Files,
    Database,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAccounts {
    source: Spanned<Source>,
    passwd_file: PathBuf,
    devices_file: PathBuf,
    last_use_file: PathBuf,
    remember_seconds: u64,
}

impl Default for RawAccounts {
    fn default() -> Self {
        Self {
            source: Spanned::new(0..0, Source::Files),
            passwd_file: "users".into(),
            devices_file: "devices".into(),
            last_use_file: "last-use".into(),
            remember_seconds: 600,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawMail {
    default: Option<Spanned<Vec<Spanned<String>>>>,
    folders: BTreeMap<String, Spanned<String>>,
}

impl Config {
    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("cannot read the configuration: {error}; name another with --config FILE");
            ConfigError::new(path, None, what)
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file; relative paths start from the folder of `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::of_syntax(path, text, &error))?;
        let refuse = |at: usize, what: String| ConfigError::new(path, Some(line_and_column(text, at)), what);
        let folder = path.parent().unwrap_or(Path::new(""));

        let hostname = match raw.hostname {
            None => machine_name(),
            Some(name) if is_host(name.get_ref()) => name.into_inner(),
            Some(name) => {
                let what = "hostname is letters, digits, - and ., such as \"dog-house.example\"";
                return Err(refuse(name.span().start, what.to_owned()));
            }
        };
        let mail = match raw.mail.default {
            None => vec![Spanned::new(0..0, "maildir:mail/{user}".to_owned())],
            Some(list) if list.get_ref().is_empty() => {
                let what = "mail.default needs at least one place, such as \"maildir:mail/{user}\"";
                return Err(refuse(list.span().start, what.to_owned()));
            }
            Some(list) => list.into_inner(),
        };
        let database = raw.database.map(|raw| raw.check(folder)).transpose();
        let database = database.map_err(|(at, what)| refuse(at, what))?;
        let accounts = match (raw.accounts.source.get_ref(), &database) {
            (Source::Files, _) => AccountsIn::Files,
            (Source::Database, Some(database)) => AccountsIn::Database(database.clone()),
            (Source::Database, None) => {
                let what = "accounts in a database need [database], which says where that is";
                return Err(refuse(raw.accounts.source.span().start, what.to_owned()));
            }
        };
        let location = |text: Spanned<String>| {
            let at = text.span().start;
            let location = match (text.get_ref().strip_prefix("postgres:"), &database) {
                (None, _) => Location::parse(text.get_ref(), folder),
                (Some(owner), Some(database)) => Location::in_database(database.clone(), owner),
                (Some(_), None) => {
                    return Err(refuse(
                        at,
                        "a place in PostgreSQL needs [database], which says where that is".to_owned(),
                    ));
                }
            };
            location.map_err(|error| refuse(at, error.to_string()))
        };
        let mail = mail.into_iter().map(location).collect::<Result<_, _>>()?;
        let folders = raw.mail.folders.into_iter().map(|(name, text)| Ok((name, location(text)?)));
        let folders = folders.collect::<Result<_, _>>()?;

        let mut raw_listeners = raw.listener;
        if raw_listeners.is_empty() {
            raw_listeners.push(Spanned::new(0..0, RawListener::default()));
        }
        let mut listeners: Vec<Listener> = Vec::with_capacity(raw_listeners.len());
        for raw in raw_listeners {
            let begin = raw.span().start;
            let listener = raw.into_inner().check(begin, folder).map_err(|(at, what)| refuse(at, what))?;
            let endpoint = &listener.endpoint;
            // A client that comes there would meet the policy of the first.
            if listeners.iter().any(|other| other.endpoint == *endpoint) {
                let what = format!("{endpoint} is another [[listener]]'s already; give this one its own");
                return Err(refuse(begin, what));
            }
            listeners.push(listener);
        }
        let delivery = raw.delivery.check(&hostname, folder).map_err(|(at, what)| refuse(at, what))?;
        let lmtp = raw.lmtp.into_iter().map(|raw| {
            let begin = raw.span().start;
            raw.into_inner().check(begin, folder)
        });
        let lmtp = lmtp.collect::<Result<_, _>>().map_err(|(at, what)| refuse(at, what))?;
        if filter(raw.log.level.get_ref()).is_none() {
            let what =
                "log.level is error, warn, info, debug or trace, or such as \"doghouse=debug,postbox=warn\"";
            return Err(refuse(raw.log.level.span().start, what.to_owned()));
        }
        let RawAdmin { socket, mode } = raw.admin;
        let admin = socket.map(|path| Ok((folder.join(path), mode.as_ref().map_or(Ok(0o600), permissions)?)));
        let admin = admin.transpose().map_err(|(at, what)| refuse(at, what))?;
        let admin = admin.map(|(path, mode)| Endpoint::Unix { path, mode });
        let limits = raw.limits.check().map_err(|what| ConfigError::new(path, None, what))?;
        Ok(Self {
            hostname,
            user: raw.user,
            sandbox: raw.sandbox.0,
            folder: folder.to_owned(),
            listeners,
            database,
            accounts,
            passwd_file: folder.join(raw.accounts.passwd_file),
            devices_file: folder.join(raw.accounts.devices_file),
            last_use_file: folder.join(raw.accounts.last_use_file),
            remember: Duration::from_secs(raw.accounts.remember_seconds),
            mail,
            folders,
            smtp: raw.smtp.into_iter().map(|smtp| Endpoint::Tcp(smtp.address)).collect(),
            lmtp,
            delivery,
            log: Log { format: raw.log.format, level: raw.log.level.into_inner() },
            metrics: raw.metrics.address,
            admin,
            limits,
            quota: raw.quota.check().map_err(|(at, what)| refuse(at, what))?,
        })
    }
}

/// This machine's own name, if it can stand in a greeting.
fn machine_name() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    if is_host(&name) { name.into_owned() } else { "localhost".to_owned() }
}

/// RFC 937's `<host>`, of a length that leaves room in a line.
fn is_host(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 64 && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/doghouse/doghouse.toml")).map_err(|error| error.to_string())
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = parse("").unwrap();
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.listeners[0].endpoint.to_string(), "127.0.0.1:1109");
        assert_eq!(config.passwd_file, Path::new("/etc/doghouse/users"));
        assert_eq!(config.mail[0].base(), Some(Path::new("/etc/doghouse/mail")));
        assert!(is_host(&config.hostname));
    }

    #[test]
    fn everything_can_be_said() {
        let config = parse(
            r#"
            hostname = "dog-house.example"
            user = "doghouse"
            sandbox = false
            [[listener]]
            address = "[::1]:0"
            cleartext_from = ["192.168.7.0/24", "fd00::/8"]
            proxy_from = ["192.168.8.1/32"]
            certificate = "cert.pem"
            key = "/etc/ssl/private/key.pem"
            [[listener]]
            socket = "pop2.sock"
            mode = "0600"
            [accounts]
            source = "files"
            passwd_file = "/etc/dovecot/users"
            devices_file = "devs"
            last_use_file = "/var/lib/doghouse/last-use"
            remember_seconds = 0
            [mail]
            default = ["maildir:/var/spool/{user}", "maildir:/home/{user}/Maildir"]
            [mail.folders]
            "/usr/spool/mail/{user}" = "mbox:/var/mail/{user}"
            [[smtp]]
            address = "127.0.0.1:25"
            [[lmtp]]
            socket = "lmtp.sock"
            mode = "0600"
            [[lmtp]]
            address = "127.0.0.1:24"
            [delivery]
            domains = ["Dog-House.example", "bone.example"]
            aliases = "aliases"
            recipient_delimiter = "-"
            make_folders = true
            max_octets = 1000
            max_recipients = 3
            [log]
            format = "json"
            level = "doghouse=debug,postbox=warn"
            [metrics]
            address = "127.0.0.1:9109"
            [admin]
            socket = "admin.sock"
            mode = "0660"
            [limits]
            mail_sessions = 5
            mail_sessions_per_address = 2
            mail_idle_seconds = 9
            sessions = 7
            sessions_per_address = 4
            sessions_per_account = 2
            login_failures = 1
            login_delay_seconds = 8
            login_seconds = 5
            idle_seconds = 60
            shutdown_seconds = 3
            "#,
        )
        .unwrap();
        let [listener, socket] = config.listeners.as_slice() else { panic!("{:?}", config.listeners) };
        let tls = listener.tls.as_ref().unwrap();
        assert_eq!(tls.certificate, Path::new("/etc/doghouse/cert.pem"));
        assert_eq!(tls.key, Path::new("/etc/ssl/private/key.pem"));
        assert!(listener.is_proxy(Peer::at("::ffff:192.168.8.1".parse().unwrap())));
        assert!(
            !listener.is_proxy(Peer::at("192.168.8.2".parse().unwrap())) && !listener.is_proxy(Peer::Local)
        );
        let path = "/etc/doghouse/pop2.sock".into();
        assert_eq!(socket.endpoint, Endpoint::Unix { path, mode: 0o600 });
        assert_eq!((config.hostname.as_str(), config.mail.len()), ("dog-house.example", 2));
        assert_eq!(config.passwd_file, Path::new("/etc/dovecot/users"));
        assert_eq!(config.devices_file, Path::new("/etc/doghouse/devs"));
        assert_eq!(config.last_use_file, Path::new("/var/lib/doghouse/last-use"));
        assert_eq!(config.limits.sessions, 7);
        assert_eq!((config.limits.sessions_per_address, config.limits.sessions_per_account), (4, 2));
        assert_eq!((config.limits.login_failures, config.limits.login_delay), (1, Duration::from_secs(8)));
        assert_eq!((config.limits.mail_sessions, config.limits.mail_sessions_per_address), (5, 2));
        assert_eq!(config.folders[0].0, "/usr/spool/mail/{user}");
        assert_eq!(config.smtp, [Endpoint::Tcp("127.0.0.1:25".parse().unwrap())]);
        assert_eq!(config.lmtp[0], Endpoint::Unix { path: "/etc/doghouse/lmtp.sock".into(), mode: 0o600 });
        assert_eq!(config.delivery.domains, ["dog-house.example", "bone.example"]);
        assert_eq!(config.delivery.aliases.as_deref(), Some(Path::new("/etc/doghouse/aliases")));
        let level = "doghouse=debug,postbox=warn".to_owned();
        assert_eq!(config.log, Log { format: Format::Json, level });
        assert_eq!(config.metrics, Some("127.0.0.1:9109".parse().unwrap()));
        let path = "/etc/doghouse/admin.sock".into();
        assert_eq!(config.admin, Some(Endpoint::Unix { path, mode: 0o660 }));
        assert_eq!((config.user.as_deref(), config.sandbox), (Some("doghouse"), false));
        assert_eq!((config.delivery.delimiter, config.delivery.max_octets), (Some('-'), 1000));
        assert!(config.delivery.make_folders);
        assert_eq!(config.limits.idle, Duration::from_mins(1));
    }

    #[test]
    fn accounts_are_in_files_or_in_the_database() {
        assert!(matches!(parse("").unwrap().accounts, AccountsIn::Files));
        let database = "[database]\nconnect = 'host=/run'\nobjects = 'file:x'\n[accounts]\n";
        assert!(matches!(parse(database).unwrap().accounts, AccountsIn::Files));
        let config = parse(&format!("{database}source = 'database'")).unwrap();
        assert!(matches!(config.accounts, AccountsIn::Database(_)));
    }

    #[test]
    fn decision_28_cleartext_from_loopback_and_listed_networks_only() {
        let listener = parse("[[listener]]\ncleartext_from = ['192.168.7.0/24', 'fd00::/8']")
            .unwrap()
            .listeners
            .remove(0);
        for (client, allowed) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.168.7.9", true),
            ("::ffff:192.168.7.9", true),
            ("192.168.8.9", false),
            ("10.0.0.1", false),
            ("fd12::1", true),
            ("2001:db8::1", false),
        ] {
            let client = Peer::at(client.parse().unwrap());
            assert_eq!(listener.allows_cleartext(client), allowed, "{client}");
        }
        assert!(listener.allows_cleartext(Peer::Local));
    }

    #[test]
    fn an_error_names_place_and_remedy_in_one_line() {
        for (text, expected) in [
            (
                "[[listener]]\nadress = '127.0.0.1:1'",
                ":2:1: unknown key \"adress\"; did you mean \"address\"?",
            ),
            ("[mial]\n", ":1:2: unknown key \"mial\"; did you mean \"mail\"?"),
            (
                "'a`b\tc' = 1",
                ":1:1: unknown key \"a`b\\tc\"; there are hostname, user, sandbox, listener, database, accounts, mail, smtp, lmtp, delivery, quota, limits, log, metrics, admin",
            ),
            (
                "woof = 1",
                ":1:1: unknown key \"woof\"; there are hostname, user, sandbox, listener, database, accounts, mail, smtp, lmtp, delivery, quota, limits, log, metrics, admin",
            ),
            ("\nhostname = 'dog house'", ":2:12: hostname is letters"),
            (
                "[mail]\ndefault = ['imap:x']",
                ":2:12: \"imap:x\" is no place for mail; write a kind (maildir, mbox, mh, mtx)",
            ),
            ("[mail]\ndefault = ['maildir:/var/mail']", ":2:12: \"maildir:/var/mail\" names the same place"),
            ("[mail]\ndefault = []", ":2:11: mail.default needs at least one place"),
            (
                "[[listener]]\naddress = 'localhost'",
                ":2:11: invalid socket address syntax: write address and port, such as \"127.0.0.1:1109\"",
            ),
            (
                "[[listener]]\ncleartext_from = ['10.0.0.1']",
                ":2:19: invalid IP address syntax: write networks",
            ),
            ("[listener]\n", ":1:1: invalid type: map, expected a sequence: write [[listener]]"),
            ("[limits]\nsessions = 0", ": a number of sessions in limits is at least 1"),
            ("[[lmtp]]\n", ":1:1: an [[lmtp]] has an address, or a socket"),
            ("[[listener]]\nsocket = 'x'\naddress = '127.0.0.1:1'", ":1:1: write either address, or socket"),
            (
                "[[listener]]\n[[listener]]\naddress = '[::1]:0'\n[[listener]]\naddress = '127.0.0.1:1109'",
                ":4:1: 127.0.0.1:1109 is another [[listener]]'s already",
            ),
            ("[[listener]]\nmode = '0600'", ":1:1: write either address, or socket"),
            ("[[listener]]\nkey = 'x'", ":1:1: for TLS write both certificate and key"),
            ("[[lmtp]]\nsocket = 'x'\nmode = '9'", ":3:8: mode is written in octal"),
            ("[delivery]\ndomains = ['a b']", ":2:12: a domain is letters"),
            ("[delivery]\nrecipient_delimiter = '++'", ":2:23: recipient_delimiter is one character"),
            ("[delivery]\nmax_octets = 0", ":2:14: max_octets is at least 1"),
            ("[limits]\nidle_seconds = 99999999999", ": a time in limits is at most a year"),
            ("[log]\nlevel = 'woof'", ":2:9: log.level is error, warn"),
            ("[log]\nformat = 'xml'", ":2:10: unknown variant `xml`"),
            ("[admin]\nsocket = 'x'\nmode = 'rw'", ":3:8: mode is written in octal"),
            ("[mail]\ndefault = ['postgres:{user}']", ":2:12: a place in PostgreSQL needs [database]"),
            (
                "[accounts]\nsource = 'database'",
                ":2:10: accounts in a database need [database], which says where that is",
            ),
            ("[accounts]\nsource = 'ldap'", ":2:10: unknown variant `ldap`, expected `files` or `database`"),
            ("[database]\n", ":1:1: missing field `connect`"),
            (
                "[database]\nconnect = 'host=/run'\nobjects = '/srv'",
                ":3:11: write where large messages are: \"s3://bucket/prefix\"",
            ),
            (
                "[database]\nconnect = 'hast=/run'\nobjects = 'file:x'",
                ":2:11: cannot read how to connect to the database: invalid connection string",
            ),
            (
                "[database]\nconnect = 'dbname=x'\nobjects = 'file:x'",
                ":2:11: cannot read how to connect to the database: it names no host",
            ),
            (
                "[database]\nconnect = 'host=x'\nobjects = 'file:x'\n[mail]\ndefault = ['postgres:mail']",
                ":5:12: \"mail\" names the same place for every account",
            ),
            (
                "[database]\nconnect = 'host=x'\nobjects = 's3://x'\n[database.s3]\naccess_key = 'x'",
                ":4:1: write both access_key and secret_key_file",
            ),
            (
                "[database]\nconnect = 'host=x'\nobjects = 'file:x'\nquery_seconds = 0",
                ":4:17: a time in database is from 1 to 3600 seconds",
            ),
            ("hostname = ", ":1:12: "),
        ] {
            let error = refused(text);
            let expected = format!("/etc/doghouse/doghouse.toml{expected}");
            assert!(error.starts_with(&expected), "{error:?} should begin {expected:?}");
            assert!(!error.contains('\n'));
        }
    }

    #[test]
    fn a_missing_file_says_how_to_name_another() {
        let error = Config::load(Path::new("/nowhere/doghouse.toml")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/doghouse.toml: cannot read the configuration: "), "{error}");
    }
}
