//! What a session runs over.

use std::{
    fmt::Write,
    fs::File,
    io::{self, BufRead, BufReader},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use proxy_header::io::ProxiedStream;
use rustix::{io::Errno, net::RecvFlags};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::{TcpStream, UnixStream},
    sync::Mutex,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

/// A stream to a client.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Both ends of the connection, this one first, where [`untaken`] can tell more of it.
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        None
    }

    /// The socket, where what is written goes into it as it is: then files can be sent by the kernel.
    fn bare(&self) -> Option<&TcpStream> {
        None
    }

    /// Whether it is known that nothing has come that was not read: then it may be closed as it is.
    fn is_drained(&self) -> bool {
        false
    }
}

impl Stream for DuplexStream {}

impl Stream for UnixStream {}

impl<S: Stream + ?Sized> Stream for Box<S> {
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        (**self).ends()
    }

    fn bare(&self) -> Option<&TcpStream> {
        (**self).bare()
    }

    fn is_drained(&self) -> bool {
        (**self).is_drained()
    }
}

impl<S: Stream> Stream for ProxiedStream<S> {
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.get_ref().ends()
    }

    fn bare(&self) -> Option<&TcpStream> {
        self.get_ref().bare()
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.get_ref().0.ends()
    }
}

impl Stream for TcpStream {
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.local_addr().ok()?, self.peer_addr().ok()?))
    }

    fn bare(&self) -> Option<&TcpStream> {
        Some(self)
    }

    fn is_drained(&self) -> bool {
        let peeked = rustix::net::recv(self, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Err(Errno::WOULDBLOCK) | Ok((0, _)))
    }
}

/// How long a session that has ended may still be read.
pub const LINGER: Duration = Duration::from_secs(2);

/// Writes the last octets and closes, then lets the client finish: a connection closed with octets unread would be
/// reset, and what was written lost on the way. Whoever does not take leave within `patience` is left.
pub async fn take_leave(mut stream: impl AsyncRead + AsyncWrite + Unpin, octets: &[u8], patience: Duration) {
    let farewell = async {
        stream.write_all(octets).await?;
        stream.shutdown().await?;
        // Small, since a session has room for it from its beginning on.
        let mut unread = [0; 256];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(patience, farewell).await;
}

/// How many octets were written that the client's machine has not taken yet, as far as that is known. What was
/// written may lie in this machine's memory for long: minutes of a slow line's time (`DECISIONS` 26).
///
/// It is read from Linux's table of connections, which has a line for each connection of the whole machine: that
/// takes long where there are many. So it is done only where a client seems silent, away from the threads that
/// serve, and for one client at a time.
pub async fn untaken((here, there): (SocketAddr, SocketAddr)) -> Option<u64> {
    static ONE: Mutex<()> = Mutex::const_new(());
    let _one = ONE.lock().await;
    tokio::task::spawn_blocking(move || in_queue(here, there)).await.ok()?
}

fn in_queue(here: SocketAddr, there: SocketAddr) -> Option<u64> {
    let table = if here.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let (here, there) = (in_table(here), in_table(there));
    BufReader::new(File::open(table).ok()?).lines().map_while(Result::ok).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ours = fields.next() == Some(here.as_str()) && fields.next() == Some(there.as_str());
        let queues = if ours { fields.nth(1) } else { None };
        u64::from_str_radix(queues?.split(':').next()?, 16).ok()
    })
}

/// An address as the table writes it: words of 32 bits in this machine's order of octets.
fn in_table(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut text = String::new();
    for word in octets.chunks_exact(4).filter_map(|word| word.try_into().ok()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:08X}", u32::from_ne_bytes(word));
    }
    text + &format!(":{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn octets_count_as_untaken_until_the_client_takes_them() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            assert_eq!(untaken(server.ends().unwrap()).await, Some(0));
            let mut written = 0;
            while server.writable().await.is_ok() {
                match server.try_write(&[b'x'; 16 * 1024]) {
                    Ok(count) => written += count,
                    Err(_full) => break,
                }
            }
            assert!(untaken(server.ends().unwrap()).await.unwrap() > 0, "{address}");
            let mut taken = vec![0; written];
            client.read_exact(&mut taken).await.unwrap();
            assert_eq!(untaken(server.ends().unwrap()).await, Some(0), "{address}");
        }
    }
}
