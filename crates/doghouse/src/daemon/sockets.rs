//! Sockets to listen on, of both kinds.

use std::{
    fs, io,
    net::{self, SocketAddr},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, PermissionsExt},
            net as unix,
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt},
};
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Handle,
};

use crate::{config::Endpoint, peer::Peer, stream::Stream};

/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const QUEUE: i32 = 4096;

/// A socket that is listened on, before there is a runtime.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(net::TcpListener),
    Unix {
        listener: unix::UnixListener,
        /// Where it is ours to remove.
        file: Option<SocketFile>,
    },
}

/// The same within a runtime.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
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
pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Bound> {
    match endpoint {
        Endpoint::Tcp(address) => open_tcp(*address).map(Bound::Tcp),
        Endpoint::Unix { path, mode } => open_unix(path, *mode),
    }
}

/// Opens a listener whose queue holds more than come at once: of a connection that finds it full the client
/// believes that it is open, and waits for a greeting that nobody sends.
fn open_tcp(address: SocketAddr) -> io::Result<net::TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, QUEUE)?;
    Ok(socket.into())
}

fn open_unix(path: &Path, mode: u32) -> io::Result<Bound> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    if is_socket && is_refused(unix::UnixStream::connect(path)) {
        // Whoever listened there is gone.
        fs::remove_file(path)?;
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = SocketFile(path.to_owned());
    set_mode(path, mode)?;
    // Only now can anybody connect.
    rustix::net::listen(&socket, QUEUE)?;
    Ok(Bound::Unix { listener: socket.into(), file: Some(file) })
}

/// The socket at a path and nothing else: whoever can write in its folder may have put a link there since, and root
/// would change what that leads to.
fn itself(path: &Path) -> io::Result<OwnedFd> {
    let there = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    match FileType::from_raw_mode(rustix::fs::fstat(&there)?.st_mode) {
        FileType::Socket => Ok(there),
        _ => Err(io::Error::other(format!("{} is no socket any more", path.display()))),
    }
}

/// Sets the permissions of a socket.
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let there = itself(path)?;
    let there = format!("/proc/self/fd/{}", there.as_raw_fd());
    fs::set_permissions(there, fs::Permissions::from_mode(mode))
}

/// Gives a socket to a user and a group.
pub(super) fn give(path: &Path, user: u32, group: u32) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    Ok(rustix::fs::chownat(itself(path)?, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?)
}

fn is_refused<T>(connected: io::Result<T>) -> bool {
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

impl Bound {
    /// Where it listens, as it turned out.
    pub(super) fn endpoint(&self, configured: &Endpoint) -> io::Result<Endpoint> {
        Ok(match self {
            Self::Tcp(listener) => Endpoint::Tcp(listener.local_addr()?),
            Self::Unix { .. } => configured.clone(),
        })
    }

    /// Listens within a runtime; several may at once, and who comes is answered by one of them.
    pub(super) fn serve(&self, runtime: &Handle) -> io::Result<Socket> {
        let _within = runtime.enter();
        Ok(match self {
            Self::Tcp(listener) => {
                // Replies are small and awaited. What is accepted has it from the listener, on Linux.
                sockopt::set_tcp_nodelay(listener, true)?;
                Socket::Tcp(TcpListener::from_std(listener.try_clone()?)?)
            }
            Self::Unix { listener, .. } => Socket::Unix(UnixListener::from_std(listener.try_clone()?)?),
        })
    }

    /// The socket's own file.
    pub(super) fn file(self) -> Option<SocketFile> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix { file, .. } => file,
        }
    }
}

impl Socket {
    /// The next connection, and who is at its other end.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                (Box::new(stream), Peer::at(client.ip()))
            }
            Self::Unix(listener) => (Box::new(listener.accept().await?.0), Peer::Local),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_link_in_a_sockets_place_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("x.sock"), folder.path().join("secret"));
        fs::write(&target, "").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&target).unwrap();
        let _bound = open(&Endpoint::Unix { path: path.clone(), mode: 0o666 }).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
        let (own, others) = ((before.uid(), before.gid()), (before.uid() + 1, before.gid() + 1));
        give(&path, own.0, own.1).unwrap();

        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        assert!(set_mode(&path, 0o666).is_err());
        assert!(give(&path, others.0, others.1).is_err());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&target, &path).unwrap();
        assert!(give(&path, own.0, own.1).is_err(), "it is no socket");
        let after = fs::metadata(&target).unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    }
}
