//! Delivery: a message is whole before the file is touched, and appended while others wait.

use std::{io, time::SystemTime};

use pop2::wire;

use super::{
    header::{self, LineEnd},
    scanner::line_end,
};
use crate::{
    Error,
    error::failed,
    one_file::{self, PIECE, Spot},
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
        let (mut shortener, mut short) = (Shortener::default(), Vec::with_capacity(PIECE));
        self.spool.each(&mut |piece| {
            shortener.change(piece, &mut short);
            take(&short)?;
            short.clear();
            Ok(())
        })?;
        shortener.finish(&mut short);
        take(&short)
    }
}

impl one_file::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.encoder.encode(octets, &mut self.encoded);
        self.flush()
    }

    fn commit(mut self: Box<Self>, now: SystemTime) -> Result<(), Error> {
        // c-client does not read a file with a message of no octets: it gets an empty line, as on the wire.
        std::mem::take(&mut self.encoder).finish(&mut self.encoded);
        self.flush()?;
        self.spot.extend(|opened| {
            let fail = failed("read", &opened.path);
            let found = line_end(&opened.file, opened.stamp()?.size()).map_err(&fail)?;
            let line_end = found.map_err(|at| opened.damaged(at))?.unwrap_or(LineEnd::CrLf);
            let mut size = 0;
            let counted = self.each(line_end, &mut |piece| {
                size += piece.len() as u64;
                Ok(())
            });
            counted.map_err(&fail)?;
            let line = header::line(size, now, line_end);
            opened.journal().append(&opened.file, |take| {
                take(line.as_bytes())?;
                self.each(line_end, take)
            })
        })
    }
}

/// Takes the CR from the line ends of a message in wire form; not where another CR stands before it, which
/// could not be told from a line end that is to get one back.
#[derive(Debug, Default)]
struct Shortener {
    /// What was read and not yet written: nothing, a CR, or a CR behind another.
    held: Held,
}

#[derive(Debug, Default, Clone, Copy)]
enum Held {
    #[default]
    Nothing,
    Cr,
    CrAfterCr,
}

impl Shortener {
    fn change(&mut self, wire: &[u8], short: &mut Vec<u8>) {
        for &octet in wire {
            self.held = match (self.held, octet) {
                (Held::Nothing, b'\r') => Held::Cr,
                (Held::Cr | Held::CrAfterCr, b'\r') => {
                    short.push(b'\r');
                    Held::CrAfterCr
                }
                (Held::Cr, b'\n') | (Held::Nothing, _) => {
                    short.push(octet);
                    Held::Nothing
                }
                (Held::Cr | Held::CrAfterCr, _) => {
                    short.extend([b'\r', octet]);
                    Held::Nothing
                }
            };
        }
    }

    fn finish(self, short: &mut Vec<u8>) {
        if !matches!(self.held, Held::Nothing) {
            short.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(stored: &[u8]) -> Vec<u8> {
        let (mut encoder, mut wire) = (wire::Encoder::default(), Vec::new());
        encoder.encode(stored, &mut wire);
        encoder.finish(&mut wire);
        wire
    }

    fn shortened<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut shortener, mut short) = (Shortener::default(), Vec::new());
        pieces.into_iter().for_each(|piece| shortener.change(piece, &mut short));
        shortener.finish(&mut short);
        short
    }

    #[test]
    fn line_ends_become_short() {
        for (wire, short) in [
            (&b"a\r\n\r\nb\r\n"[..], &b"a\n\nb\n"[..]),
            (b"a\r\r\nb\rc\r", b"a\r\r\nb\rc\r"),
            (b"\r\n", b"\n"),
            (b"\r\r\r", b"\r\r\r"),
        ] {
            assert_eq!(shortened([wire]), short);
        }
    }

    proptest! {
        #[test]
        fn what_was_shortened_is_the_same_on_the_wire(
            pieces in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..40), 0..6),
        ) {
            let wire = encoded(&pieces.concat());
            let (left, right) = wire.split_at(wire.len() / 2);
            let short = shortened([left, right]);
            prop_assert_eq!(&short, &shortened([wire.as_slice()]));
            prop_assert_eq!(encoded(&short), wire);
        }
    }
}
