//! The way of one message from its wire form to where it is delivered, a piece at a time, as stores keep it: with
//! LF line ends.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pop2::wire;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc,
};

enum Piece {
    Octets(Vec<u8>),
    End,
}

/// A message that is coming in: [`Feed`] puts it in at one end, [`Letter`] gives it out at the other.
#[must_use]
pub fn channel() -> (Feed, Letter) {
    let (sender, receiver) = mpsc::channel(1);
    let feed = Feed { pieces: sender, decoder: wire::Decoder::default() };
    (feed, Letter { pieces: receiver, octets: Vec::new(), given: 0, ended: false })
}

/// Where a message's octets are put as they come from the wire.
#[derive(Debug)]
pub struct Feed {
    pieces: mpsc::Sender<Piece>,
    decoder: wire::Decoder,
}

impl Feed {
    /// The next octets of the message. They go nowhere once the [`Letter`] is dropped.
    pub async fn put(&mut self, wire: &[u8]) {
        let mut stored = Vec::with_capacity(wire.len() + 1);
        self.decoder.decode(wire, &mut stored);
        let _ = self.pieces.send(Piece::Octets(stored)).await;
    }

    /// The message is whole. Without this it is not, and the [`Letter`] ends in an error.
    pub async fn end(self) {
        let mut stored = Vec::new();
        self.decoder.finish(&mut stored);
        let _ = self.pieces.send(Piece::Octets(stored)).await;
        let _ = self.pieces.send(Piece::End).await;
    }
}

/// A message to be read. One that does not come whole ends in an error, so that nobody stores a part of it.
#[derive(Debug)]
pub struct Letter {
    pieces: mpsc::Receiver<Piece>,
    octets: Vec<u8>,
    given: usize,
    ended: bool,
}

impl AsyncRead for Letter {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let rest = this.octets.get(this.given..).unwrap_or_default();
            if !rest.is_empty() || this.ended {
                let (now, _later) = rest.split_at(rest.len().min(buf.remaining()));
                buf.put_slice(now);
                this.given += now.len();
                return Poll::Ready(Ok(()));
            }
            match ready!(this.pieces.poll_recv(cx)) {
                Some(Piece::Octets(octets)) => (this.octets, this.given) = (octets, 0),
                Some(Piece::End) => this.ended = true,
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Octets(_) => "Octets(..)",
            Self::End => "End",
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_message_comes_out_as_it_is_stored() {
        let (mut feed, mut letter) = channel();
        let put = async {
            for piece in [&b"Subject: bone\r"[..], b"\n\r\nWo", b"of.\r"] {
                feed.put(piece).await;
            }
            feed.end().await;
        };
        let mut stored = Vec::new();
        let ((), read) = tokio::join!(put, letter.read_to_end(&mut stored));
        assert_eq!(read.unwrap(), stored.len());
        assert_eq!(stored, b"Subject: bone\n\nWoof.\r");
        assert_eq!(letter.read(&mut [0; 9]).await.unwrap(), 0, "it stays at its end");
    }

    #[tokio::test]
    async fn a_message_that_breaks_off_is_an_error() {
        let (mut feed, mut letter) = channel();
        feed.put(b"Subject: bone\r\n").await;
        drop(feed);
        let error = letter.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_reader_that_is_gone() {
        let (mut feed, letter) = channel();
        drop(letter);
        for _ in 0..9 {
            feed.put(b"Woof.\r\n").await;
        }
        feed.end().await;
    }
}
