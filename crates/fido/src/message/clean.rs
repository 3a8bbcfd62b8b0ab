//! Which characters a stranger's text may bring to a terminal.

use unicode_width::UnicodeWidthChar;

/// Combining marks that one cell may carry; scripts in use need no more, and more of them cover other lines.
pub(super) const MAX_MARKS: usize = 3;

/// The characters of `text` that may be shown, each with its width in columns.
///
/// - A control character is replaced by its picture, one of C1 by U+FFFD; a tab stays, with no width.
/// - Characters that are invisible or that reorder text (Unicode's format characters, fillers, variation
///   selectors, tags) are left out, so that what is seen is what is there.
/// - Line and paragraph separators and the no-break space become a blank.
/// - Of the marks on one cell, [`MAX_MARKS`] stay; one without a cell to stand on is left out.
pub(super) fn safe(text: &str) -> impl Iterator<Item = (char, usize)> {
    let mut marks = MAX_MARKS;
    text.chars().filter_map(move |character| {
        let shown = match character {
            ' '..='~' => (character, 1),
            '\t' => (character, 0),
            '\0'..='\u{1f}' => (char::from_u32(0x2400 + u32::from(character)).unwrap_or(' '), 1),
            '\u{7f}' => ('\u{2421}', 1),
            '\u{a0}' | '\u{2028}' | '\u{2029}' => (' ', 1),
            _ if is_hidden(character) => return None,
            _ => match character.width() {
                Some(0) if marks >= MAX_MARKS => return None,
                Some(0) => {
                    marks += 1;
                    return Some((character, 0));
                }
                Some(width) => (character, width),
                None => (char::REPLACEMENT_CHARACTER, 1),
            },
        };
        marks = if shown.1 == 0 { MAX_MARKS } else { 0 };
        Some(shown)
    })
}

/// A text as one line: as [`safe`] gives it, with a blank for each tab and line end, and none at either end.
pub(crate) fn one_line(text: &str) -> String {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return text.trim().to_owned();
    }
    let blank = |character| if matches!(character, '\t' | '\n' | '\r') { ' ' } else { character };
    let text: String = text.chars().map(blank).collect();
    let line: String = safe(text.trim()).map(|(character, _)| character).collect();
    line.trim().to_owned()
}

/// Whether a character shows nothing, or changes the order in which others are shown.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{13440}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_as_a_picture() {
        assert_eq!(one_line("\x1b]0;gone\x07 \x7f\u{9b}2J"), "␛]0;gone␇ ␡\u{fffd}2J");
        assert_eq!(one_line(" a\r\n b\tc\0 "), "a   b c␀");
    }

    #[test]
    fn what_is_invisible_is_left_out() {
        assert_eq!(one_line("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(one_line("a\u{200b}\u{200d}\u{feff}\u{e0041}\u{3164}b\u{2028}c\u{a0}d"), "ab c d");
    }

    #[test]
    fn marks_on_a_cell_are_bounded_and_stand_on_one() {
        assert_eq!(one_line(&format!("e{}", "\u{301}".repeat(50))), "e\u{301}\u{301}\u{301}");
        assert_eq!(one_line("\u{301}e\u{301}"), "e\u{301}");
    }
}
