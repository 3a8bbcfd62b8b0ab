//! Where POP2 is spoken, and with whom: `[[listener]]`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::{Endpoint, Fault};
use crate::peer::Peer;

/// Where to listen, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port, where port 0 takes a free one, or a socket in the file system.
    pub endpoint: Endpoint,
    /// The networks, beside loopback, from which a password may come in clear.
    pub cleartext_from: Vec<IpNet>,
    /// The networks of proxies, which tell in a PROXY header where their clients are.
    pub proxy_from: Vec<IpNet>,
    /// With TLS from the first octet on.
    pub tls: Option<KeyPair>,
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, and those that lead from it to a root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Listener {
    /// Whether a password may cross the network in clear from `client` (`DECISIONS` 28).
    #[must_use]
    pub fn allows_cleartext(&self, client: Peer) -> bool {
        client.is_here() || client.is_in(&self.cleartext_from)
    }

    /// Whether `peer` is a proxy that is to tell of whom it comes.
    #[must_use]
    pub fn is_proxy(&self, peer: Peer) -> bool {
        peer.is_in(&self.proxy_from)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawListener {
    address: Option<SocketAddr>,
    socket: Option<PathBuf>,
    mode: Option<Spanned<String>>,
    cleartext_from: Vec<IpNet>,
    proxy_from: Vec<IpNet>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl RawListener {
    /// `begin` is where the table begins.
    pub(super) fn check(self, begin: usize, folder: &Path) -> Result<Listener, Fault> {
        let default = Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 1109)));
        let endpoint = Endpoint::check(begin, self.address, self.socket, self.mode.as_ref(), folder)?;
        let tls = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => {
                Some(KeyPair { certificate: folder.join(certificate), key: folder.join(key) })
            }
            (None, None) => None,
            _ => return Err((begin, "for TLS write both certificate and key".to_owned())),
        };
        Ok(Listener {
            endpoint: endpoint.unwrap_or(default),
            cleartext_from: self.cleartext_from,
            proxy_from: self.proxy_from,
            tls,
        })
    }
}
