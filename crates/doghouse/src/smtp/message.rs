//! A message that has come, until it lies where it belongs.

use std::{
    fmt::Write as _,
    io::{self, Read, Seek, SeekFrom, Write},
    pin::Pin,
    task::{Context, Poll},
};

use blake2::{Blake2s256, Digest as _};
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
pub(crate) struct Incoming {
    octets: SpooledTempFile,
    digest: Blake2s256,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self { octets: SpooledTempFile::new(FEW), digest: Blake2s256::new() }
    }

    /// Appends a part.
    pub(crate) fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.digest.update(part);
        self.octets.write_all(part)
    }

    /// Whether so many servers have passed it on that it must be going round.
    pub(crate) fn goes_round(&mut self) -> io::Result<bool> {
        let header = self.header()?;
        Ok(lines(&header).filter(|line| is_hop(line)).count() > MOST_HOPS)
    }

    /// What the sender will know this delivery by if it tries again, as far as that shows: its own name of the message,
    /// which is `queue` or in the first `Received` field, which the last server has written; together with all else that
    /// will be the same. So nobody who makes up such a field has another's message taken for one that was delivered.
    pub(crate) fn name(
        &mut self,
        queue: Option<&str>,
        sender: &str,
        recipient: &str,
    ) -> io::Result<Option<String>> {
        let queue = match queue {
            Some(queue) => queue.as_bytes().to_vec(),
            None => match last_hop(&self.header()?) {
                Some(hop) => hop,
                None => return Ok(None),
            },
        };
        let mut name = Blake2s256::new();
        for part in [&queue, sender.as_bytes(), recipient.as_bytes(), &self.digest.clone().finalize()] {
            name.update((part.len() as u64).to_be_bytes());
            name.update(part);
        }
        let name: [u8; 32] = name.finalize().into();
        Ok(Some(name.iter().fold(String::with_capacity(64), |mut text, octet| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{octet:02x}");
            text
        })))
    }

    fn header(&mut self) -> io::Result<Vec<u8>> {
        self.octets.seek(SeekFrom::Start(0))?;
        let mut header = Vec::new();
        (&mut self.octets).take(HEADER).read_to_end(&mut header)?;
        Ok(header)
    }

    /// The whole message behind the fields that this server puts before it.
    pub(crate) fn behind(&mut self, trace: String) -> io::Result<impl AsyncRead + Unpin + Send> {
        self.octets.seek(SeekFrom::Start(0))?;
        Ok(tokio::io::AsyncReadExt::chain(io::Cursor::new(trace), Reader(&mut self.octets)))
    }
}

/// The lines of a header, and no more.
fn lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message.split(|&octet| octet == b'\n').take_while(|line| !line.is_empty())
}

fn is_hop(line: &[u8]) -> bool {
    line.split_at_checked(9).is_some_and(|(name, _)| name.eq_ignore_ascii_case(b"Received:"))
}

/// The first `Received` field of a header, with the lines that it goes on in, if it has an id (RFC 5321, 4.4).
fn last_hop(header: &[u8]) -> Option<Vec<u8>> {
    let mut lines = lines(header).skip_while(|line| !is_hop(line));
    let first = lines.next()?;
    let more = lines.take_while(|line| matches!(line.first(), Some(b' ' | b'\t')));
    let field = more.fold(first.to_vec(), |field, line| [&field, line].concat());
    let mut words = field.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.any(|word| word.eq_ignore_ascii_case(b"id")).then_some(field)
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

    fn incoming(message: &[u8]) -> Incoming {
        let mut incoming = Incoming::new();
        incoming.write(message).unwrap();
        incoming
    }

    #[test]
    fn a_delivery_is_known_by_all_that_stays_the_same() {
        let message = b"Return-Path: <x>\nReceived: from a by b (Postfix)\n\twith SMTP id 4F1;\n Mon, 2 Nov 2026\nSubject: x\n\nwoof\n";
        let name = |message: &[u8], sender: &str, recipient: &str| {
            incoming(message).name(None, sender, recipient).unwrap()
        };
        let first = name(message, "me", "fido");
        assert_eq!(first.as_ref().map(String::len), Some(64));
        assert_eq!(first, name(message, "me", "fido"));
        let text = String::from_utf8(message.to_vec()).unwrap();
        for other in [
            name(message, "you", "fido"),
            name(message, "me", "fido+x"),
            name(message, "mef", "ido"),
            name(text.replace("4F1", "4F2").as_bytes(), "me", "fido"),
            name(text.replace("2 Nov", "3 Nov").as_bytes(), "me", "fido"),
            name(text.replace("woof", "waff").as_bytes(), "me", "fido"),
            incoming(message).name(Some("4F1"), "me", "fido").unwrap(),
        ] {
            assert!(other.is_some() && other != first);
        }
        for unknown in [
            "",
            "\n",
            "Subject: x\n\nReceived: from a by b id 4F1\n",
            "Received: from id-x by b; idle\nid: 1\n",
        ] {
            assert_eq!(name(unknown.as_bytes(), "me", "fido"), None, "{unknown:?}");
        }
        assert!(incoming(b"").name(Some("4F1"), "", "").unwrap().is_some());
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
