//! Where a client is.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;

/// Where a client is, as far as the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// On this machine: it came by a socket in the file system.
    Local,
    /// At an address, which is the one that a listed proxy has told where there is one between.
    At(IpAddr),
}

/// Addresses that one party is taken to have together: one of IPv4, or a /64 of IPv6, of which each network has at
/// least one to itself (RFC 4291, 2.5.4). All of this machine's sockets are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block(Peer);

impl Peer {
    /// A client at an address; one of IPv4 that is written as one of IPv6 is the former.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::At(address.to_canonical())
    }

    /// Whether it is on this machine, so that what it says crosses no network.
    #[must_use]
    pub fn is_here(self) -> bool {
        match self {
            Self::Local => true,
            Self::At(address) => address.is_loopback(),
        }
    }

    /// The address, where there is one.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::At(address) => Some(address),
        }
    }

    /// Whether it is at an address of one of these networks.
    #[must_use]
    pub fn is_in(self, networks: &[IpNet]) -> bool {
        self.address().is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
    }

    /// What it is counted by.
    #[must_use]
    pub fn block(self) -> Block {
        const NETWORK: u128 = !0 << 64;
        Block(match self {
            Self::At(IpAddr::V6(address)) if !address.is_loopback() => {
                Self::At(Ipv6Addr::from_bits(address.to_bits() & NETWORK).into())
            }
            other => other,
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_party_are_one_block() {
        let block = |address: &str| Peer::at(address.parse().unwrap()).block();
        assert_eq!(block("2001:db8:1:2:3::4"), block("2001:db8:1:2:ffff::"));
        assert_ne!(block("2001:db8:1:2::"), block("2001:db8:1:3::"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
        assert_ne!(block("192.0.2.1"), block("192.0.2.2"));
        assert_ne!(block("::1"), block("::2"));
    }
}
