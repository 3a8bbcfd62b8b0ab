//! What any text for a terminal has to keep to; written apart from the code that sees to it.

use fido::message::View;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character acts on a terminal, reorders text or is not seen.
pub(crate) fn is_forbidden(character: char) -> bool {
    let code = u32::from(character);
    character.is_control()
        || [0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x3164, 0xfeff, 0xffa0, 0x2028, 0x2029].contains(&code)
        || (0x200b..=0x200f).contains(&code)
        || (0x202a..=0x202e).contains(&code)
        || (0x2060..=0x206f).contains(&code)
        || (0xfe00..=0xfe0f).contains(&code)
        || (0xe_0000..=0xe_0fff).contains(&code)
}

/// Checks one line of text.
pub(crate) fn check_line(text: &str) {
    assert!(!text.contains(is_forbidden), "{text:?}");
    let mut marks = 0;
    for character in text.chars() {
        marks = if character.width() == Some(0) { marks + 1 } else { 0 };
        assert!(marks <= 3, "{text:?}");
    }
}

/// Checks every text of a view, and that its lines are at most so wide.
pub(crate) fn check(view: &View, width: usize) {
    for line in view.lines().iter().chain(&view.short_heading(|_| None)).chain(&view.heading()) {
        check_line(&line.text);
        let columns: usize = line.text.chars().filter_map(UnicodeWidthChar::width).sum();
        assert!(columns <= width && line.text.width() <= width, "{:?} at {width}", line.text);
    }
    for field in view.fields() {
        check_line(&field.name);
        check_line(&field.value);
    }
    for link in view.links() {
        check_line(&link.text);
        assert!(link.target.bytes().all(|octet| octet.is_ascii_graphic()), "{:?}", link.target);
    }
    for attachment in view.attachments() {
        check_line(&attachment.name);
        check_line(&attachment.media);
        check_name(&attachment.name);
    }
}

/// Checks that a name is one of a file in its folder.
pub(crate) fn check_name(name: &str) {
    check_line(name);
    assert!((1..=200).contains(&name.len()), "{name:?}");
    assert!(
        !name.contains(['/', '\\']) && !name.starts_with(['.', ' ', '-']) && !name.ends_with(['.', ' ']),
        "{name:?}"
    );
}
