//! The floor: POP2 as a server could speak it that has all messages in memory and nothing behind it. It keeps no
//! marks and no limits; it is how fast this machine can exchange these octets by this protocol, one thread a core.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::{LocalSet, spawn_local},
};
use tokio_rustls::TlsAcceptor;

use super::{Server, Setting};
use crate::{
    corpus::{Corpus, PASSWORD, wire},
    process::{Tree, free_doors},
    talk::Protocol,
    tls,
};

pub(super) fn start(setting: &Setting<'_>) -> io::Result<Server> {
    let [door, tls] = free_doors()?;
    let mut command = setting.ourselves(&["floor"], door);
    command.args(["--tls", &tls.to_string(), "--threads", &setting.cores.to_string()]);
    command
        .arg("--certificate")
        .arg(&setting.certificate.certificate)
        .arg("--key")
        .arg(&setting.certificate.key);
    let tree = Tree::start(&mut command, &setting.log())?;
    Ok(Server { tree, protocol: Protocol::Pop2, door, tls: Some(tls), lmtp: None })
}

/// Replies and small messages are gathered up to this, to be written at once.
const GATHERED: usize = 64 * 1024;

type Mail = Vec<Vec<Vec<u8>>>;

/// Serves until it is ended.
pub(crate) fn serve(
    corpus: &Corpus,
    doors: [SocketAddr; 2],
    threads: usize,
    certificate: Option<(PathBuf, PathBuf)>,
) -> io::Result<()> {
    let account =
        |account| (0..corpus.messages).map(|message| wire(&corpus.text(account, message))).collect();
    let mail: Arc<Mail> = Arc::new((0..corpus.accounts).map(account).collect());
    let acceptor = certificate.map(|(certificate, key)| tls::acceptor(&certificate, &key)).transpose()?;
    let listeners = doors.map(std::net::TcpListener::bind);
    let [plain, tls] = listeners;
    let (plain, tls) = (plain?, tls?);
    plain.set_nonblocking(true)?;
    tls.set_nonblocking(true)?;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| {
                let (mail, acceptor) = (mail.clone(), acceptor.clone());
                let listeners = (plain.try_clone(), tls.try_clone());
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
                    LocalSet::new().block_on(&runtime, async move {
                        let (plain, tls) =
                            (TcpListener::from_std(listeners.0?)?, TcpListener::from_std(listeners.1?)?);
                        let (one, other) =
                            tokio::join!(accept(plain, None, mail.clone()), accept(tls, acceptor, mail));
                        one.and(other)
                    })
                })
            })
            .collect();
        all.into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread fell"))))
    })
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, mail: Arc<Mail>) -> io::Result<()> {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        let (mail, acceptor) = (mail.clone(), acceptor.clone());
        spawn_local(async move {
            match acceptor {
                None => session(stream, &mail).await,
                Some(acceptor) => session(acceptor.accept(stream).await?, &mail).await,
            }
        });
    }
}

async fn session(mut stream: impl AsyncRead + AsyncWrite + Unpin, mail: &Mail) -> io::Result<()> {
    stream.write_all(b"+ POP2 floor\r\n").await?;
    stream.flush().await?;
    let (mut held, mut end) = ([0; 512], 0);
    let (mut box_of, mut current): (&[Vec<u8>], usize) = (&[], 0);
    let mut out = Vec::new();
    loop {
        let got = stream.read(held.get_mut(end..).unwrap_or_default()).await?;
        if got == 0 {
            return Ok(());
        }
        end += got;
        let mut begin = 0;
        while let Some(line) = held.get(begin..end).and_then(|all| all.get(..memchr::memchr(b'\n', all)?)) {
            begin += line.len() + 1;
            let mut words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("HELO"), Some(user), Some(PASSWORD)) => {
                    let account: Option<usize> =
                        user.strip_prefix('u').and_then(|number| number.parse().ok());
                    let Some(found) = account.and_then(|account| mail.get(account)) else { return Ok(()) };
                    box_of = found;
                    count(&mut out, b'#', box_of.len());
                }
                (Some("READ"), number, _) => {
                    current = number
                        .and_then(|number| number.parse().ok())
                        .map_or(current, |number: usize| number - 1);
                    count(&mut out, b'=', box_of.get(current).map_or(0, Vec::len));
                }
                (Some("ACKS" | "ACKD"), ..) => {
                    current += 1;
                    count(&mut out, b'=', box_of.get(current).map_or(0, Vec::len));
                }
                (Some("RETR"), ..) => {
                    let Some(message) = box_of.get(current) else { return Ok(()) };
                    if out.len() + message.len() > GATHERED {
                        stream.write_all(&out).await?;
                        out.clear();
                    }
                    if message.len() > GATHERED {
                        stream.write_all(message).await?;
                    } else {
                        out.extend_from_slice(message);
                    }
                }
                _ => {
                    out.extend_from_slice(b"+ bye\r\n");
                    stream.write_all(&out).await?;
                    return stream.shutdown().await;
                }
            }
        }
        held.copy_within(begin..end, 0);
        end -= begin;
        stream.write_all(&out).await?;
        stream.flush().await?;
        out.clear();
    }
}

fn count(out: &mut Vec<u8>, sign: u8, number: usize) {
    use std::io::Write as _;
    // Into memory, which does not fail.
    let _ = write!(out, "{}{number}\r\n", char::from(sign));
}
