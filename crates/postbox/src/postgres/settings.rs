//! What has to be known of a database and its object store.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use pop2::Secret;
use tokio_postgres::config::Host;
use zeroize::Zeroizing;

use crate::error::Remote;

/// Where PostgreSQL listens.
const PORT: u16 = 5432;

/// How to get to a database, and how to use it. Files that are named here are read when the database is opened.
#[derive(Clone)]
pub struct Settings {
    /// Where it is, as libpq's words or as a URL: `host=/run/postgresql dbname=doghouse` or
    /// `postgresql://doghouse@db.example/doghouse`. Several hosts are tried in order, and one that takes no changes is
    /// passed over.
    pub connect: String,
    /// A file whose first line is the password, where one is asked for.
    pub password_file: Option<PathBuf>,
    /// A file of the authorities, in PEM, that may vouch for the server; without it, those that this system trusts.
    pub ca_file: Option<PathBuf>,
    /// The most connections at once.
    pub connections: usize,
    /// How long making a connection may take.
    pub connect_patience: Duration,
    /// How long one question to the database or the object store may take, and waiting for a connection to ask it by.
    pub patience: Duration,
    /// How long something is tried again that failed for a cause that may pass.
    pub persistence: Duration,
    /// The largest message that is kept in the database itself, in octets.
    pub inline: usize,
    /// Where larger ones are.
    pub objects: ObjectsAt,
}

impl Settings {
    /// The usual ones for a database, with large messages in `objects`.
    #[must_use]
    pub fn new(connect: impl Into<String>, objects: ObjectsAt) -> Self {
        Self {
            connect: connect.into(),
            password_file: None,
            ca_file: None,
            connections: 16,
            connect_patience: Duration::from_secs(5),
            patience: Duration::from_secs(15),
            persistence: Duration::from_secs(20),
            inline: 64 * 1024,
            objects,
        }
    }
}

impl Settings {
    /// What `connect` says. This reads no file.
    pub fn parsed(&self) -> Result<tokio_postgres::Config, SettingsError> {
        let parsed: Result<tokio_postgres::Config, _> = self.connect.parse();
        let config = parsed.map_err(|error| SettingsError::Connect(Remote(error).to_string()))?;
        if config.get_hosts().is_empty() {
            let what = "it names no host, nor a folder of sockets";
            return Err(SettingsError::Connect(what.to_owned()));
        }
        Ok(config)
    }
}

impl Settings {
    /// The TCP ports by which the database is reached; none where it is reached by a socket of this machine.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let Ok(config) = self.parsed() else { return Vec::new() };
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            return Vec::new();
        }
        if config.get_ports().is_empty() { vec![PORT] } else { config.get_ports().to_vec() }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `connect` may hold a password.
        f.debug_struct("Settings").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// Where large messages are.
#[derive(Debug, Clone)]
pub enum ObjectsAt {
    /// In memory, for tests: one store for each database that is opened.
    Memory,
    /// In a folder that all servers share.
    Folder(PathBuf),
    /// In S3, or in what speaks its protocol.
    S3(S3),
}

/// A bucket of S3.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the names of objects in it; may be empty.
    pub prefix: String,
    /// Where the server is, such as `https://s3.example`; without it, Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Who asks, and the file whose first line is the secret key; without it, what the environment or the machine's role
    /// says.
    pub key: Option<(String, PathBuf)>,
}

/// The first line of a file.
pub(super) fn secret(path: &Path) -> Result<Secret, SettingsError> {
    let fail = |cause| SettingsError::Secret { path: path.to_owned(), cause };
    let octets = Zeroizing::new(fs::read(path).map_err(fail)?);
    let line = octets.split(|octet| matches!(octet, b'\n' | b'\r')).next().unwrap_or_default();
    Ok(Secret::new(line.to_vec()))
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// What the database is reached by is not understood.
    #[error(
        "cannot read how to connect to the database: {0}; write such as \"host=/run/postgresql dbname=doghouse\" or \"postgresql://doghouse@db.example/doghouse\""
    )]
    Connect(String),
    /// The authorities cannot be had.
    #[error("cannot read the authorities in {}: {cause}; name a file of certificates in PEM", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A password or a key cannot be had.
    #[error("cannot read the secret in {}: {cause}; put it there, in a line of its own, for the server's user to read", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// TLS cannot be had.
    #[error("cannot set up TLS for the database: {0}")]
    Tls(String),
    /// The object store is not to be used as it is described.
    #[error("cannot use the object store {place}: {cause}")]
    Objects {
        /// As it was named.
        place: String,
        /// Why, and the remedy.
        cause: String,
    },
}
