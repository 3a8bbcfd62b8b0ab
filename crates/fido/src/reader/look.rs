//! What the terminal can show: colours or attributes alone, any characters or ASCII alone.

use std::env;

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};

/// How things look. Nothing has a background of its own, so that light and dark terminals both do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether the terminal's sixteen colours are used.
    pub colours: bool,
    /// Whether nothing but ASCII is written.
    pub ascii: bool,
}

impl Look {
    /// By the environment.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::of(|name| env::var(name).ok())
    }

    /// By variables of an environment.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            colours: set("NO_COLOR").is_none() && !is_plain(&set("TERM").unwrap_or_default()),
            ascii: !locale.contains("utf-8") && !locale.contains("utf8"),
        }
    }

    /// A colour, where there are colours, and attributes that say the same without.
    #[must_use]
    pub fn style(self, colour: Color, otherwise: Modifier) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new().add_modifier(otherwise) }
    }

    /// The last thing before a screen is written: nothing but what this terminal can show. Control characters cannot
    /// have come so far; if one does, it ends here.
    pub fn confine(self, buffer: &mut Buffer) {
        for cell in &mut buffer.content {
            let is_plain = |character: char| !character.is_control() && (character.is_ascii() || !self.ascii);
            if !cell.symbol().chars().all(is_plain) {
                cell.set_symbol("?");
            }
        }
    }
}

/// Whether a terminal has no colours, and nothing that came later.
pub(super) fn is_plain(term: &str) -> bool {
    term.is_empty() || term == "dumb" || term.starts_with("vt1") || term.starts_with("vt2")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(variables: &[(&str, &str)]) -> (bool, bool) {
        let find = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        let look = Look::of(find);
        (look.colours, look.ascii)
    }

    #[test]
    fn the_environment_tells_what_can_be_shown() {
        for (variables, colours, ascii) in [
            (&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")][..], true, false),
            (&[("TERM", "xterm"), ("LANG", "C.utf8"), ("LC_ALL", "C")], true, true),
            (&[("TERM", "xterm"), ("LC_ALL", ""), ("LC_CTYPE", "C.utf8")], true, false),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], false, true),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true, true),
            (&[("TERM", "vt100")], false, true),
            (&[("TERM", "dumb")], false, true),
            (&[], false, true),
        ] {
            assert_eq!(look(variables), (colours, ascii), "{variables:?}");
        }
    }
}
