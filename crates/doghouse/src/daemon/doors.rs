//! The sockets of a configuration, opened before anything else: some need rights that the server then gives up.

use std::io;

use tracing::warn;

use super::{
    Gate, Handed, StartError, gates, open,
    sockets::{Bound, give},
};
use crate::config::{Config, Endpoint};

/// Sockets that are open, and that nobody serves yet.
#[derive(Debug)]
pub struct Doors {
    pub(super) bound: Vec<(Gate, Bound)>,
    pub(super) handed: Handed,
}

impl Doors {
    /// Opens the sockets of a configuration, but for those that are `handed` over.
    ///
    /// # Errors
    /// Where one cannot be opened; then none is.
    pub fn open(config: &Config, handed: Handed) -> Result<Self, StartError> {
        let gates = gates(config);
        let wanted: Vec<Endpoint> = gates.iter().map(|gate| gate.endpoint.clone()).collect();
        for address in handed.idle(&wanted) {
            warn!(address, "a socket was handed over that no listener is configured for");
        }
        Ok(Self { bound: listen(gates, &handed)?, handed })
    }

    /// Gives the sockets that are in the file system to a user and a group.
    ///
    /// # Errors
    /// Where the system refuses that.
    pub fn give_to(&self, user: u32, group: u32) -> io::Result<()> {
        self.bound.iter().try_for_each(|(gate, bound)| match (&gate.endpoint, bound) {
            (Endpoint::Unix { path, .. }, Bound::Unix { file: Some(_), .. }) => give(path, user, group),
            _ => Ok(()),
        })
    }
}

/// Opens sockets, or takes those that were handed over.
pub(super) fn listen(gates: Vec<Gate>, handed: &Handed) -> Result<Vec<(Gate, Bound)>, StartError> {
    let open = |gate: Gate| {
        let bound = handed.socket(&gate.endpoint).unwrap_or_else(|| open(&gate.endpoint));
        match bound {
            Ok(bound) => Ok((gate, bound)),
            Err(source) => {
                Err(StartError::Listen { endpoint: gate.endpoint.clone(), key: gate.key(), source })
            }
        }
    };
    gates.into_iter().map(open).collect()
}
