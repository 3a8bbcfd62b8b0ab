//! Sockets that whoever started the server has opened for it, as systemd does (`sd_listen_fds(3)`): so it needs no
//! right to open them, and nobody is refused while another process takes its place.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::Path,
};

use listenfd::ListenFd;

use super::sockets::Bound;
use crate::config::Endpoint;

/// The sockets, for the listeners that are configured where they are.
#[derive(Debug, Default)]
pub struct Handed {
    tcp: Vec<(SocketAddr, TcpListener)>,
    unix: Vec<UnixListener>,
}

impl Handed {
    /// Takes them from the environment, once and before there is another thread.
    ///
    /// # Errors
    /// Where one is no socket that is listened on.
    pub fn from_env() -> io::Result<Self> {
        let mut all = ListenFd::from_env();
        let mut handed = Self::default();
        for number in 0..all.len() {
            if let Ok(Some(socket)) = all.take_unix_listener(number) {
                socket.set_nonblocking(true)?;
                handed.unix.push(socket);
            } else if let Some(socket) = all.take_tcp_listener(number)? {
                socket.set_nonblocking(true)?;
                handed.tcp.push((socket.local_addr()?, socket));
            }
        }
        Ok(handed)
    }

    /// The socket that is where a listener wants it; `None` where there is none.
    pub(super) fn socket(&self, endpoint: &Endpoint) -> Option<io::Result<Bound>> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let (_, socket) = self.tcp.iter().find(|(at, _)| at == address)?;
                Some(socket.try_clone().map(Bound::Tcp))
            }
            Endpoint::Unix { path, .. } => {
                let socket = self.unix.iter().find(|socket| is_at(socket, path))?;
                Some(socket.try_clone().map(|listener| Bound::Unix { listener, file: None }))
            }
        }
    }

    /// Where those are that no listener of these wants.
    pub(super) fn idle(&self, wanted: &[Endpoint]) -> Vec<String> {
        let tcp = self.tcp.iter().filter(|(at, _)| !wanted.contains(&Endpoint::Tcp(*at)));
        let is_wanted = |socket: &UnixListener| {
            wanted
                .iter()
                .any(|endpoint| matches!(endpoint, Endpoint::Unix { path, .. } if is_at(socket, path)))
        };
        let unix = self.unix.iter().filter(|socket| !is_wanted(socket));
        let path = |socket: &UnixListener| match socket.local_addr() {
            Ok(address) => format!("{address:?}"),
            Err(error) => error.to_string(),
        };
        tcp.map(|(at, _)| at.to_string()).chain(unix.map(path)).collect()
    }
}

fn is_at(socket: &UnixListener, path: &Path) -> bool {
    socket.local_addr().is_ok_and(|address| address.as_pathname() == Some(path))
}
