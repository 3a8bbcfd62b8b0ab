//! Delivery: a message is whole before the file is touched, and appended under both locks.

use std::{fs::File, os::unix::fs::FileExt, time::SystemTime};

use super::{envelope, quoting::Quoting};
use crate::{
    Error, draft,
    error::failed,
    one_file::{Opened, PIECE, Spot},
    spool::Spool,
};

/// Who sends what has no sender.
const NOBODY: &str = "MAILER-DAEMON";

/// A message that is being delivered. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    spot: Spot,
    spool: Spool,
    quoting: Quoting,
    quoted: Vec<u8>,
    sender: Option<String>,
}

impl Draft {
    pub(super) fn begin(spot: Spot) -> Result<Self, Error> {
        let folder = spot.make_above()?;
        let quoted = Vec::with_capacity(PIECE);
        Ok(Self { spot, spool: Spool::new(Some(folder)), quoting: Quoting::quote(), quoted, sender: None })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.spool.write(&self.quoted);
        self.quoted.clear();
        written.map_err(failed("write a message for", &self.spot.path()))
    }
}

impl draft::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        if self.spool.length() == 0 && self.sender.is_none() {
            self.sender = envelope::sender(octets);
        }
        self.quoting.change(octets, &mut self.quoted);
        self.flush()
    }

    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        let last = std::mem::replace(&mut self.quoting, Quoting::quote()).finish(&mut self.quoted);
        let unended = last.is_some_and(|octet| octet != b'\n');
        self.quoted.extend_from_slice(if unended { b"\n\n" } else { b"\n" });
        self.flush()?;
        let line = envelope::line(self.sender.as_deref().unwrap_or(NOBODY), SystemTime::now(), unended);
        self.spot.extend(|opened| {
            let separator = missing_separator(&opened.file, opened)?;
            opened.journal().append(&opened.file, |take| {
                take(separator)?;
                take(line.as_bytes())?;
                self.spool.each(take)
            })
        })
    }
}

/// What is wanting at the end of an mbox that some program left without a line end or a blank line: without
/// it other programs do not see where the next message begins.
fn missing_separator(file: &File, opened: &Opened) -> Result<&'static [u8], Error> {
    let mut end = [b'\n'; 2];
    let size = opened.stamp()?.size();
    let wanted = usize::try_from(size).unwrap_or(2).min(2);
    let room = end.get_mut(2 - wanted..).unwrap_or_default();
    file.read_exact_at(room, size - wanted as u64).map_err(failed("read", &opened.path))?;
    Ok(match end {
        [b'\n', b'\n'] => b"",
        [_, b'\n'] => b"\n",
        _ => b"\n\n",
    })
}
