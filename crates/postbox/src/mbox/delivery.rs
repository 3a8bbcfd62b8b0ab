//! Delivery: a message is whole before the file is touched, and appended under both locks.

use std::{fs::File, os::unix::fs::FileExt, time::SystemTime};

use super::packed::Packer;
use crate::{
    Error, draft,
    error::failed,
    one_file::{Opened, Spot},
};

/// A message that is being delivered. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    spot: Spot,
    packer: Packer,
}

impl Draft {
    pub(super) fn begin(spot: Spot) -> Result<Self, Error> {
        let packer = Packer::new(Some(spot.make_above()?));
        Ok(Self { spot, packer })
    }
}

impl draft::Draft for Draft {
    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.packer.write(octets).map_err(failed("write a message for", &self.spot.path()))
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        let Self { spot, packer } = *self;
        let packed = packer.finish(SystemTime::now());
        let packed = packed.map_err(failed("write a message for", &spot.path()))?;
        spot.extend(|opened| {
            let separator = missing_separator(&opened.file, opened)?;
            opened.journal().append(&opened.file, |take| {
                take(separator)?;
                packed.each(take)
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
