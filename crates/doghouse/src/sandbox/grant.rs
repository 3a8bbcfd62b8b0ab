//! The places that a configuration needs.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use postbox::{
    Location,
    postgres::{ObjectsAt, S3, Settings},
};

use crate::{
    accounts::Accounts,
    config::{AccountsIn, Config, Endpoint},
};

/// What the system tells of itself, which the server reads: connections that are slow, locks left behind, its share of
/// the processors.
const SYSTEM: [&str; 2] = ["/proc", "/sys/fs/cgroup"];

/// Places that a process may use, with all below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
    /// Of a server that calls a database and an object store.
    calls: Option<Vec<u16>>,
}

/// Where a name's addresses, and the authorities that this system trusts, are found.
const NETWORK: [&str; 4] =
    ["/etc", "/run/systemd/resolve", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"];

/// Where names are asked for by TCP.
const DOMAIN: u16 = 53;

impl Grant {
    /// What a configuration needs: its own folder and those of its files to read; mail, sockets, the note of devices
    /// and temporary files to write. Of accounts in a database, of which there may be any number, nothing is asked.
    #[must_use]
    pub fn of(config: &Config, accounts: &Accounts) -> Self {
        let mut grant = Self::of_configuration(config);
        let all_in_homes = mail(config).any(Location::is_in_home);
        for fields in accounts.fields_at_hand() {
            if all_in_homes || fields.mail.as_ref().is_some_and(Location::is_in_home) {
                grant.writes.extend(fields.home.as_deref().map(of_home));
            }
            grant.writes.extend(fields.mail.as_ref().and_then(Location::base).map(nearest));
        }
        grant.tidy()
    }

    /// The same without what the users' own fields add.
    #[must_use]
    pub fn of_configuration(config: &Config) -> Self {
        let in_files = matches!(config.accounts, AccountsIn::Files);
        let files = [&config.passwd_file, &config.devices_file].into_iter().filter(|_| in_files);
        let pairs = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let pairs = pairs.flat_map(|pair| [&pair.certificate, &pair.key]);
        let files = files.chain(&config.delivery.aliases).chain(pairs);
        // A file is replaced by another of its name, so its folder is what counts; and that of the file itself, where
        // the name is a link.
        let folders = files.flat_map(|file| [file.clone(), file.canonicalize().unwrap_or_default()]);
        let folders = folders.filter_map(|file| file.parent().map(nearest));
        let system = SYSTEM.iter().map(PathBuf::from).filter(|place| place.exists());
        let reads = folders.chain([nearest(&config.folder)]).chain(system).collect();

        let mail = mail(config).filter_map(Location::base).map(nearest);
        let endpoints = config.listeners.iter().map(|listener| &listener.endpoint);
        let endpoints = endpoints.chain(&config.lmtp).chain(&config.admin);
        let sockets = endpoints.filter_map(|endpoint| match endpoint {
            Endpoint::Unix { path, .. } => path.parent().map(nearest),
            Endpoint::Tcp(_) => None,
        });
        let notes = config.last_use_file.parent().filter(|_| in_files).map(nearest);
        let writes = mail
            .chain(sockets)
            .chain(notes)
            .chain([nearest(&std::env::temp_dir()), nearest(Path::new("/tmp"))]);
        let mut grant = Self { reads, writes: writes.collect(), calls: None };
        if let Some(database) = &config.database {
            grant.call(database.settings());
        }
        grant.tidy()
    }

    /// Adds what a database and its object store need.
    fn call(&mut self, settings: &Settings) {
        let secret = match &settings.objects {
            ObjectsAt::S3(S3 { key: Some((_, secret)), .. }) => Some(secret),
            ObjectsAt::S3(_) | ObjectsAt::Memory => None,
            ObjectsAt::Folder(folder) => {
                self.writes.push(nearest(folder));
                None
            }
        };
        let files = settings.password_file.iter().chain(&settings.ca_file).chain(secret);
        self.reads.extend(files.filter_map(|file| file.parent().map(nearest)));
        self.reads.extend(NETWORK.iter().map(PathBuf::from).filter(|place| place.exists()));
        self.calls = Some(ports(settings));
    }

    /// Whether anything may be called at all.
    #[must_use]
    pub fn calls_others(&self) -> bool {
        self.calls.is_some()
    }

    /// The ports of other machines that may be called.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        self.calls.as_deref().unwrap_or_default()
    }

    /// What may be read.
    #[must_use]
    pub fn reads(&self) -> &[PathBuf] {
        &self.reads
    }

    /// What may be read and written.
    #[must_use]
    pub fn writes(&self) -> &[PathBuf] {
        &self.writes
    }

    /// A place, or a port, that is wanted and not granted.
    #[must_use]
    pub fn lacks(&self, wanted: &Self) -> Option<String> {
        let is_in =
            |granted: &[PathBuf], place: &Path| granted.iter().any(|granted| place.starts_with(granted));
        let reads =
            wanted.reads.iter().filter(|place| !is_in(&self.reads, place) && !is_in(&self.writes, place));
        let writes = wanted.writes.iter().filter(|place| !is_in(&self.writes, place));
        let place = reads.chain(writes).next().map(|place| place.display().to_string());
        let port = wanted.ports().iter().find(|port| !self.ports().contains(port));
        let port = port.map(|port| format!("port {port} of other machines"));
        let call = (wanted.calls_others() && !self.calls_others()).then(|| "the database".to_owned());
        place.or(port).or(call)
    }

    /// Each place once, and none that lies in another. To write, the root folder is not granted: that would be all
    /// there is, for the sake of a folder that is not there.
    fn tidy(mut self) -> Self {
        fn outermost(places: &mut Vec<PathBuf>) {
            places.sort();
            places.dedup_by(|place, before| place.starts_with(&*before));
        }
        self.writes.retain(|place| place != "/");
        outermost(&mut self.writes);
        self.reads.retain(|place| !self.writes.iter().any(|written| place.starts_with(written)));
        outermost(&mut self.reads);
        self
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |places: &[PathBuf]| {
            let shown: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            shown.join(", ")
        };
        write!(f, "reads {}; writes {}; calls ", list(self.reads()), list(self.writes()))?;
        match &self.calls {
            None => f.write_str("nobody"),
            Some(ports) if ports.is_empty() => f.write_str("this machine's sockets"),
            Some(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(f, "ports {}", ports.join(", "))
            }
        }
    }
}

/// For the mail in a home: the folder above, since a home that is made later is beside those that are there; but
/// itself where that is the root folder.
fn of_home(home: &Path) -> PathBuf {
    let above = home.parent().filter(|above| above.parent().is_some());
    nearest(above.unwrap_or(home))
}

/// The ports by which a database and its object store are reached; none where both are on this machine.
fn ports(settings: &Settings) -> Vec<u16> {
    let mut ports = settings.ports();
    if let ObjectsAt::S3(S3 { endpoint, key, .. }) = &settings.objects {
        ports.push(endpoint.as_deref().map_or(HTTPS, port_of));
        if key.is_none() {
            // Where a machine in a cloud asks who it is.
            ports.push(HTTP);
        }
    }
    if !ports.is_empty() {
        ports.push(DOMAIN);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The port of a URL.
fn port_of(url: &str) -> u16 {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or_default();
    // Colons within brackets are an address's own.
    let port =
        host.rsplit(']').next().and_then(|end| end.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(if scheme == "http" { HTTP } else { HTTPS })
}

/// Where everybody's mail is.
fn mail(config: &Config) -> impl Iterator<Item = &Location> {
    config.mail.iter().chain(config.folders.iter().map(|(_, place)| place))
}

/// The folder nearest to a path that is there: what is made later is made in it.
fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|above| above.is_dir());
    let there = there.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As it is without links, since it is the place that is granted and not the name.
    there.canonicalize().unwrap_or_else(|_| there.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_those_of_database_and_object_store() {
        for (url, port) in [
            ("https://s3.example", 443),
            ("http://127.0.0.1:9000/", 9000),
            ("http://s3.example/x:1", 80),
            ("https://[::1]:9443", 9443),
            ("https://[2001:db8::1]", 443),
        ] {
            assert_eq!(port_of(url), port, "{url}");
        }
        let of = |database: &str| {
            let text = format!("[database]\n{database}\n");
            let config = Config::parse(&text, Path::new("/etc/doghouse/doghouse.toml")).unwrap();
            Grant::of_configuration(&config)
        };
        let near = of("connect = 'host=/run/postgresql'\nobjects = 'file:objects'");
        assert!(near.calls_others() && near.ports().is_empty());
        let far = of("connect = 'postgresql://a.example:5433,b.example:5434/x'\nobjects = 's3://mail'");
        assert_eq!(far.ports(), [53, 80, 443, 5433, 5434]);
        assert_eq!(near.lacks(&far).as_deref(), Some("port 53 of other machines"));
        assert_eq!(far.lacks(&far), None);
    }
}
