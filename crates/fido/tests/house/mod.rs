//! A real server, with one account whose mail can be changed.

use std::{fs, net::SocketAddr, path::PathBuf};

use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use tempfile::TempDir;

pub(crate) struct House {
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
    _daemon: Daemon,
    pub(crate) address: SocketAddr,
}

impl House {
    /// Serves fido, whose password is bone.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("mail/fido/new")).unwrap();
        fs::write(folder.path().join("users"), "fido:{PLAIN}bone\n").unwrap();
        let text = "[[listener]]\naddress = '127.0.0.1:0'\n";
        let config = Config::parse(text, &folder.path().join("x.toml")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let daemon = {
            let _within = runtime.enter();
            let doors = Doors::open(&config, Handed::default()).unwrap();
            Daemon::start(config, doors, None).unwrap()
        };
        let address = daemon.addresses()[0];
        Self { folder, _runtime: runtime, _daemon: daemon, address }
    }

    fn place(&self, number: usize) -> PathBuf {
        self.folder.path().join("mail/fido/new").join(format!("{}.x.host", 1_700_000_000 + number))
    }

    pub(crate) fn put(&self, number: usize, message: &str) {
        fs::write(self.place(number), message).unwrap();
    }

    pub(crate) fn remove(&self, number: usize) {
        fs::remove_file(self.place(number)).unwrap();
    }

    /// How many messages are on the server.
    pub(crate) fn left(&self) -> usize {
        fs::read_dir(self.folder.path().join("mail/fido/new")).unwrap().count()
    }
}
