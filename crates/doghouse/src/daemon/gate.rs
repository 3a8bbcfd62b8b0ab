//! What is listened on, and for which protocol.

use crate::{
    config::{Config, Endpoint},
    smtp::machine::Protocol,
};

/// A way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) service: Service,
    /// As configured.
    pub(crate) endpoint: Endpoint,
}

/// What goes on behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Mail is fetched.
    Pop2,
    /// Mail comes in.
    Mail(Protocol),
    /// A monitoring system asks.
    Metrics,
    /// A command of the operator's asks.
    Admin,
}

/// All that a configuration wants opened.
pub(crate) fn gates(config: &Config) -> Vec<Gate> {
    let gate = |service| move |endpoint: &Endpoint| Gate { service, endpoint: endpoint.clone() };
    let pop2 = config.listeners.iter().map(|listener| &listener.endpoint).map(gate(Service::Pop2));
    let smtp = config.smtp.iter().map(gate(Service::Mail(Protocol::Smtp)));
    let lmtp = config.lmtp.iter().map(gate(Service::Mail(Protocol::Lmtp)));
    let metrics = config.metrics.map(Endpoint::Tcp);
    let metrics = metrics.as_ref().map(gate(Service::Metrics));
    let admin = config.admin.as_ref().map(gate(Service::Admin));
    pop2.chain(smtp).chain(lmtp).chain(metrics).chain(admin).collect()
}

impl Gate {
    /// For people.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.service {
            Service::Pop2 => "POP2",
            Service::Mail(protocol) => protocol.name(),
            Service::Metrics => "HTTP",
            Service::Admin => "admin",
        }
    }

    /// The key of the configuration that says where.
    pub(crate) fn key(&self) -> &'static str {
        match (self.service, &self.endpoint) {
            (Service::Pop2, Endpoint::Tcp(_)) => "listener.address",
            (Service::Pop2, Endpoint::Unix { .. }) => "listener.socket",
            (Service::Mail(Protocol::Smtp), _) => "smtp.address",
            (Service::Mail(Protocol::Lmtp), Endpoint::Tcp(_)) => "lmtp.address",
            (Service::Mail(Protocol::Lmtp), Endpoint::Unix { .. }) => "lmtp.socket",
            (Service::Metrics, _) => "metrics.address",
            (Service::Admin, _) => "admin.socket",
        }
    }
}
