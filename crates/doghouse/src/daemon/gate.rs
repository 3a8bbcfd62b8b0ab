//! What is listened on, and for which protocol.

use std::net::SocketAddr;

use crate::{
    config::{Config, Endpoint},
    smtp::machine::Protocol,
};

/// A way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Mail is fetched.
    Pop2(SocketAddr),
    /// Mail comes in.
    Mail(Protocol, Endpoint),
}

/// All that a configuration wants opened.
pub(crate) fn gates(config: &Config) -> Vec<Gate> {
    let mail = |protocol| move |endpoint: &Endpoint| Gate::Mail(protocol, endpoint.clone());
    config
        .listeners
        .iter()
        .map(|listener| Gate::Pop2(listener.address))
        .chain(config.smtp.iter().map(mail(Protocol::Smtp)))
        .chain(config.lmtp.iter().map(mail(Protocol::Lmtp)))
        .collect()
}

impl Gate {
    /// As configured.
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Pop2(address) => Endpoint::Tcp(*address),
            Self::Mail(_, endpoint) => endpoint.clone(),
        }
    }

    /// For people.
    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Self::Pop2(_) => "POP2",
            Self::Mail(Protocol::Smtp, _) => "SMTP",
            Self::Mail(Protocol::Lmtp, _) => "LMTP",
        }
    }

    /// The key of the configuration that says where.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Pop2(_) => "listener.address",
            Self::Mail(Protocol::Smtp, _) => "smtp.address",
            Self::Mail(Protocol::Lmtp, Endpoint::Tcp(_)) => "lmtp.address",
            Self::Mail(Protocol::Lmtp, Endpoint::Unix { .. }) => "lmtp.socket",
        }
    }
}
