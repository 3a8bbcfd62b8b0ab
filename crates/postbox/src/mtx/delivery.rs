//! Delivery: a message is whole before the file is touched, and appended while others wait.

use std::{io, time::SystemTime};

use pop2::wire;

use super::{
    header::{self, LineEnd},
    scanner::line_end,
};
use crate::{
    Error, draft,
    error::failed,
    one_file::{PIECE, Spot},
    spool::Spool,
};

/// A message that is being delivered.
#[derive(Debug)]
pub(super) struct Draft {
    spot: Spot,
    /// With CR LF at the ends of lines.
    spool: Spool,
    encoder: wire::Encoder,
    encoded: Vec<u8>,
}

impl Draft {
    pub(super) fn begin(spot: Spot) -> Result<Self, Error> {
        let spool = Spool::new(Some(spot.make_above()?));
        Ok(Self { spot, spool, encoder: wire::Encoder::default(), encoded: Vec::with_capacity(PIECE) })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.spool.write(&self.encoded);
        self.encoded.clear();
        written.map_err(failed("write a message for", &self.spot.path()))
    }

    /// Hands out the message as it is written to a file with such line ends.
    fn each(&self, line_end: LineEnd, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if line_end == LineEnd::CrLf {
            return self.spool.each(take);
        }
        let (mut decoder, mut short) = (wire::Decoder::default(), Vec::with_capacity(PIECE));
        self.spool.each(&mut |piece| {
            decoder.decode(piece, &mut short);
            take(&short)?;
            short.clear();
            Ok(())
        })?;
        decoder.finish(&mut short);
        take(&short)
    }
}

impl draft::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.encoder.encode(octets, &mut self.encoded);
        self.flush()
    }

    fn commit(mut self: Box<Self>) -> Result<(), Error> {
        // c-client does not read a file with a message of no octets: it gets an empty line, as on the wire.
        std::mem::take(&mut self.encoder).finish(&mut self.encoded);
        self.flush()?;
        self.spot.extend(|opened| {
            let fail = failed("read", &opened.path);
            let found = line_end(&opened.file, opened.stamp()?.size(), self.spot.known_end(opened)?)
                .map_err(&fail)?;
            let line_end = found.map_err(|at| opened.damaged(at))?.unwrap_or(LineEnd::CrLf);
            let mut size = 0;
            let counted = self.each(line_end, &mut |piece| {
                size += piece.len() as u64;
                Ok(())
            });
            counted.map_err(&fail)?;
            let line = header::line(size, SystemTime::now(), line_end);
            opened.journal().append(&opened.file, |take| {
                take(line.as_bytes())?;
                self.each(line_end, take)
            })
        })
    }
}
