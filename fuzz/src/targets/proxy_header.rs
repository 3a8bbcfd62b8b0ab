//! What a proxy says before its client does.

use std::net::SocketAddr;

use doghouse::{
    config::{Endpoint, Listener},
    daemon::entry::enter,
    peer::Peer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::choices::Choices;

/// The longest header of version 1, in octets: a longer one may be taken where it comes in one piece, and refused
/// where it does not.
const LONGEST: usize = 107;

/// A header is read the same however it is split, and what follows comes out as it went in. The first line says into
/// what pieces.
pub fn proxy_header(input: &[u8]) {
    let (sizes, said) = Choices::split(input);
    let network = "127.0.0.1/32".parse();
    let listener = Listener {
        endpoint: Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))),
        cleartext_from: Vec::new(),
        proxy_from: network.into_iter().collect(),
        tls: None,
    };
    let whole = outcome(&listener, [said]);
    let split = outcome(&listener, sizes.pieces(said));
    if let Some((_, _, rest)) = &whole {
        assert!(said.ends_with(rest) && rest.len() < said.len(), "what follows was changed");
        if split.is_none() && said.starts_with(b"PROXY") && said.len() - rest.len() > LONGEST {
            return;
        }
    }
    assert_eq!(split, whole, "it depends on how it is split");
}

/// Where the client is, whether it came by TLS, and what it says; `None` where it is not let in.
fn outcome<'a>(
    listener: &Listener,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Option<(Peer, bool, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(100_000);
        let writing = async {
            for piece in pieces {
                if far.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        let reading = async {
            let proxy = Peer::at([127, 0, 0, 1].into());
            let mut entered = enter(Box::new(near), proxy, listener).await.ok()?;
            let mut rest = Vec::new();
            entered.stream.read_to_end(&mut rest).await.ok()?;
            Some((entered.peer, entered.hidden, rest))
        };
        tokio::join!(writing, reading).1
    })
}
