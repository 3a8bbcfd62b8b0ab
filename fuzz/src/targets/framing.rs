//! Cutting a stream into lines.

use pop2::{LineBuffer, MAX_LINE};

use crate::{choices::Choices, lines::cut};

/// A stream is cut into the same lines however it comes, none is too long, and the memory stays what it was.
///
/// The first line says the sizes of the pieces.
pub fn framing(input: &[u8]) {
    let (sizes, stream) = Choices::split(input);
    for (telnet, buffer) in [(false, LineBuffer::new as fn() -> LineBuffer), (true, LineBuffer::for_commands)]
    {
        let lines = cut(buffer(), sizes.clone().pieces(stream));
        assert_eq!(lines, cut(buffer(), [stream]), "in pieces and whole");
        assert_eq!(lines, cut(buffer(), stream.chunks(1)), "in pieces and octet by octet");
        assert!(lines.0.iter().all(|line| line.len() < MAX_LINE), "a line is too long");
        assert_eq!(lines, expected(stream, telnet), "not what the octets say");
    }
}

/// The same in the plainest way there is.
fn expected(mut stream: &[u8], telnet: bool) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Vec::new();
    loop {
        let options = if telnet { options(stream) } else { 0 };
        let line = stream.get(options..).and_then(|rest| rest.iter().position(|&octet| octet == b'\n'));
        match line.map(|end| options + end + 1) {
            Some(length) if length <= MAX_LINE => {
                let line = stream.split_off(..length).and_then(|line| line.get(options..length - 1));
                let line = line.unwrap_or_default();
                lines.push(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
            }
            _ => return (lines, stream.len() > MAX_LINE),
        }
    }
}

/// How many octets of telnet's options are at the start; past the end where the last has no end.
fn options(stream: &[u8]) -> usize {
    let length = match stream {
        [255, 250, parameters @ ..] => {
            let end = parameters.windows(2).position(|pair| pair == [255, 240]);
            end.map_or(stream.len() + 1, |end| end + 4)
        }
        [255, 251..=254, ..] => 3,
        [255] => 2,
        [255, other, ..] if *other != 255 => 2,
        _ => return 0,
    };
    length + stream.get(length..).map_or(0, options)
}
