//! A whole message as it stands in an mbox: behind its `From ` line, quoted, with a blank line behind it.

use std::{
    io::{self, Write},
    os::fd::OwnedFd,
    time::SystemTime,
};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{envelope, quoting::Quoting};
use crate::{one_file::PIECE, spool::Spool};

/// Who sends what has no sender.
const NOBODY: &str = "MAILER-DAEMON";

/// Packs a message piece by piece. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct Packer {
    spool: Spool,
    quoting: Quoting,
    quoted: Vec<u8>,
    sender: Option<String>,
}

impl Packer {
    /// A long message is kept on the disk that `folder` is on until it is whole, where that can be.
    pub(super) fn new(folder: Option<OwnedFd>) -> Self {
        let quoted = Vec::with_capacity(PIECE);
        Self { spool: Spool::new(folder), quoting: Quoting::quote(), quoted, sender: None }
    }

    /// The next octets of the message as it is stored elsewhere.
    pub(super) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.spool.length() == 0 && self.sender.is_none() {
            self.sender = envelope::sender(octets);
        }
        self.quoting.change(octets, &mut self.quoted);
        self.flush()
    }

    /// The message is whole, and arrives `now`.
    pub(super) fn finish(mut self, now: SystemTime) -> io::Result<Packed> {
        let last = std::mem::replace(&mut self.quoting, Quoting::quote()).finish(&mut self.quoted);
        let unended = last.is_some_and(|octet| octet != b'\n');
        self.quoted.extend_from_slice(if unended { b"\n\n" } else { b"\n" });
        self.flush()?;
        let line = envelope::line(self.sender.as_deref().unwrap_or(NOBODY), now, unended);
        Ok(Packed { line, spool: self.spool })
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.spool.write(&self.quoted);
        self.quoted.clear();
        written
    }
}

/// A message that is ready to be appended to an mbox, or written to whatever reads one.
#[derive(Debug)]
pub struct Packed {
    line: String,
    spool: Spool,
}

impl Packed {
    /// Packs a message, which has LF line ends as stores keep it. A long one is kept where temporary files go.
    ///
    /// # Errors
    /// Where the message cannot be read to its end, or not be kept.
    pub async fn read(mut message: impl AsyncRead + Unpin) -> io::Result<Self> {
        let (mut packer, mut piece) = (Packer::new(None), vec![0; PIECE]);
        loop {
            let count = message.read(&mut piece).await?;
            if count == 0 {
                return packer.finish(SystemTime::now());
            }
            packer.write(piece.get(..count).unwrap_or_default())?;
        }
    }

    /// Writes it.
    pub fn write_to(&self, target: &mut impl Write) -> io::Result<()> {
        self.each(&mut |piece| target.write_all(piece))?;
        target.flush()
    }

    /// Hands it out, piece by piece.
    pub(super) fn each(&self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        take(self.line.as_bytes())?;
        self.spool.each(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_packed_whole_or_not_at_all() {
        let packed = Packed::read(&b"Return-Path: <fred@x>\nFrom me\n"[..]).await.unwrap();
        let mut mbox = Vec::new();
        packed.write_to(&mut mbox).unwrap();
        let text = String::from_utf8(mbox).unwrap();
        let (line, message) = text.split_once('\n').unwrap();
        assert!(line.starts_with("From fred@x "), "{line}");
        assert_eq!(message, "Return-Path: <fred@x>\n>From me\n\n");

        let (feed, letter) = crate::letter::channel();
        drop(feed);
        assert!(Packed::read(letter).await.is_err());
    }
}
