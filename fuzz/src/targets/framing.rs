//! Cutting a stream into lines.

use pop2::{LineBuffer, MAX_LINE};

use crate::{choices::Choices, lines::cut};

/// A stream is cut into the same lines however it comes, none is too long, and the memory stays what it was.
///
/// The first line says the sizes of the pieces.
pub fn framing(input: &[u8]) {
    let (sizes, stream) = Choices::split(input);
    for buffer in [LineBuffer::new, LineBuffer::for_commands] {
        let lines = cut(buffer(), sizes.clone().pieces(stream));
        assert_eq!(lines, cut(buffer(), [stream]), "in pieces and whole");
        assert_eq!(lines, cut(buffer(), stream.chunks(1)), "in pieces and octet by octet");
        assert!(lines.0.iter().all(|line| line.len() < MAX_LINE), "a line is too long");
    }
    assert_eq!(cut(LineBuffer::new(), [stream]), expected(stream), "not what the octets say");
}

/// The same for replies, in the plainest way there is.
fn expected(stream: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Vec::new();
    for line in stream.split_inclusive(|&octet| octet == b'\n') {
        if line.len() > MAX_LINE {
            return (lines, true);
        }
        if let Some(line) = line.strip_suffix(b"\n") {
            lines.push(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        }
    }
    (lines, false)
}
