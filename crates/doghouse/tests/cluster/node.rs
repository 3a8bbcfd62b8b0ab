//! A server that is killed, and comes back where it was.

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    USERS,
    common::{Daemon, House, site::Site},
};

pub(crate) struct Node {
    house: House,
    daemon: Option<Daemon>,
    pub(crate) pop2: SocketAddr,
    pub(crate) lmtp: SocketAddr,
}

/// An address that is free, and stays so as far as nobody wants the same.
fn free() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

impl Node {
    pub(crate) fn start(site: &Site) -> Self {
        let (pop2, lmtp) = (free(), free());
        let house = site.house(&format!(
            "[limits]\nsessions_per_address = 100\nmail_sessions_per_address = 100\nlogin_failures = 1000\n\
             [log]\nlevel = 'warn,doghouse::daemon=info'\n\
             [[listener]]\naddress = '{pop2}'\n[[lmtp]]\naddress = '{lmtp}'\n"
        ));
        let users: Vec<String> = (0..USERS).map(|user| format!("u{user}:{{PLAIN}}bone{user}")).collect();
        std::fs::write(house.path().join("users"), users.join("\n") + "\n").unwrap();
        let daemon = Some(house.serve());
        Self { house, daemon, pop2, lmtp }
    }

    /// With no warning; it is away for a moment.
    pub(crate) fn kill_and_start_again(&mut self) {
        // Dropping it kills it.
        drop(self.daemon.take());
        thread::sleep(Duration::from_millis(700));
        self.daemon = Some(self.house.serve());
    }

    pub(crate) fn pause(&self, how_long: Duration) {
        let daemon = self.daemon.as_ref().unwrap();
        daemon.signal(Signal::STOP);
        thread::sleep(how_long);
        daemon.signal(Signal::CONT);
    }
}
