//! Exit codes (sysexits.h), and the errors that carry them.

use std::fmt;

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// The input is wrong.
pub const DATA: u8 = 65;
/// There is no such user.
pub const NO_USER: u8 = 67;
/// Something that is needed is not there to be used, such as a port.
pub const UNAVAILABLE: u8 = 69;
/// A fault of this program.
pub const SOFTWARE: u8 = 70;
/// The system refuses something.
pub const OS: u8 = 71;
/// A file cannot be read or written.
pub const IO: u8 = 74;
/// It may go well another time.
pub const TEMPORARY: u8 = 75;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// Why a command failed: one line for people, and its exit code.
#[derive(Debug)]
pub struct Failure {
    /// What sysexits calls it.
    pub code: u8,
    what: String,
}

impl Failure {
    /// A failure with the text of `what`.
    pub fn new(code: u8, what: impl fmt::Display) -> Self {
        Self { code, what: what.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.what))
    }
}

/// A text in one line that moves no terminal's cursor: it may name files that strangers have named.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

/// Gives a failure's exit code to any error.
pub trait OrExit<T> {
    /// The value, or a failure with this code.
    fn or_exit(self, code: u8) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: u8) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_it_names() {
        let failure = Failure::new(IO, "cannot read a\u{1b}[2Jb\nc\u{9b}d\u{e4}");
        assert_eq!(failure.to_string(), "cannot read a\\u{1b}[2Jb\\nc\\u{9b}d\u{e4}");
    }
}
