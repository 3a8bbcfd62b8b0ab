//! Command lines, cut from what comes.

use memchr::memchr;

/// The longest command line, in octets with its end. RFC 5321 asks for 512, and for more where extensions
/// add parameters.
const LONGEST: usize = 2048;

/// Octets that have come and were not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    octets: Vec<u8>,
    /// How many of them are done with.
    done: usize,
}

/// What is no command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineError {
    TooLong,
    /// It ends in less than CR LF, or has a CR, an LF or a NUL within.
    Bare,
}

impl Lines {
    /// Octets have come.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.octets.drain(..self.done);
        self.done = 0;
        self.octets.extend_from_slice(octets);
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &[u8] {
        self.octets.get(self.done..).unwrap_or_default()
    }

    /// So many octets of what is left are done with.
    pub(crate) fn skip(&mut self, count: usize) {
        self.done = (self.done + count).min(self.octets.len());
    }

    /// The next line with its CR LF; `None` where it is not whole yet.
    pub(crate) fn next(&mut self) -> Option<Result<Vec<u8>, LineError>> {
        let rest = self.rest();
        let Some(end) = memchr(b'\n', rest) else {
            return (rest.len() >= LONGEST).then_some(Err(LineError::TooLong));
        };
        let line = rest.get(..=end).unwrap_or_default().to_vec();
        self.skip(line.len());
        let text = line.strip_suffix(b"\r\n");
        Some(match text {
            _ if line.len() > LONGEST => Err(LineError::TooLong),
            Some(text) if !text.iter().any(|octet| matches!(octet, b'\r' | b'\0')) => Ok(line),
            _ => Err(LineError::Bare),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_cr_lf_and_nothing_else() {
        let mut lines = Lines::default();
        lines.push(b"NOOP\r\nQU");
        assert_eq!(lines.next(), Some(Ok(b"NOOP\r\n".to_vec())));
        assert_eq!(lines.next(), None);
        lines.push(b"IT\r\nrest");
        assert_eq!(lines.next(), Some(Ok(b"QUIT\r\n".to_vec())));
        assert_eq!(lines.rest(), b"rest");
        for bare in ["NOOP\n", "NO\rOP\r\n", "NOOP\r\r\n", "NO\0OP\r\n"] {
            let mut lines = Lines::default();
            lines.push(bare.as_bytes());
            assert_eq!(lines.next(), Some(Err(LineError::Bare)), "{bare:?}");
        }
        for long in ["x".repeat(2048), "x".repeat(2048) + "\r\n"] {
            let mut lines = Lines::default();
            lines.push(long.as_bytes());
            assert_eq!(lines.next(), Some(Err(LineError::TooLong)));
        }
    }
}
