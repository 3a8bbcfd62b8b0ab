//! Framing: one bounded buffer cuts a stream of octets into lines, before anything looks at what they say.

use memchr::memchr;
use zeroize::Zeroize;

/// The longest command or reply line, in octets, with its CR LF (RFC 937, "Sizes").
pub const MAX_LINE: usize = 512;

/// Room for one whole line and for what has arrived behind it.
const CAPACITY: usize = 2 * MAX_LINE;

/// A line went on past [`MAX_LINE`] octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line is at most {MAX_LINE} octets long, its end included")]
pub struct LineTooLong;

/// Cuts a stream into lines of at most [`MAX_LINE`] octets in memory that does not grow.
///
/// The owner reads from its stream into [`room`](Self::room), says how much came with
/// [`filled`](Self::filled), and takes lines until there is none left. A bare LF ends a line as CR LF does
/// (`DECISIONS` 9). Its memory is wiped when it is dropped, since a password may have passed through it.
#[derive(Debug)]
pub struct LineBuffer {
    octets: Box<[u8]>,
    /// Behind it nothing was ever read.
    touched: usize,
    start: usize,
    end: usize,
    /// Octets of the present line that were telnet options and are gone from the buffer.
    skipped: usize,
    telnet: bool,
}

impl LineBuffer {
    /// A buffer for the replies of a server.
    #[must_use]
    pub fn new() -> Self {
        let octets = vec![0; CAPACITY].into_boxed_slice();
        Self { octets, touched: 0, start: 0, end: 0, skipped: 0, telnet: false }
    }

    /// A buffer for the commands of a client, which may be somebody's telnet: option sequences (RFC 854) at
    /// the start of a line are skipped. They count towards the line's length.
    #[must_use]
    pub fn for_commands() -> Self {
        let mut buffer = Self::new();
        buffer.telnet = true;
        buffer
    }

    /// Where the next octets of the stream go. Never empty once every whole line has been taken.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.octets.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.octets.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` octets were read into [`room`](Self::room).
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(CAPACITY);
        self.touched = self.touched.max(self.end);
    }

    /// The next whole line without its end, or `None` where more octets are needed.
    ///
    /// # Errors
    /// [`LineTooLong`] as soon as the octet after the [`MAX_LINE`]th has come without a line end before it.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let in_options = self.telnet && !self.skip_telnet_options();
        let unread = self.unread();
        let limit = MAX_LINE.saturating_sub(self.skipped);
        let end = if in_options { None } else { memchr(b'\n', unread).filter(|&at| at < limit) };
        let Some(at) = end else {
            return if self.skipped + unread.len() > MAX_LINE { Err(LineTooLong) } else { Ok(None) };
        };
        let from = self.start;
        self.start += at + 1;
        self.skipped = 0;
        let line = self.octets.get(from..from + at).unwrap_or_default();
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Takes up to `limit` octets that are not part of a line: a message's, read along with the reply before.
    pub fn take(&mut self, limit: u64) -> &[u8] {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.end - self.start);
        let from = self.start;
        self.start += count;
        self.octets.get(from..from + count).unwrap_or_default()
    }

    /// Whether octets have come that were not taken yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Wipes every octet that has been taken.
    pub fn wipe_taken(&mut self) {
        self.octets.get_mut(..self.start).unwrap_or_default().zeroize();
        self.octets.get_mut(self.end..self.touched).unwrap_or_default().zeroize();
        self.touched = self.end;
    }

    fn unread(&self) -> &[u8] {
        self.octets.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops whole option sequences at the start of the line; false where one is not all here yet.
    fn skip_telnet_options(&mut self) -> bool {
        loop {
            match telnet_option(self.unread()) {
                TelnetOption::None => return true,
                TelnetOption::Partial => return false,
                TelnetOption::Whole(length) => {
                    self.start += length;
                    self.skipped += length;
                }
            }
        }
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        self.octets.get_mut(..self.touched).unwrap_or_default().zeroize();
    }
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::new()
    }
}

enum TelnetOption {
    None,
    Partial,
    /// Its length in octets.
    Whole(usize),
}

/// What telnet says out of band at the start of `octets` (RFC 854, "TELNET COMMAND STRUCTURE").
fn telnet_option(octets: &[u8]) -> TelnetOption {
    const IAC: u8 = 255;
    const SB: u8 = 250;
    const SE: u8 = 240;
    const WILL: u8 = 251;
    const DONT: u8 = 254;
    match octets {
        [IAC, SB, parameters @ ..] => match parameters.windows(2).position(|pair| pair == [IAC, SE]) {
            Some(at) => TelnetOption::Whole(2 + at + 2),
            None => TelnetOption::Partial,
        },
        [IAC, WILL..=DONT, _option, ..] => TelnetOption::Whole(3),
        [IAC] | [IAC, WILL..=DONT] => TelnetOption::Partial,
        // IAC IAC is the octet 255 as data: no option, and no command begins with it.
        [IAC, other, ..] if *other != IAC => TelnetOption::Whole(2),
        _ => TelnetOption::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of `piece` octets and collects the lines, and whether one was too long.
    fn cut(mut buffer: LineBuffer, stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
        let mut lines = Vec::new();
        for octets in stream.chunks(piece) {
            let mut rest = octets;
            while !rest.is_empty() {
                let room = buffer.room();
                let count = rest.len().min(room.len());
                room[..count].copy_from_slice(&rest[..count]);
                buffer.filled(count);
                rest = &rest[count..];
                loop {
                    match buffer.next_line() {
                        Ok(Some(line)) => lines.push(line.to_vec()),
                        Ok(None) => break,
                        Err(LineTooLong) => return (lines, true),
                    }
                }
            }
        }
        (lines, false)
    }

    #[test]
    fn lines_are_the_same_however_the_stream_is_split() {
        let stream = b"HELO fred bone\r\nREAD\nRETR\r\n\r\nQUIT\r\n";
        let expected: Vec<Vec<u8>> =
            [&b"HELO fred bone"[..], b"READ", b"RETR", b"", b"QUIT"].iter().map(|l| l.to_vec()).collect();
        for piece in 1..=stream.len() {
            assert_eq!(cut(LineBuffer::for_commands(), stream, piece), (expected.clone(), false));
        }
    }

    #[test]
    fn decision_10_512_octets_are_taken_and_the_513th_is_too_much() {
        let mut longest = vec![b'x'; MAX_LINE - 2];
        longest.extend(b"\r\n");
        let mut too_long = vec![b'x'; MAX_LINE - 1];
        too_long.extend(b"\r\n");
        for piece in [1, 7, 512, 513, 2000] {
            assert_eq!(
                cut(LineBuffer::new(), &longest, piece),
                (vec![longest[..MAX_LINE - 2].to_vec()], false)
            );
            assert_eq!(cut(LineBuffer::new(), &too_long, piece), (vec![], true));
        }
        assert_eq!(cut(LineBuffer::new(), &[b'x'; MAX_LINE], 100), (vec![], false), "no 513th octet yet");
        assert_eq!(cut(LineBuffer::new(), &[b'x'; MAX_LINE + 1], 100), (vec![], true));
    }

    #[test]
    fn decision_9_telnet_options_at_the_start_of_a_line_are_skipped() {
        // DO SUPPRESS-GO-AHEAD, WILL 10 (an option number that is a line feed), a subnegotiation, IP.
        let stream =
            b"\xff\xfd\x03\xff\xfb\x0a\xff\xfa\x18\x0a\x00\xff\xf0\xff\xf4QUIT\r\n\xff\xfd\x06READ\r\n";
        for piece in 1..=stream.len() {
            let (lines, too_long) = cut(LineBuffer::for_commands(), stream, piece);
            assert_eq!(lines, vec![b"QUIT".to_vec(), b"READ".to_vec()], "in pieces of {piece}");
            assert!(!too_long);
        }
        assert_eq!(
            cut(LineBuffer::new(), b"\xff\xfd\x03+ OK\r\n", 99).0,
            [b"\xff\xfd\x03+ OK"],
            "replies: no"
        );
    }

    #[test]
    fn options_without_an_end_are_bounded_as_a_line_is() {
        assert!(cut(LineBuffer::for_commands(), &[0xff, 0xfb].repeat(400), 3).1);
        let mut endless = b"\xff\xfa".to_vec();
        endless.extend([b'\n'; 600]);
        assert!(cut(LineBuffer::for_commands(), &endless, 5).1);
    }

    #[test]
    fn decision_10_options_that_end_behind_the_limit_are_too_long_however_they_come() {
        let mut long = b"\xff\xfa".to_vec();
        long.extend([b'x'; MAX_LINE]);
        long.extend(b"\xff\xf0");
        for piece in [1, 100, MAX_LINE, long.len()] {
            assert!(cut(LineBuffer::for_commands(), &long, piece).1, "one option, in pieces of {piece}");
        }
        let many = b"\xff\xfb\x03".repeat(MAX_LINE / 3 + 1);
        assert!(many.len() > MAX_LINE);
        for piece in [1, 3, 100, many.len()] {
            assert!(cut(LineBuffer::for_commands(), &many, piece).1, "many options, in pieces of {piece}");
        }
    }

    #[test]
    fn what_follows_a_line_can_be_taken_as_octets() {
        let mut buffer = LineBuffer::new();
        buffer.room()[..9].copy_from_slice(b"=3\r\nabc=0");
        buffer.filled(9);
        assert_eq!(buffer.next_line(), Ok(Some(&b"=3"[..])));
        assert_eq!(buffer.take(2), b"ab");
        assert_eq!(buffer.take(1), b"c");
        assert_eq!(buffer.next_line(), Ok(None));
        assert!(!buffer.is_empty());
    }

    #[test]
    fn what_was_taken_can_be_wiped() {
        let mut buffer = LineBuffer::new();
        buffer.room()[..21].copy_from_slice(b"HELO fred bone\r\nREAD ");
        buffer.filled(21);
        assert!(buffer.next_line().is_ok());
        buffer.room();
        buffer.wipe_taken();
        assert_eq!(buffer.octets.iter().filter(|&&octet| octet != 0).count(), b"READ ".len());
    }
}
