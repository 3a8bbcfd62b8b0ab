//! POP3's multi-line answers: a line that begins with a dot has one more, and a dot alone is the end (RFC 1939, 3).

use memchr::memmem::Finder;

/// Where in a line it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Middle,
    /// Behind a dot at the start, which is not passed on.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
}

/// Undoes it, in pieces as they come.
#[derive(Debug)]
pub(super) struct Unstuffer {
    place: Place,
    dotted: Finder<'static>,
}

impl Default for Unstuffer {
    fn default() -> Self {
        Self { place: Place::Start, dotted: Finder::new(b"\n.") }
    }
}

impl Unstuffer {
    /// Passes on what is the message's; how much was taken, and whether the end was in it. After the end it is ready
    /// for the next message.
    pub(super) fn take(&mut self, data: &[u8], mut pass: impl FnMut(&[u8])) -> (usize, bool) {
        let mut taken = 0;
        while let Some(rest) = data.get(taken..).filter(|rest| !rest.is_empty()) {
            let first = rest.first().copied();
            match self.place {
                Place::Start if first == Some(b'.') => {
                    self.place = Place::Dot;
                    taken += 1;
                }
                Place::Start => self.place = Place::Middle,
                Place::Dot if first == Some(b'\r') => {
                    self.place = Place::DotCr;
                    taken += 1;
                }
                Place::Dot => self.place = Place::Middle,
                Place::DotCr if first == Some(b'\n') => {
                    self.place = Place::Start;
                    return (taken + 1, true);
                }
                Place::DotCr => {
                    pass(b"\r");
                    self.place = Place::Middle;
                }
                Place::Middle => {
                    let here = self.dotted.find(rest).map_or(rest.len(), |found| found + 1);
                    let piece = rest.get(..here).unwrap_or(rest);
                    pass(piece);
                    taken += piece.len();
                    if piece.last() == Some(&b'\n') {
                        self.place = Place::Start;
                    }
                }
            }
        }
        (taken, false)
    }
}

#[cfg(test)]
mod tests {
    use super::Unstuffer;

    /// What comes out in pieces of a size, and what is left behind the end.
    fn unstuff(wire: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
        let mut unstuffer = Unstuffer::default();
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            let piece = &wire[at..wire.len().min(at + size)];
            assert!(!piece.is_empty(), "no end in {:?}", String::from_utf8_lossy(wire));
            let (taken, ended) = unstuffer.take(piece, |piece| out.extend_from_slice(piece));
            at += taken;
            if ended {
                return (out, wire[at..].to_vec());
            }
            assert_eq!(taken, piece.len());
        }
    }

    #[test]
    fn dots_are_undone_wherever_the_pieces_end() {
        let cases: [(&str, &str); 8] = [
            ("one\r\n.\r\n", "one\r\n"),
            (".\r\n", ""),
            ("..\r\n.\r\n", ".\r\n"),
            ("a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"),
            ("\r\n\r\n.\r\n", "\r\n\r\n"),
            ("a.\r\n.\r\n", "a.\r\n"),
            (".\rx\r\n.\r\n", "\rx\r\n"),
            ("x\n..y\r\n.\r\n", "x\n.y\r\n"),
        ];
        for (wire, message) in cases {
            let wire = format!("{wire}+OK next\r\n");
            for size in 1..=wire.len() {
                let (out, rest) = unstuff(wire.as_bytes(), size);
                assert_eq!(String::from_utf8(out).unwrap(), message, "in pieces of {size}");
                assert_eq!(rest, b"+OK next\r\n");
            }
        }
    }
}
