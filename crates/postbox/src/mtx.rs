//! TOPS-20's mail file, `MAIL.TXT`: all messages in one file, each behind a line `date,size;flags`.
//!
//! That is how PDP-10s wrote it and how UW's c-client does, which calls it mtx, and tenex where lines end with LF
//! alone. Both are read; an existing file is continued as it is, a new one is mtx. What RFC 937 suggests for
//! deletion ("Comments on a Server on TOPS-20") is met without a file under another name: nobody is kept from
//! the mailbox while a client thinks, and what has arrived meanwhile is not touched. The flags belong to other
//! programs: what they have marked as deleted is shown until they expunge it.

use std::fs::File;

use crate::{
    Error, Message,
    draft::Draft,
    error::failed,
    lock::Manner,
    one_file::{self, Entry, Opened, Spot},
    spool::Spool,
};

mod delivery;
mod header;
mod scanner;

/// How such a file is written.
#[derive(Debug)]
pub(crate) struct Format;

impl one_file::Format for Format {
    fn is_none(&self) -> &'static str {
        "no TOPS-20 mail file, for it does not begin with a line of date, size and flags"
    }

    fn locked(&self) -> Manner {
        Manner::Flock
    }

    fn scanner<'a>(&self, file: &'a File, size: u64) -> Box<dyn one_file::Scanner + 'a> {
        Box::new(scanner::Scanner::new(file, size))
    }

    fn copy(&self, opened: &Opened, entry: &Entry) -> Result<Message, Error> {
        let mut spool = Spool::new(opened.folder.try_clone().ok());
        scanner::copy(&opened.file, entry, &mut spool)
            .and_then(|()| spool.into_message())
            .map_err(failed("read a message in", &opened.path))
    }

    fn draft(&self, spot: Spot) -> Result<Box<dyn Draft>, Error> {
        Ok(Box::new(delivery::Draft::begin(spot)?))
    }
}
