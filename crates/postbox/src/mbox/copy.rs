//! A message out of an mbox, as it was when it was delivered.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::{envelope, quoting::Quoting};
use crate::{
    Error, Message,
    error::failed,
    one_file::{Entry, Opened, PIECE, first_line},
    spool::Spool,
};

/// Copies a message: others may rewrite the file while it is held.
pub(super) fn copy(opened: &Opened, entry: &Entry) -> Result<Message, Error> {
    let mut spool = Spool::new(opened.folder.try_clone().ok());
    copy_into(&opened.file, entry, &mut spool)
        .and_then(|()| spool.into_message())
        .map_err(failed("read a message in", &opened.path))
}

fn copy_into(file: &File, entry: &Entry, spool: &mut Spool) -> io::Result<()> {
    let (mut offset, end) = content(file, entry)?;
    let mut quoting = Quoting::unquote();
    let (mut piece, mut plain) = (vec![0; PIECE], Vec::with_capacity(PIECE));
    while offset < end {
        let count = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
        let room = piece.get_mut(..count).unwrap_or_default();
        file.read_exact_at(room, offset)?;
        quoting.change(room, &mut plain);
        spool.write(&plain)?;
        plain.clear();
        offset += count as u64;
    }
    quoting.finish(&mut plain);
    spool.write(&plain)
}

/// Where the message begins behind its `From ` line, and where it ends: before the blank line that stands
/// between messages.
fn content(file: &File, entry: &Entry) -> io::Result<(u64, u64)> {
    let mut head = vec![0; envelope::LONGEST];
    let count = usize::try_from(entry.end - entry.start).unwrap_or(head.len()).min(head.len());
    let head = head.get_mut(..count).unwrap_or_default();
    file.read_exact_at(head, entry.start)?;
    let line = first_line(head);
    let start = entry.start + line.len() as u64;

    let mut tail = [0; 3];
    let count = usize::try_from(entry.end - start).unwrap_or(tail.len()).min(tail.len());
    let tail = tail.get_mut(..count).unwrap_or_default();
    file.read_exact_at(tail, entry.end - count as u64)?;
    let blank = match tail {
        [.., b'\n', b'\n'] | [b'\n'] => 1,
        [b'\n', b'\r', b'\n'] | [b'\r', b'\n'] => 2,
        _ => 0,
    };
    let line_end = u64::from(blank > 0 && envelope::is_unended(line));
    Ok((start, (entry.end - blank).saturating_sub(line_end).max(start)))
}
