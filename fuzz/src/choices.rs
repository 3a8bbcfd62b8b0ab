//! The choices in the first line of an input, the pieces that they cut the rest into, and time for a session.

use std::{future::Future, time::Duration};

/// Longer than any session, as the paused clock counts.
const FOR_EVER: Duration = Duration::from_hours(24);

/// Choices, in order. A digit stands for its number and any other octet for its distance from `0`; where there
/// are no more, the choice is 0.
#[derive(Debug, Clone)]
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Takes the first line off an input. One without a line end has no choices.
    pub(crate) fn split(input: &'a [u8]) -> (Self, &'a [u8]) {
        match input.iter().position(|&octet| octet == b'\n') {
            Some(end) => {
                let (line, rest) = input.split_at(end);
                (Self(line), rest.get(1..).unwrap_or_default())
            }
            None => (Self(&[]), input),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next choice as it was written; `0` where there are no more.
    pub(crate) fn letter(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(b'0')
    }

    /// The next choice as a number.
    pub(crate) fn number(&mut self) -> u8 {
        self.letter().wrapping_sub(b'0')
    }

    /// `octets` in pieces of as many octets as the remaining choices say, over and over; 0 is all that is left.
    pub(crate) fn pieces(self, mut octets: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut sizes = self.0.iter().cycle();
        std::iter::from_fn(move || {
            let size = sizes.next().map_or(0, |&octet| usize::from(octet.wrapping_sub(b'0')));
            let size = if size == 0 { octets.len() } else { size.min(octets.len()) };
            octets.split_off(..size).filter(|piece| !piece.is_empty())
        })
    }
}

/// Runs a session to its end. The clock is paused: where everyone waits, it jumps to the next deadline.
pub(crate) fn run<T>(session: impl Future<Output = T>) -> T {
    // A new runtime each time, since the jumps of the one before would be deadlines missed.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let ended = runtime.block_on(async { tokio::time::timeout(FOR_EVER, session).await });
    ended.unwrap_or_else(|_elapsed| panic!("the session does not end"))
}
