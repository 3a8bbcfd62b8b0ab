//! The places that a configuration needs.

use std::path::{Path, PathBuf};

use postbox::Location;

use super::nearest;
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
        for name in accounts.names() {
            let fields = accounts.fields(&name).unwrap_or_default();
            // Not the home itself: one that is made later is beside those that are there.
            grant.writes.extend(fields.home.as_deref().and_then(Path::parent).map(nearest));
            grant.writes.extend(fields.mail.as_ref().and_then(Location::base).map(nearest));
        }
        grant.tidy()
    }

    fn of_configuration(config: &Config) -> Self {
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

        let mail = config.mail.iter().chain(config.folders.iter().map(|(_, place)| place));
        let mail = mail.filter_map(Location::base).map(nearest);
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
        Self { reads, writes: writes.collect() }
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

    /// A place that another configuration needs and that is not granted.
    #[must_use]
    pub fn lacks(&self, config: &Config) -> Option<PathBuf> {
        let wanted = Self::of_configuration(config);
        let is_in =
            |granted: &[PathBuf], place: &Path| granted.iter().any(|granted| place.starts_with(granted));
        let reads =
            wanted.reads.iter().filter(|place| !is_in(&self.reads, place) && !is_in(&self.writes, place));
        let writes = wanted.writes.iter().filter(|place| !is_in(&self.writes, place));
        reads.chain(writes).next().cloned()
    }

    /// Each place once, and none that lies in another.
    fn tidy(mut self) -> Self {
        fn outermost(places: &mut Vec<PathBuf>) {
            places.sort();
            places.dedup_by(|place, before| place.starts_with(&*before));
        }
        outermost(&mut self.writes);
        self.reads.retain(|place| !self.writes.iter().any(|written| place.starts_with(written)));
        outermost(&mut self.reads);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_needs_is_granted_and_what_a_new_one_needs_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["etc", "mail", "run", "tls", "other"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("etc/users"), "").unwrap();
        std::fs::write(at("tls/key.pem"), "").unwrap();
        std::os::unix::fs::symlink(at("tls/key.pem"), at("etc/key.pem")).unwrap();
        let config = |text: &str| {
            let root = folder.path().canonicalize().unwrap();
            let text = text.replace("ROOT", root.to_str().unwrap());
            Config::parse(&text, &at("etc/doghouse.toml")).unwrap()
        };
        let text = "accounts.last_use_file = 'ROOT/run/last-use'\n[mail]\ndefault = ['maildir:ROOT/mail/later/{user}']\n\
                    [[listener]]\nsocket = 'ROOT/run/pop2.sock'\n[[listener]]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
        let config_now = config(text);
        let accounts =
            Accounts::load(&config_now.passwd_file, &config_now.devices_file, std::time::Duration::ZERO)
                .unwrap();
        let grant = Grant::of(&config_now, &accounts);
        let temporary = nearest(&std::env::temp_dir());
        for (place, read, written) in
            [("etc", true, false), ("tls", true, false), ("mail", false, true), ("run", false, true)]
        {
            assert!(
                !written || grant.writes().contains(&at(place)) || at(place).starts_with(&temporary),
                "{place}: {grant}"
            );
            assert!(
                !read || grant.reads().contains(&at(place)) || at(place).starts_with(&temporary),
                "{place}: {grant}"
            );
        }
        assert_eq!(grant.lacks(&config_now), None);
        let narrow = Grant {
            reads: vec![at("etc"), "/proc".into(), "/sys".into()],
            writes: vec![at("mail"), at("run"), "/tmp/x".into()],
        };
        assert_eq!(
            narrow.lacks(&config(&text.replace("maildir:ROOT/mail", "maildir:ROOT/other"))),
            Some(at("tls"))
        );
    }
}
