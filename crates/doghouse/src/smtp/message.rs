//! A message that has come, until it lies where it belongs.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    pin::Pin,
    task::{Context, Poll},
};

use tempfile::SpooledTempFile;
use tokio::io::{AsyncRead, ReadBuf};

/// How many octets of a message stay in memory; more are in a file without a name.
const FEW: usize = 1024 * 1024;

/// The most `Received` fields that a message may have (RFC 5321, 6.3): one with more is going round.
const MOST_HOPS: usize = 100;

/// How much of a message is looked at for its header, in octets.
const HEADER: u64 = 256 * 1024;

/// A message on its way in.
#[derive(Debug)]
pub(super) struct Incoming {
    octets: SpooledTempFile,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self { octets: SpooledTempFile::new(FEW) }
    }

    /// Appends a part.
    pub(super) fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.octets.write_all(part)
    }

    /// Whether so many servers have passed it on that it must be going round.
    pub(super) fn goes_round(&mut self) -> io::Result<bool> {
        self.octets.seek(SeekFrom::Start(0))?;
        let mut header = Vec::new();
        (&mut self.octets).take(HEADER).read_to_end(&mut header)?;
        let is_hop = |line: &&[u8]| {
            line.split_at_checked(9).is_some_and(|(name, _)| name.eq_ignore_ascii_case(b"Received:"))
        };
        let fields = header.split(|&octet| octet == b'\n').take_while(|line| !line.is_empty());
        Ok(fields.filter(is_hop).count() > MOST_HOPS)
    }

    /// The whole message behind the fields that this server puts before it.
    pub(super) fn behind(&mut self, trace: String) -> io::Result<impl AsyncRead + Unpin + Send> {
        self.octets.seek(SeekFrom::Start(0))?;
        Ok(tokio::io::AsyncReadExt::chain(io::Cursor::new(trace), Reader(&mut self.octets)))
    }
}

/// Reads what is in memory or in the page cache: that does not wait.
struct Reader<'a>(&'a mut SpooledTempFile);

impl AsyncRead for Reader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.0.read(buf.initialize_unfilled())?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_message_comes_back_behind_its_trace_as_often_as_it_is_asked_for() {
        let mut incoming = Incoming::new();
        let body = b"woof\n".repeat(300_000);
        body.chunks(10_000).for_each(|part| incoming.write(part).unwrap());
        for trace in ["one: 1\n", ""] {
            let mut all = Vec::new();
            incoming.behind(trace.to_owned()).unwrap().read_to_end(&mut all).await.unwrap();
            assert!(all == [trace.as_bytes(), &body].concat());
        }
    }

    #[test]
    fn a_message_that_goes_round_is_seen() {
        for (hops, round) in [(0, false), (100, false), (101, true)] {
            let mut incoming = Incoming::new();
            incoming.write(&b"received: from a by b\n\tfor c\n".repeat(hops)).unwrap();
            incoming.write(b"\nReceived: woof\n").unwrap();
            assert_eq!(incoming.goes_round().unwrap(), round);
        }
    }
}
