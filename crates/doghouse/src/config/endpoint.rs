//! Where to listen.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::Spanned;

use super::Fault;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix {
        /// Where.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Checks the keys of a table that may say either; `None` where it says neither. `begin` is where the table
    /// begins.
    pub(super) fn check(
        begin: usize,
        address: Option<SocketAddr>,
        socket: Option<PathBuf>,
        mode: Option<&Spanned<String>>,
        folder: &Path,
    ) -> Result<Option<Self>, Fault> {
        match (address, socket) {
            (Some(address), None) if mode.is_none() => Ok(Some(Self::Tcp(address))),
            (None, Some(path)) => {
                let mode = mode.map_or(Ok(0o660), permissions)?;
                Ok(Some(Self::Unix { path: folder.join(path), mode }))
            }
            (None, None) if mode.is_none() => Ok(None),
            _ => Err((begin, "write either address, or socket and perhaps mode".to_owned())),
        }
    }
}

pub(super) fn permissions(mode: &Spanned<String>) -> Result<u32, Fault> {
    let octal = u32::from_str_radix(mode.get_ref(), 8).ok().filter(|mode| *mode <= 0o777);
    octal.ok_or_else(|| (mode.span().start, "mode is written in octal, such as \"0660\"".to_owned()))
}
