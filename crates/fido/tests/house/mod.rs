//! A real server, with one account whose mail can be changed.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of this")]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use doghouse::{
    config::Config,
    daemon::{Daemon, Doors, Handed},
};
use tempfile::TempDir;

pub struct House {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    daemon: Daemon,
    pub address: SocketAddr,
}

impl House {
    /// Serves fido, whose password is bone.
    pub fn new() -> Self {
        Self::with("", |_| {})
    }

    /// The same, with more lines for its listener, after `lay_out` has put into its folder what it likes.
    pub fn with(listener: &str, lay_out: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("mail/fido/new")).unwrap();
        fs::write(folder.path().join("users"), "fido:{PLAIN}bone\n").unwrap();
        lay_out(folder.path());
        let text = format!("[[listener]]\naddress = '127.0.0.1:0'\n{listener}");
        let config = Config::parse(&text, &folder.path().join("x.toml")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let daemon = {
            let _within = runtime.enter();
            let doors = Doors::open(&config, Handed::default()).unwrap();
            Daemon::start(config, doors, None).unwrap()
        };
        let address = daemon.addresses()[0];
        Self { folder, runtime, daemon, address }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.daemon.addresses().clone()
    }

    fn new_mail(&self) -> PathBuf {
        self.path().join("mail/fido/new")
    }

    fn place(&self, number: usize) -> PathBuf {
        self.new_mail().join(format!("{}.x.host", 1_700_000_000 + number))
    }

    pub fn put(&self, number: usize, message: impl AsRef<[u8]>) {
        fs::write(self.place(number), message).unwrap();
    }

    pub fn remove(&self, number: usize) {
        fs::remove_file(self.place(number)).unwrap();
    }

    /// How many messages are on the server.
    pub fn left(&self) -> usize {
        fs::read_dir(self.new_mail()).unwrap().count()
    }

    pub fn close(self) {
        self.runtime.block_on(self.daemon.stop());
    }
}
