//! The message behind DATA (RFC 5321, 4.5.2): dots undone, the end found, line ends as stores keep them.

use memchr::memchr2;

/// Undoes what the wire does to a message, wherever it is split.
///
/// Lines end in CR LF and in nothing else, and the message ends at CR LF, dot, CR LF and nowhere else. A CR or
/// an LF on its own is noted: whoever sends one may mean a message to end where another server does not see
/// the end, so that what follows is taken for commands of ours (SMTP smuggling).
#[derive(Debug)]
pub(crate) struct Decoder {
    place: Place,
    bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a line.
    Start,
    /// Behind a dot there.
    Dot,
    /// Behind a dot and a CR there.
    DotCr,
    /// Further in.
    Inside,
    /// Behind a CR that is not written yet.
    Cr,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { place: Place::Start, bare: false }
    }

    /// Whether a CR or an LF stood on its own.
    pub(crate) fn has_bare(&self) -> bool {
        self.bare
    }

    /// Appends to `stored` what the octets say. Returns how many of them belong to the message where it ends
    /// among them; else `None`, and all do.
    pub(crate) fn decode(&mut self, wire: &[u8], stored: &mut Vec<u8>) -> Option<usize> {
        let mut rest = wire;
        while let Some((&octet, tail)) = rest.split_first() {
            let (place, taken) = match (self.place, octet) {
                (Place::Start, b'.') => (Place::Dot, true),
                (Place::Start, _) => (Place::Inside, false),
                (Place::Dot, b'\r') => (Place::DotCr, true),
                (Place::Dot, _) => (Place::Inside, false),
                (Place::DotCr, b'\n') => return Some(wire.len() - tail.len()),
                (Place::DotCr, _) => (Place::Cr, false),
                (Place::Inside, b'\r') => (Place::Cr, true),
                (Place::Inside, b'\n') => {
                    self.bare = true;
                    stored.push(octet);
                    (Place::Inside, true)
                }
                (Place::Inside, _) => {
                    let length = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    let (text, next) = rest.split_at(length);
                    stored.extend_from_slice(text);
                    rest = next;
                    continue;
                }
                (Place::Cr, b'\n') => {
                    stored.push(octet);
                    (Place::Start, true)
                }
                (Place::Cr, _) => {
                    self.bare = true;
                    stored.push(b'\r');
                    (Place::Inside, false)
                }
            };
            self.place = place;
            if taken {
                rest = tail;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was stored, whether anything was bare, and what was left behind the end.
    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, bool, Option<Vec<u8>>) {
        let (mut decoder, mut stored, mut left) = (Decoder::new(), Vec::new(), None::<Vec<u8>>);
        for piece in pieces {
            match &mut left {
                Some(left) => left.extend_from_slice(piece),
                None => left = decoder.decode(piece, &mut stored).map(|end| piece[end..].to_vec()),
            }
        }
        (stored, decoder.has_bare(), left)
    }

    #[test]
    fn dots_are_undone_and_the_end_is_found() {
        for (wire, stored, left) in [
            (".\r\n", "", Some("")),
            ("woof\r\n.\r\nQUIT\r\n", "woof\n", Some("QUIT\r\n")),
            ("..\r\n...\r\n.x\r\n.\r\n", ".\n..\nx\n", Some("")),
            ("a\r\n.", "a\n", None),
            ("a\r\n.\r", "a\n", None),
            ("a.\r\n.\r\n", "a.\n", Some("")),
        ] {
            let expected = (stored.as_bytes().to_vec(), false, left.map(|left| left.as_bytes().to_vec()));
            assert_eq!(decoded([wire.as_bytes()]), expected, "{wire:?}");
        }
    }

    #[test]
    fn what_other_servers_take_for_an_end_is_none_and_is_noted() {
        for end in
            ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\n.\r", "\r.\n", "\r\n.\r\r\n"]
        {
            let wire = format!("woof{end}MAIL FROM:<x@y>\r\n.\r\nrest");
            let (stored, bare, left) = decoded([wire.as_bytes()]);
            assert!(bare, "{end:?}");
            assert_eq!(left.as_deref(), Some(&b"rest"[..]), "{end:?}");
            assert!(String::from_utf8(stored).unwrap().contains("MAIL FROM"), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_message_is_split(wire in "([.x\r\n]|\r\n|\r\n\\.\r\n){0,30}", piece in 1_usize..7) {
            prop_assert_eq!(decoded(wire.as_bytes().chunks(piece)), decoded([wire.as_bytes()]));
        }

        #[test]
        fn what_was_made_ready_for_the_wire_comes_back(stored in "([.]{0,3}[a-z. ]{0,9}\n){0,12}") {
            let wire: String = stored
                .split_inclusive('\n')
                .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
                .collect();
            let wire = wire.replace('\n', "\r\n") + ".\r\n";
            prop_assert_eq!(decoded([wire.as_bytes()]), (stored.into_bytes(), false, Some(Vec::new())));
        }
    }
}
