//! From the wire to a file: CR LF becomes LF, and nothing else is touched.

use memchr::memchr_iter;

/// Converts a message from its wire form piece by piece, wherever it is split. A lone CR or LF stays.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The piece before ended in a CR that is not written yet: an LF may follow.
    after_cr: bool,
}

impl Decoder {
    /// Appends what the next piece of the message is in a file to `stored`.
    pub fn decode(&mut self, wire: &[u8], stored: &mut Vec<u8>) {
        let Some((&last, _)) = wire.split_last() else { return };
        if self.after_cr && wire.first() != Some(&b'\n') {
            stored.push(b'\r');
        }
        let mut done = 0;
        for at in memchr_iter(b'\n', wire) {
            let line = wire.get(done..at).unwrap_or_default();
            stored.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            stored.push(b'\n');
            done = at + 1;
        }
        let rest = wire.get(done..).unwrap_or_default();
        self.after_cr = last == b'\r';
        stored.extend_from_slice(rest.strip_suffix(b"\r").unwrap_or(rest));
    }

    /// Appends what is left when no more pieces come.
    pub fn finish(self, stored: &mut Vec<u8>) {
        if self.after_cr {
            stored.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut decoder, mut stored) = (Decoder::default(), Vec::new());
        pieces.into_iter().for_each(|piece| decoder.decode(piece, &mut stored));
        decoder.finish(&mut stored);
        stored
    }

    #[test]
    fn only_cr_lf_changes() {
        for (wire, stored) in [
            ("", ""),
            ("\r\n", "\n"),
            ("a\r\nb", "a\nb"),
            ("a\rb\nc\r", "a\rb\nc\r"),
            ("\r\r\n\r\n\n\r", "\r\n\n\n\r"),
            ("\n\r", "\n\r"),
        ] {
            assert_eq!(decoded([wire.as_bytes()]), stored.as_bytes(), "{wire:?}");
            assert_eq!(decoded(wire.as_bytes().chunks(1)), stored.as_bytes(), "{wire:?} octet by octet");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_message_is_split(
            wire in prop::collection::vec(prop::sample::select(b"ab\r\r\n\n".to_vec()), 0..80),
            piece in 1_usize..9,
        ) {
            let whole = String::from_utf8(wire.clone()).unwrap().replace("\r\n", "\n");
            prop_assert_eq!(decoded(wire.chunks(piece)), whole.as_bytes());
            prop_assert_eq!(decoded([wire.as_slice(), b""]), whole.as_bytes());
        }

        #[test]
        fn what_was_stored_with_lf_comes_back(stored in "([a-z]{0,5}\r?[a-z]{1,3}\n){0,9}[a-z]{1,3}") {
            let (mut encoder, mut wire) = (pop2::wire::Encoder::default(), Vec::new());
            encoder.encode(stored.as_bytes(), &mut wire);
            prop_assert_eq!(decoded([wire.as_slice()]), stored.as_bytes());
        }
    }
}
