//! Why a configuration is not taken, with the place in the file and the remedy.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Why a configuration is not taken. It shows itself in one line that names the place and the remedy.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    what: String,
}

impl ConfigError {
    /// `at` is line and column, from 1.
    pub(super) fn new(path: &Path, at: Option<(usize, usize)>, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), at, what: what.into() }
    }

    /// What the parser of TOML says of a text.
    pub(super) fn of_syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map(|span| line_and_column(text, span.start));
        Self::new(path, at, explain(error.message()))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// What to write instead, where the parser only says what is wrong.
const HINTS: [(&str, &str); 3] = [
    ("socket address", ": write address and port, such as \"127.0.0.1:1109\""),
    ("IP address", ": write networks, such as \"192.168.7.0/24\""),
    ("invalid type: map, expected a sequence", ": write [[listener]], with two brackets"),
];

/// The parser's message in one line, with the nearest valid name where a key is unknown.
fn explain(message: &str) -> String {
    // The key comes first and may hold anything, back quotes too; the valid names come last.
    let unknown_field =
        message.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "));
    let Some((unknown, expected)) = unknown_field else {
        let message = message.trim().replace('\n', "; ");
        let hint = HINTS.iter().find(|(part, _)| message.contains(part)).map_or("", |(_, hint)| hint);
        return message + hint;
    };
    let valid: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = valid
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= 3 && *distance * 2 <= unknown.chars().count());
    match nearest {
        Some((_, name)) => format!("unknown key {unknown:?}; did you mean {name:?}?"),
        None => format!("unknown key {unknown:?}; there are {}", valid.join(", ")),
    }
}
