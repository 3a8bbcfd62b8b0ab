//! The way to a server: plain or by TLS, and never in clear over networks that are everybody's without leave.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Failure,
    consent::Consent,
    host::Host,
    tls::{self, Trust},
};

/// A stream of octets both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server, however it is made.
pub type Connection = Box<dyn Stream>;

/// Who can read what passes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// Whoever listens.
    #[default]
    Plain,
    /// The server alone, if it is the one that is trusted.
    Tls(Trust),
}

/// How to come to a server.
#[derive(Debug, Clone)]
pub struct Route {
    /// The server.
    pub host: Host,
    /// Who can read what passes.
    pub security: Security,
    /// How long connecting may take, TLS included, and what is awaited afterwards.
    pub timeout: Duration,
    /// Whether a password may go in clear.
    pub consent: Consent,
}

impl Route {
    /// Opens a connection.
    pub async fn open(&self) -> Result<Connection, Failure> {
        let stream = self.host.connect(self.timeout).await?;
        match &self.security {
            Security::Tls(trust) => {
                let hidden = tls::hide(stream, &self.host, trust, self.timeout).await?;
                Ok(Box::new(hidden))
            }
            Security::Plain => {
                if let Ok(peer) = stream.peer_addr() {
                    self.consent.to_clear_text(&self.host, peer)?;
                }
                Ok(Box::new(stream))
            }
        }
    }
}
