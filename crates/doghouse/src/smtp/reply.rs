//! What the client is told.

use std::fmt;

/// A reply: a code, an enhanced status code (RFC 3463) and a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits; from 400 on the client may try again, from 500 on it should not.
    pub code: u16,
    /// Such as `5.1.1`.
    pub status: &'static str,
    /// Printable ASCII in one line.
    pub text: String,
}

impl Reply {
    /// A reply.
    pub fn new(code: u16, status: &'static str, text: impl fmt::Display) -> Self {
        // What a client has said may be in a text: nothing of it begins another line.
        let text = text.to_string();
        let text = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(400).collect();
        Self { code, status, text }
    }

    /// Whether it says that all went well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code < 400
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.text)
    }
}
