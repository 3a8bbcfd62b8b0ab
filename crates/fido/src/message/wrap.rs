//! Text cut into lines of so many columns.

use super::clean::safe;

/// Columns between two tab stops.
const TAB: usize = 8;

/// Cuts `text`, which has no line ends, into lines of at most `width` columns, at blanks where there are any.
///
/// `emit` takes each line and whether the next one goes on with it; there is one at least, if only an empty one.
/// It returns whether it wants more. Tabs become blanks; where a wide character cannot fit, U+FFFD stands for it.
pub(super) fn wrap(text: &str, width: usize, emit: impl FnMut(&str, bool) -> bool) {
    let mut lines =
        Lines { width: width.max(1), line: String::new(), columns: 0, after_blank: None, inked: false, emit };
    for (character, columns) in safe(text) {
        let more = match character {
            '\t' => (0..TAB - lines.columns % TAB).all(|_| lines.put(' ', 1)),
            _ if columns > lines.width => lines.put(char::REPLACEMENT_CHARACTER, 1),
            _ => lines.put(character, columns),
        };
        if !more {
            return;
        }
    }
    (lines.emit)(lines.line.trim_end_matches(' '), false);
}

struct Lines<F> {
    width: usize,
    line: String,
    columns: usize,
    /// The place after the last blank, in octets and in columns, once something precedes it that is none.
    after_blank: Option<(usize, usize)>,
    inked: bool,
    emit: F,
}

impl<F: FnMut(&str, bool) -> bool> Lines<F> {
    fn put(&mut self, character: char, columns: usize) -> bool {
        let mut more = true;
        if self.columns + columns > self.width {
            let (octets, kept) = match self.after_blank {
                Some(place) if character != ' ' => place,
                _ => (self.line.len(), self.columns),
            };
            let rest = self.line.split_off(octets);
            more = (self.emit)(self.line.trim_end_matches(' '), true);
            self.line = rest;
            self.columns -= kept;
            self.after_blank = None;
            self.inked = !self.line.is_empty();
            if character == ' ' {
                return more;
            }
        }
        self.line.push(character);
        self.columns += columns;
        if character != ' ' {
            self.inked = true;
        } else if self.inked {
            self.after_blank = Some((self.line.len(), self.columns));
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        wrap(text, width, |line, _| {
            lines.push(line.to_owned());
            true
        });
        lines
    }

    #[test]
    fn lines_break_at_blanks_and_within_words_only_where_there_are_none() {
        assert_eq!(wrapped("the dog sleeps", 8), ["the dog", "sleeps"]);
        assert_eq!(wrapped("the dog", 7), ["the dog"]);
        assert_eq!(wrapped("doghouse bone", 4), ["dogh", "ouse", "bone"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("  fn x", 80), ["  fn x"]);
    }

    #[test]
    fn wide_characters_and_marks_are_never_split() {
        assert_eq!(wrapped("犬小屋", 5), ["犬小", "屋"]);
        assert_eq!(wrapped("犬", 1), ["\u{fffd}"]);
        assert_eq!(wrapped("abe\u{301}c", 3), ["abe\u{301}", "c"]);
    }

    #[test]
    fn tabs_go_to_the_next_stop() {
        assert_eq!(wrapped("a\tb", 80), ["a       b"]);
    }
}
