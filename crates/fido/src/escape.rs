//! What a server sent, shown so that it cannot move the terminal's cursor.

use std::fmt::{self, Write};

/// Part of a line, with everything escaped that is not printable ASCII or a tab.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a>(pub &'a [u8]);

/// Part of a text of many lines, escaped as a [`Line`] is but for the line ends.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&octet| match octet {
            b'\t' | b' '..=b'~' => f.write_char(char::from(octet)),
            _ => octet.escape_ascii().fmt(f),
        })
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split_inclusive(|&octet| octet == b'\n').try_for_each(|line| match line.split_last() {
            Some((b'\n', line)) => writeln!(f, "{}", Line(line)),
            _ => Line(line).fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_characters_stay_and_the_rest_is_escaped() {
        assert_eq!(Line(b"it's \"my\\ bone\"\t!").to_string(), "it's \"my\\ bone\"\t!");
        assert_eq!(Line(b"\x1b]0;gone\x07\r\n\xc3\xa4").to_string(), r"\x1b]0;gone\x07\r\n\xc3\xa4");
        assert_eq!(Text(b"one\n\x1b[2J\n\ntwo").to_string(), "one\n\\x1b[2J\n\ntwo");
    }
}
