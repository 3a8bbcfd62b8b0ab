//! Cutting octets into lines, as every owner of a [`LineBuffer`] does it.

use pop2::{LineBuffer, MAX_LINE};

/// The lines of a stream, and whether the one after them is too long.
pub(crate) fn cut<'a>(
    mut buffer: LineBuffer,
    stream: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Vec::new();
    for mut piece in stream {
        while !piece.is_empty() {
            let room = buffer.room();
            assert!(!room.is_empty(), "no room is left though every line is taken");
            assert!(room.len() <= 2 * MAX_LINE, "the buffer grows");
            let count = room.len().min(piece.len());
            for (place, octet) in room.iter_mut().zip(piece.split_off(..count).unwrap_or_default()) {
                *place = *octet;
            }
            buffer.filled(count);
            loop {
                match buffer.next_line() {
                    Ok(Some(line)) => lines.push(line.to_vec()),
                    Ok(None) => break,
                    Err(_too_long) => return (lines, true),
                }
            }
        }
    }
    (lines, false)
}
