//! The configuration file.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use postbox::Location;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    logging::{Format, filter},
    quota::Quota,
};

mod delivery;
mod endpoint;
mod listener;

pub use delivery::Delivery;
use delivery::{RawDelivery, RawLmtp, RawQuota, RawSmtp};
pub use endpoint::Endpoint;
use endpoint::permissions;
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
    /// The users and their passwords.
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

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What lines look like, and where they go.
    pub format: Format,
    /// How much, unless the environment says.
    pub level: String,
}

/// What bounds a session, and all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: usize,
    /// The same, from one address.
    pub sessions_per_address: usize,
    /// The same, of one account.
    pub sessions_per_account: usize,
    /// How long a client may take to log in.
    pub login: Duration,
    /// How many failed logins cost nothing.
    pub login_failures: u32,
    /// How long a login waits at most for those that failed before it.
    pub login_delay: Duration,
    /// T2: how long a client that has logged in may be silent.
    pub idle: Duration,
    /// Sessions in which mail comes in, at once.
    pub mail_sessions: usize,
    /// The same, from one address.
    pub mail_sessions_per_address: usize,
    /// How long whoever delivers may be silent.
    pub mail_idle: Duration,
    /// How long sessions may go on when the server is told to stop.
    pub shutdown: Duration,
}

/// Why a configuration is not taken. It shows itself in one line that names the place and the remedy.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong, and where in the text it begins.
type Fault = (usize, String);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    hostname: Option<Spanned<String>>,
    user: Option<String>,
    sandbox: Sandbox,
    listener: Vec<Spanned<RawListener>>,
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAccounts {
    passwd_file: PathBuf,
    devices_file: PathBuf,
    last_use_file: PathBuf,
    remember_seconds: u64,
}

impl Default for RawAccounts {
    fn default() -> Self {
        Self {
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    sessions: u32,
    sessions_per_address: u32,
    sessions_per_account: u32,
    login_seconds: u64,
    login_failures: u32,
    login_delay_seconds: u64,
    idle_seconds: u64,
    mail_sessions: u32,
    mail_sessions_per_address: u32,
    mail_idle_seconds: u64,
    shutdown_seconds: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            sessions: 2_000,
            sessions_per_address: 50,
            sessions_per_account: 20,
            login_seconds: 60,
            login_failures: 3,
            login_delay_seconds: 30,
            idle_seconds: 600,
            mail_sessions: 200,
            mail_sessions_per_address: 20,
            mail_idle_seconds: 300,
            shutdown_seconds: 10,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.to_owned(),
            at: None,
            what: format!("cannot read the configuration: {error}; name another with --config FILE"),
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file; relative paths start from the folder of `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError {
            path: path.to_owned(),
            at: error.span().map(|span| line_and_column(text, span.start)),
            what: explain(error.message()),
        })?;
        let refuse = |at: usize, what: String| ConfigError {
            path: path.to_owned(),
            at: Some(line_and_column(text, at)),
            what,
        };
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
        let location = |text: Spanned<String>| {
            Location::parse(text.get_ref(), folder)
                .map_err(|error| refuse(text.span().start, error.to_string()))
        };
        let mail = mail.into_iter().map(location).collect::<Result<_, _>>()?;
        let folders = raw.mail.folders.into_iter().map(|(name, text)| Ok((name, location(text)?)));
        let folders = folders.collect::<Result<_, _>>()?;

        let mut listeners = raw.listener;
        if listeners.is_empty() {
            listeners.push(Spanned::new(0..0, RawListener::default()));
        }
        let listeners = listeners.into_iter().map(|raw| {
            let begin = raw.span().start;
            raw.into_inner().check(begin, folder)
        });
        let listeners = listeners.collect::<Result<_, _>>().map_err(|(at, what)| refuse(at, what))?;
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
        let limits = raw.limits;
        if let Some(what) = limits.fault() {
            return Err(ConfigError { path: path.to_owned(), at: None, what: what.to_owned() });
        }
        Ok(Self {
            hostname,
            user: raw.user,
            sandbox: raw.sandbox.0,
            folder: folder.to_owned(),
            listeners,
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
            quota: raw.quota.check().map_err(|(at, what)| refuse(at, what))?,
            limits: Limits {
                sessions: limits.sessions as usize,
                sessions_per_address: limits.sessions_per_address as usize,
                sessions_per_account: limits.sessions_per_account as usize,
                login: Duration::from_secs(limits.login_seconds),
                login_failures: limits.login_failures,
                login_delay: Duration::from_secs(limits.login_delay_seconds),
                idle: Duration::from_secs(limits.idle_seconds),
                mail_sessions: limits.mail_sessions as usize,
                mail_sessions_per_address: limits.mail_sessions_per_address as usize,
                mail_idle: Duration::from_secs(limits.mail_idle_seconds),
                shutdown: Duration::from_secs(limits.shutdown_seconds),
            },
        })
    }
}

impl RawLimits {
    /// A limit beyond which a clock cannot count, or under which nobody is served.
    fn fault(&self) -> Option<&'static str> {
        const YEAR: u64 = 366 * 24 * 60 * 60;
        let waits = [self.login_seconds, self.idle_seconds, self.mail_idle_seconds];
        let times = waits.into_iter().chain([self.shutdown_seconds, self.login_delay_seconds]);
        let sessions = [self.sessions, self.sessions_per_address, self.sessions_per_account];
        if sessions
            .into_iter()
            .chain([self.mail_sessions, self.mail_sessions_per_address])
            .any(|most| most == 0)
        {
            Some("a number of sessions in limits is at least 1")
        } else if waits.contains(&0) {
            Some("limits.login_seconds, idle_seconds and mail_idle_seconds are at least 1")
        } else if times.into_iter().any(|seconds| seconds > YEAR) {
            Some("a time in limits is at most a year")
        } else {
            None
        }
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

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// What to write instead, where the parser only says what is wrong.
const HINTS: [(&str, &str); 3] = [
    ("socket address", ": write address and port, such as \"127.0.0.1:1109\""),
    ("IP address", ": write networks, such as \"192.168.7.0/24\""),
    ("invalid type: map, expected a sequence", ": write [[listener]], with two brackets"),
];

/// The parser's message in one line, with the nearest valid name where a key is unknown.
fn explain(message: &str) -> String {
    // The key comes first and may hold anything, back quotes too; the valid names come last.
    let unknown_field =
        message.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "));
    let Some((unknown, expected)) = unknown_field else {
        let message = message.trim().replace('\n', "; ");
        let hint = HINTS.iter().find(|(part, _)| message.contains(part)).map_or("", |(_, hint)| hint);
        return message + hint;
    };
    let valid: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = valid
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= 3 && *distance * 2 <= unknown.chars().count());
    match nearest {
        Some((_, name)) => format!("unknown key {unknown:?}; did you mean {name:?}?"),
        None => format!("unknown key {unknown:?}; there are {}", valid.join(", ")),
    }
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
                ":1:1: unknown key \"a`b\\tc\"; there are hostname, user, sandbox, listener, accounts, mail, smtp, lmtp, delivery, quota, limits, log, metrics, admin",
            ),
            (
                "woof = 1",
                ":1:1: unknown key \"woof\"; there are hostname, user, sandbox, listener, accounts, mail, smtp, lmtp, delivery, quota, limits, log, metrics, admin",
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
