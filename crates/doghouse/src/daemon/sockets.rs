//! Sockets to listen on, of both kinds.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as BlockingUnixStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::{config::Endpoint, peer::Peer, stream::Stream};

/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const QUEUE: u32 = 4096;

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Where it is ours to remove.
        _file: Option<SocketFile>,
    },
}

/// The file of a socket, which goes when the socket does.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that is left behind is replaced at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Opens a socket.
pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Socket> {
    match endpoint {
        Endpoint::Tcp(address) => open_tcp(*address).map(Socket::Tcp),
        Endpoint::Unix { path, mode } => open_unix(path, *mode),
    }
}

/// Opens a listener whose queue holds more than come at once: of a connection that finds it full the client
/// believes that it is open, and waits for a greeting that nobody sends.
fn open_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

fn open_unix(path: &Path, mode: u32) -> io::Result<Socket> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    if is_socket && BlockingUnixStream::connect(path).is_err() {
        // Whoever listened there is gone.
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(Socket::Unix { listener, _file: Some(file) })
}

impl Socket {
    /// One that was opened elsewhere, and does not block.
    pub(super) fn tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(socket).map(Self::Tcp)
    }

    /// The same, in the file system.
    pub(super) fn unix(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(Self::Unix { listener: UnixListener::from_std(socket)?, _file: None })
    }

    /// Where it listens, as it turned out.
    pub(super) fn endpoint(&self, configured: &Endpoint) -> io::Result<Endpoint> {
        Ok(match self {
            Self::Tcp(listener) => Endpoint::Tcp(listener.local_addr()?),
            Self::Unix { .. } => configured.clone(),
        })
    }

    /// The next connection, and who is at its other end.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // Replies are small and awaited.
                let _ = stream.set_nodelay(true);
                (Box::new(stream), Peer::at(client.ip()))
            }
            Self::Unix { listener, .. } => (Box::new(listener.accept().await?.0), Peer::Local),
        })
    }
}
