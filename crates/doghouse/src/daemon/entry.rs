//! What comes before a session: a PROXY header, where a listed proxy is between, and TLS.

use std::io;

use proxy_header::{ParseConfig, Protocol, io::ProxiedStream};
use tokio_rustls::TlsAcceptor;

use crate::{config::Listener, peer::Peer, stream::Stream};

/// A client that has come in.
pub struct Entered {
    /// What it says from now on.
    pub stream: Box<dyn Stream>,
    /// Where it is.
    pub peer: Peer,
    /// Whether what it says is hidden on its way here.
    pub hidden: bool,
}

/// Why it has not.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The proxy did not say of whom it comes.
    #[error("no PROXY header that can be read: {0}")]
    Proxy(io::Error),
    /// TLS did not come to be.
    #[error("no TLS: {0}")]
    Tls(io::Error),
}

/// Takes in a connection of `peer`, and hears who it is.
pub async fn enter(stream: Box<dyn Stream>, peer: Peer, listener: &Listener) -> Result<Entered, EntryError> {
    let entered = Entered { stream, peer, hidden: false };
    if listener.is_proxy(peer) { behind_proxy(entered).await } else { Ok(entered) }
}

/// Hides from now on what a client says.
pub async fn hide(entered: Entered, tls: &TlsAcceptor) -> Result<Entered, EntryError> {
    let stream = tls.accept(entered.stream).await.map_err(EntryError::Tls)?;
    Ok(Entered { stream: Box::new(stream), hidden: true, ..entered })
}

async fn behind_proxy(entered: Entered) -> Result<Entered, EntryError> {
    let config = ParseConfig { include_tlvs: true, ..ParseConfig::default() };
    let stream = ProxiedStream::create_from_tokio(entered.stream, config).await.map_err(EntryError::Proxy)?;
    let header = stream.proxy_header();
    let hidden = header.ssl().is_some_and(|ssl| ssl.client_ssl());
    // The proxy comes of its own accord where it names nobody, as to see whether the server is well.
    let source = header.proxied_address().filter(|address| address.protocol == Protocol::Stream);
    let peer = source.map_or(entered.peer, |address| Peer::at(address.source.ip()));
    Ok(Entered { stream: Box::new(stream), peer, hidden })
}
