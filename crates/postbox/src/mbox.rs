//! mbox: all messages in one file, each behind a `From ` line, as in the spool file of UNIX.
//!
//! mboxo, mboxrd and `Content-Length` are read, mboxrd is written.

use std::fs::File;

use crate::{
    Error, Message,
    draft::Draft,
    lock::Manner,
    one_file::{self, Entry, Opened, Spot},
};

mod copy;
mod delivery;
mod envelope;
mod packed;
mod quoting;
mod scanner;

pub use packed::Packed;

/// How an mbox is written.
#[derive(Debug)]
pub(crate) struct Format;

impl one_file::Format for Format {
    fn is_none(&self) -> &'static str {
        "no mbox, for it does not begin with a From line"
    }

    fn locked(&self) -> Manner {
        Manner::Dotlock
    }

    fn scanner<'a>(&self, file: &'a File, size: u64) -> Box<dyn one_file::Scanner + 'a> {
        Box::new(scanner::Scanner::new(file, size))
    }

    fn copy(&self, opened: &Opened, entry: &Entry) -> Result<Message, Error> {
        copy::copy(opened, entry)
    }

    fn draft(&self, spot: Spot) -> Result<Box<dyn Draft>, Error> {
        Ok(Box::new(delivery::Draft::begin(spot)?))
    }
}
