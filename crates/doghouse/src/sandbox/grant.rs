//! The places that a configuration needs.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use postbox::Location;

use crate::{
    accounts::Accounts,
    config::{Config, Endpoint},
};

/// What the system tells of itself, which the server reads: connections that are slow, locks left behind, its share of
/// the processors.
const SYSTEM: [&str; 2] = ["/proc", "/sys/fs/cgroup"];

/// Places that a process may use, with all below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
}

impl Grant {
    /// What a configuration needs: its own folder and those of its files to read; mail, sockets, the note of devices
    /// and temporary files to write.
    #[must_use]
    pub fn of(config: &Config, accounts: &Accounts) -> Self {
        let mut grant = Self::of_configuration(config);
        let all_in_homes = mail(config).any(Location::is_in_home);
        for name in accounts.names() {
            let fields = accounts.fields(&name).unwrap_or_default();
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
        let files = [&config.passwd_file, &config.devices_file];
        let pairs = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let pairs = pairs.flat_map(|pair| [&pair.certificate, &pair.key]);
        let files = files.into_iter().chain(&config.delivery.aliases).chain(pairs);
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
        let notes = config.last_use_file.parent().map(nearest);
        let writes = mail
            .chain(sockets)
            .chain(notes)
            .chain([nearest(&std::env::temp_dir()), nearest(Path::new("/tmp"))]);
        Self { reads, writes: writes.collect() }.tidy()
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

    /// A place that is wanted and not granted.
    #[must_use]
    pub fn lacks(&self, wanted: &Self) -> Option<PathBuf> {
        let is_in =
            |granted: &[PathBuf], place: &Path| granted.iter().any(|granted| place.starts_with(granted));
        let reads =
            wanted.reads.iter().filter(|place| !is_in(&self.reads, place) && !is_in(&self.writes, place));
        let writes = wanted.writes.iter().filter(|place| !is_in(&self.writes, place));
        reads.chain(writes).next().cloned()
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
        write!(f, "reads {}; writes {}", list(self.reads()), list(self.writes()))
    }
}

/// For the mail in a home: the folder above, since a home that is made later is beside those that are there; but
/// itself where that is the root folder.
fn of_home(home: &Path) -> PathBuf {
    let above = home.parent().filter(|above| above.parent().is_some());
    nearest(above.unwrap_or(home))
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
