//! What the user types, as far as it must be understood: so that no password is shown.

use pop2::User;

use crate::escape::Line;

/// A line as it may be shown: without its password.
pub(super) fn hidden(line: &[u8]) -> String {
    let mut words = words(line);
    match (keyword(words.next()).as_slice(), words.next(), words.next()) {
        (b"HELO", Some(user), Some(_)) => format!("HELO {} ********", Line(user)),
        // A word of POP3, from habit.
        (b"PASS", Some(_), _) => "PASS ********".to_owned(),
        _ => Line(line).to_string(),
    }
}

/// The user of a HELO that lacks its password.
pub(super) fn lone_user(line: &[u8]) -> Option<User> {
    let mut words = words(line);
    match (keyword(words.next()).as_slice(), words.next(), words.next()) {
        (b"HELO", Some(user), None) => User::new(std::str::from_utf8(user).ok()?).ok(),
        _ => None,
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn keyword(word: Option<&[u8]>) -> Vec<u8> {
    word.unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (line, shown) in [
            ("HELO fred bone", "HELO fred ********"),
            ("  helo\tfred   my old bone", "HELO fred ********"),
            (r"HELO fr\ ed bone", r"HELO fr\ ********"),
            ("HELO fred knöchel", "HELO fred ********"),
            ("pass bone", "PASS ********"),
            ("HELO fred", "HELO fred"),
            ("FOLD my\\ mail", "FOLD my\\ mail"),
            ("\x1b[2J", r"\x1b[2J"),
            ("", ""),
        ] {
            assert_eq!(hidden(line.as_bytes()), shown);
        }
    }

    #[test]
    fn a_helo_without_a_password_is_seen() {
        assert_eq!(lone_user(b"helo fred ").unwrap().as_str(), "fred");
        for line in ["HELO", "HELO fred bone", "FOLD fred", ""] {
            assert_eq!(lone_user(line.as_bytes()), None, "{line:?}");
        }
    }
}
