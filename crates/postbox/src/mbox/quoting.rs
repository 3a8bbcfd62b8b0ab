//! mboxrd: every line of a message like `From `, `>From `, `>>From ` has one `>` more in the file.

use memchr::memchr;

const FROM: &[u8] = b"From ";

/// What changes at a line that is `>`s and then `From `.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Quote,
    Unquote,
}

/// Changes the quoting of a message piece by piece, wherever it is split.
#[derive(Debug)]
pub(super) struct Quoting {
    change: Change,
    place: Place,
    last: Option<u8>,
}

/// Where in a line the next octet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its start, or behind so many `>`s there; the first of these is not written yet.
    Marks(usize),
    /// Behind either and so many octets of `From `, none of which is written yet.
    From(usize, usize),
    /// Further in, where all octets are alike.
    Inside,
}

impl Quoting {
    /// From a message as stored elsewhere to its form in an mbox.
    pub(super) fn quote() -> Self {
        Self { change: Change::Quote, place: Place::Marks(0), last: None }
    }

    /// The other way. mboxo, in which only `From ` is quoted, is read so too.
    pub(super) fn unquote() -> Self {
        Self { change: Change::Unquote, place: Place::Marks(0), last: None }
    }

    /// Appends the next piece of the message to `out`, as far as it can be said.
    pub(super) fn change(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.last = piece.last().copied().or(self.last);
        let mut rest = piece;
        while let Some((&octet, tail)) = rest.split_first() {
            self.place = match self.place {
                Place::Marks(marks) if octet == b'>' => {
                    rest = tail;
                    if marks > 0 {
                        out.push(b'>');
                    }
                    Place::Marks(marks + 1)
                }
                Place::Marks(marks) => Place::From(marks, 0),
                Place::From(marks, matched) if FROM.get(matched) == Some(&octet) => {
                    rest = tail;
                    if matched + 1 < FROM.len() {
                        Place::From(marks, matched + 1)
                    } else {
                        match self.change {
                            Change::Quote => out.extend(std::iter::repeat_n(b'>', marks.min(1) + 1)),
                            // One `>` of several has been held back, and goes.
                            Change::Unquote => {}
                        }
                        out.extend_from_slice(FROM);
                        Place::Inside
                    }
                }
                Place::From(..) => {
                    self.release(out);
                    Place::Inside
                }
                Place::Inside => {
                    let line_end = memchr(b'\n', rest);
                    let (line, next) = rest.split_at(line_end.map_or(rest.len(), |at| at + 1));
                    out.extend_from_slice(line);
                    rest = next;
                    if line_end.is_some() { Place::Marks(0) } else { Place::Inside }
                }
            };
        }
    }

    /// Appends what was held back. Returns the message's last octet, if it has any.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Option<u8> {
        self.release(out);
        self.last
    }

    /// Appends the beginning of a line that turned out to be none to be changed.
    fn release(&mut self, out: &mut Vec<u8>) {
        let (marks, matched) = match self.place {
            Place::Marks(marks) => (marks, 0),
            Place::From(marks, matched) => (marks, matched),
            Place::Inside => (0, 0),
        };
        if marks > 0 {
            out.push(b'>');
        }
        out.extend_from_slice(FROM.get(..matched).unwrap_or_default());
        self.place = Place::Inside;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed<'a>(mut quoting: Quoting, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut out = Vec::new();
        pieces.into_iter().for_each(|piece| quoting.change(piece, &mut out));
        quoting.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_that_look_like_from_are_quoted() {
        for (stored, mbox) in [
            ("", ""),
            ("Woof.\n", "Woof.\n"),
            ("Woof.", "Woof."),
            ("From fred\n>From x\n>>From y\n", ">From fred\n>>From x\n>>>From y\n"),
            ("from x\nFromx\nFrom\n From \n> From \n", "from x\nFromx\nFrom\n From \n> From \n"),
            ("a\nFrom", "a\nFrom"),
            ("a\n>>", "a\n>>"),
            ("FromFrom x\nFFrom y\n", "FromFrom x\nFFrom y\n"),
            ("From From \n", ">From From \n"),
            ("\n\n>\n>>\nFrom ", "\n\n>\n>>\n>From "),
        ] {
            assert_eq!(changed(Quoting::quote(), [stored.as_bytes()]), mbox, "{stored:?}");
            assert_eq!(changed(Quoting::unquote(), [mbox.as_bytes()]), stored, "{mbox:?}");
        }
        assert_eq!(changed(Quoting::unquote(), [&b">From x\nFrom y\n"[..]]), "From x\nFrom y\n", "mboxo");
    }

    proptest! {
        #[test]
        fn any_message_comes_back_wherever_it_was_split(
            stored in "(>{0,3}(From |Fro|From|x)?[ F\n]?){0,12}",
            piece in 1_usize..9,
        ) {
            let whole = changed(Quoting::quote(), [stored.as_bytes()]);
            prop_assert!(!whole.starts_with("From ") && !whole.contains("\nFrom "));
            prop_assert_eq!(&changed(Quoting::quote(), stored.as_bytes().chunks(piece)), &whole);
            prop_assert_eq!(&changed(Quoting::unquote(), whole.as_bytes().chunks(piece)), &stored);
        }
    }
}
