//! HOST as it stands on the command line, and the way there.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use crate::{Exit, Failure};

/// `host`, `host:port`, or an IPv6 address, in brackets where a port follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: u16,
}

/// Why HOST cannot be a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No name.
    #[error("the name of the host is missing")]
    Empty,
    /// Something that no name of a host holds.
    #[error("a host is a name or an address, without user, path or spaces")]
    Name,
    /// A port that is none.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// A bracket without its other half, or something other than an IPv6 address in them.
    #[error("brackets stand around an IPv6 address, as in [::1]:109")]
    Brackets,
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text, pop2::PORT)
    }
}

impl Host {
    /// Reads a host whose port is `usual` where none is given.
    pub fn parse(text: &str, usual: u16) -> Result<Self, HostError> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self { name: text.to_owned(), port: usual });
        }
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (name, port) = rest.split_once(']').ok_or(HostError::Brackets)?;
            // What follows a % is a zone, as in fe80::1%eth0: the system's to read.
            let address = name.split('%').next().unwrap_or_default();
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(HostError::Brackets);
            }
            match (port, port.strip_prefix(':')) {
                ("", _) => (name, None),
                (_, Some(port)) => (name, Some(port)),
                _ => return Err(HostError::Brackets),
            }
        } else {
            text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)))
        };
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.contains(|c: char| c.is_whitespace() || c.is_control() || "@/[]\\".contains(c)) {
            return Err(HostError::Name);
        }
        Ok(Self { name: name.to_owned(), port: port.map_or(Ok(usual), parse_port)? })
    }
}

fn parse_port(digits: &str) -> Result<u16, HostError> {
    let all_digits = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|&port| all_digits && port > 0).ok_or(HostError::Port)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.name.contains(':')) {
            (pop2::PORT, _) => f.write_str(&self.name),
            (port, true) => write!(f, "[{}]:{port}", self.name),
            (port, false) => write!(f, "{}:{port}", self.name),
        }
    }
}

impl Host {
    /// Its name or address, without the port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens a connection to the first of its addresses that answers, all within `timeout`.
    pub async fn connect(&self, timeout: Duration) -> Result<TcpStream, Failure> {
        let deadline = Instant::now() + timeout;
        let silent = |_elapsed| {
            Failure::new(
                Exit::Temporary,
                format!("{self}: does not answer; try again later, or with a longer --timeout"),
            )
        };
        let looked_up = timeout_at(deadline, lookup_host((self.name.as_str(), self.port))).await;
        let addresses = looked_up.map_err(silent)?.map_err(|error| {
            Failure::new(Exit::NoHost, format!("{self}: no such host: {error}; check the name"))
        })?;
        let mut refusal = "it has no address".to_owned();
        for address in addresses {
            match timeout_at(deadline, TcpStream::connect(address)).await.map_err(silent)? {
                Ok(stream) => {
                    // What is sent in two pieces is to arrive in two; where this fails, it may not.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => refusal = error.to_string(),
            }
        }
        Err(Failure::new(
            Exit::Unavailable,
            format!("{self}: cannot connect to port {}: {refusal}; is a server running there?", self.port),
        ))
    }
}

/// Whether what is sent to `peer` may pass through networks that are everybody's.
#[must_use]
pub fn is_public(peer: SocketAddr) -> bool {
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Result<(String, u16), HostError> {
        text.parse().map(|Host { name, port }| (name, port))
    }

    #[test]
    fn the_port_is_109_unless_it_is_given() {
        for (text, name, port) in [
            ("dog-house", "dog-house", 109),
            ("dog-house.example:1109", "dog-house.example", 1109),
            ("192.0.2.1", "192.0.2.1", 109),
            ("192.0.2.1:65535", "192.0.2.1", 65535),
            ("::1", "::1", 109),
            ("[::1]", "::1", 109),
            ("[2001:db8::7]:1109", "2001:db8::7", 1109),
            ("[fe80::1%eth0]:1109", "fe80::1%eth0", 1109),
        ] {
            assert_eq!(parts(text), Ok((name.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for (text, error) in [
            ("", HostError::Empty),
            (":109", HostError::Empty),
            ("fred@dog-house", HostError::Name),
            ("pop2://dog-house", HostError::Port),
            ("dog house", HostError::Name),
            ("dog-house:", HostError::Port),
            ("dog-house:0", HostError::Port),
            ("dog-house:65536", HostError::Port),
            ("dog-house:+109", HostError::Port),
            ("dog-house:pop2", HostError::Port),
            ("[::1", HostError::Brackets),
            ("[::1]109", HostError::Brackets),
            ("[dog-house]:109", HostError::Brackets),
            ("[]:109", HostError::Brackets),
        ] {
            assert_eq!(parts(text), Err(error), "{text}");
        }
    }

    #[test]
    fn only_networks_of_ones_own_are_not_public() {
        let public = |address: &str| is_public(SocketAddr::new(address.parse().unwrap(), 109));
        for own in ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.1.1", "::1"] {
            assert!(!public(own), "{own}");
        }
        for own in ["fd00::1", "fe80::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3"] {
            assert!(!public(own), "{own}");
        }
        for other in ["192.0.2.1", "172.32.0.1", "2001:db8::1", "::ffff:192.0.2.1", "0.0.0.0"] {
            assert!(public(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parts(&text);
        }

        #[test]
        fn what_is_shown_is_read_back(name in "[a-z0-9.-]{1,20}", address: [u16; 8], port in 1_u16..) {
            for name in [name, Ipv6Addr::from(address).to_string()] {
                let host = Host { name, port };
                prop_assert_eq!(host.to_string().parse(), Ok(host));
            }
        }
    }
}
