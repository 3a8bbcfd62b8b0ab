//! The form in which a message travels.

use pop2::wire::{self, Counter, Encoder};

use crate::choices::Choices;

/// Length, counter and encoder agree for any message in any pieces, and only line ends change.
///
/// The first line says the sizes of the pieces.
pub fn wire_form(input: &[u8]) {
    let (sizes, stored) = Choices::split(input);
    let (mut encoder, mut counter, mut sent) = (Encoder::default(), Counter::default(), Vec::new());
    for piece in sizes.pieces(stored) {
        encoder.encode(piece, &mut sent);
        counter.count(piece);
    }
    encoder.finish(&mut sent);
    assert_eq!(sent.len() as u64, wire::length(stored));
    assert_eq!(sent.len() as u64, counter.length());
    assert_eq!(sent, expected(stored));
}

/// The same in the plainest way there is.
pub(crate) fn expected(stored: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    for &octet in stored {
        if octet == b'\n' && sent.last() != Some(&b'\r') {
            sent.push(b'\r');
        }
        sent.push(octet);
    }
    if sent.is_empty() { b"\r\n".to_vec() } else { sent }
}
