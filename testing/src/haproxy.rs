//! `HAProxy`.

use std::{collections::BTreeMap, fmt::Write as _, fs, net::SocketAddr};

use crate::{programs, supervised::Supervised};

/// A private `HAProxy` that passes TCP on.
///
/// A connection that a backend refuses is tried at the next one. One that is silent is kept for ten minutes.
#[derive(Debug)]
pub struct Haproxy {
    /// Kept, since dropping it ends the server.
    _supervised: Supervised,
    addresses: BTreeMap<String, SocketAddr>,
}

/// One address at which a [`Haproxy`] listens, and where it passes connections on to, each backend in its turn.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    /// What [`Haproxy::address`] calls it.
    pub name: &'a str,
    /// Where the connections go.
    pub backends: &'a [SocketAddr],
    /// Whether each begins with a PROXY header of version 2, those that only look whether the backend is there as well.
    pub proxy: bool,
    /// Whether it looks every 200 ms which backends are there; it leaves out one that twice was not.
    pub check: bool,
}

impl Haproxy {
    /// A new one, with these frontends at free ports of 127.0.0.1.
    #[must_use]
    pub fn start(fronts: &[Front<'_>]) -> Self {
        let haproxy = programs::program("haproxy", "haproxy");
        let mut tries = 0;
        loop {
            tries += 1;
            let addresses: BTreeMap<String, SocketAddr> =
                fronts.iter().map(|front| (front.name.to_owned(), programs::free_port())).collect();
            assert_eq!(addresses.len(), fronts.len(), "each frontend has a name of its own");
            let supervised = Supervised::new(include_str!("haproxy.sh"), &[haproxy.as_os_str()]);
            fs::write(supervised.folder().join("haproxy.cfg"), configuration(fronts, &addresses)).unwrap();
            match supervised.order("start") {
                Ok(()) => return Self { _supervised: supervised, addresses },
                // Somebody has taken a port meanwhile, or two frontends were given the same.
                Err(said) if tries < 5 && said.contains("bind socket") => {}
                Err(said) => panic!("HAProxy does not start: {said}"),
            }
        }
    }

    /// Where a frontend listens.
    #[must_use]
    pub fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }
}

fn configuration(fronts: &[Front<'_>], addresses: &BTreeMap<String, SocketAddr>) -> String {
    // Without `noreuseport` two of them could listen at the same port. Where fewer files may be open than it asks for,
    // it takes fewer connections.
    let mut text = "global
    maxconn 10000
    noreuseport
    no strict-limits
defaults
    mode tcp
    balance roundrobin
    retries 3
    option redispatch 1
    timeout connect 2s
    timeout client 10m
    timeout server 10m
"
    .to_owned();
    for front in fronts {
        writeln!(text, "listen {}\n    bind {}", front.name, addresses[front.name]).unwrap();
        for (at, backend) in front.backends.iter().enumerate() {
            let proxy = if front.proxy { " send-proxy-v2" } else { "" };
            let check = if front.check { " check inter 200ms fall 2 rise 1" } else { "" };
            writeln!(text, "    server {}-{at} {backend}{proxy}{check}", front.name).unwrap();
        }
    }
    text
}
