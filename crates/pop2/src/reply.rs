//! Replies: what a server says (RFC 937, "Replies").

use std::{
    fmt::{self, Write as _},
    io::Write,
};

use crate::{LineTooLong, MAX_LINE};

/// A reply line. The mark and the number are the protocol's; the text is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+`: the greeting, or the answer to QUIT.
    Ok(Text<'a>),
    /// `-`: failure; the server closes the connection.
    Error(Text<'a>),
    /// `#`: the number of messages in a mailbox.
    Count(u32, Text<'a>),
    /// `=`: the length of a message on the wire, in octets.
    Length(u64, Text<'a>),
}

/// The text of a reply as it came. It shows itself with everything escaped that is not printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// The octets as they came.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in self.0 {
            match octet {
                b' '..=b'~' => f.write_char(octet.into())?,
                _ => write!(f, "\\x{octet:02x}")?,
            }
        }
        Ok(())
    }
}

/// Why a line is not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// It begins with none of the four marks.
    #[error("a reply begins with + - # or =")]
    Mark,
    /// The number is missing, or larger than any mailbox or message.
    #[error("no number that counts messages or octets follows the mark")]
    Number,
    /// The line goes on past its limit.
    #[error(transparent)]
    TooLong(#[from] LineTooLong),
}

impl<'a> Reply<'a> {
    /// Reads a line without its end.
    pub fn parse(line: &'a [u8]) -> Result<Self, ReplyError> {
        let Some((&mark, rest)) = line.split_first() else {
            return Err(ReplyError::Mark);
        };
        match mark {
            b'+' => Ok(Self::Ok(text(rest))),
            b'-' => Ok(Self::Error(text(rest))),
            b'#' => {
                let (count, text) = number(rest)?;
                Ok(Self::Count(u32::try_from(count).map_err(|_| ReplyError::Number)?, text))
            }
            b'=' => number(rest).map(|(length, text)| Self::Length(length, text)),
            _ => Err(ReplyError::Mark),
        }
    }

    /// Appends the reply's line with CR LF to `wire`. The text is cut where the line would grow too long, and
    /// what is not printable ASCII in it becomes a question mark.
    pub fn encode(&self, wire: &mut Vec<u8>) {
        let start = wire.len();
        let text = match self {
            Self::Ok(text) => {
                wire.push(b'+');
                text
            }
            Self::Error(text) => {
                wire.push(b'-');
                text
            }
            Self::Count(count, text) => {
                // Writing to a vector cannot fail.
                let _ = write!(wire, "#{count}");
                text
            }
            Self::Length(length, text) => {
                let _ = write!(wire, "={length}");
                text
            }
        };
        if !text.0.is_empty() {
            wire.push(b' ');
            let room = (start + MAX_LINE).saturating_sub(wire.len() + b"\r\n".len());
            let printable = |octet: &u8| if matches!(octet, b' '..=b'~') { *octet } else { b'?' };
            let cut = text.0.get(..room).unwrap_or(text.0).trim_ascii_end();
            wire.extend(cut.iter().map(printable));
        }
        wire.extend_from_slice(b"\r\n");
    }
}

/// The line as it may be shown.
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Ok(text) => f.write_str("+").map(|()| text),
            Self::Error(text) => f.write_str("-").map(|()| text),
            Self::Count(count, text) => write!(f, "#{count}").map(|()| text),
            Self::Length(length, text) => write!(f, "={length}").map(|()| text),
        }?;
        if text.0.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

/// What a server says of itself when a connection opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// `+ POP2 host`, as RFC 937 says.
    Pop2 {
        /// The mailbox server's name, shown harmlessly.
        host: String,
    },
    /// `+OK`: a POP3 server, or MH's, which speaks both.
    Pop3,
    /// Some other `+`.
    Other,
}

impl Greeting {
    /// Reads the text of the `+` reply.
    #[must_use]
    pub fn of(text: Text<'_>) -> Self {
        let mut words = text.0.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some(b"POP2"), Some(host)) => Self::Pop2 { host: Text(host).to_string() },
            (Some(b"OK"), _) => Self::Pop3,
            _ => Self::Other,
        }
    }
}

fn text(octets: &[u8]) -> Text<'_> {
    Text(octets.trim_ascii())
}

/// The decimal number at the start of `octets`, and the text behind it.
fn number(octets: &[u8]) -> Result<(u64, Text<'_>), ReplyError> {
    let octets = octets.trim_ascii_start();
    let digits = octets.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (digits, rest) = octets.split_at(digits);
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    Ok((number.ok_or(ReplyError::Number)?, text(rest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(reply: Reply<'_>) -> String {
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn every_reply_of_the_rfc_is_read() {
        for (line, reply) in [
            ("+ POP2 USC-ISIF.ARPA Server", Reply::Ok("POP2 USC-ISIF.ARPA Server".into())),
            ("#2 messages in your mailbox", Reply::Count(2, "messages in your mailbox".into())),
            ("=537 characters in message 1", Reply::Length(537, "characters in message 1".into())),
            ("+ OK, bye, bye", Reply::Ok("OK, bye, bye".into())),
            ("- error report", Reply::Error("error report".into())),
            ("#0", Reply::Count(0, "".into())),
            ("+", Reply::Ok("".into())),
            ("-", Reply::Error("".into())),
        ] {
            assert_eq!(Reply::parse(line.as_bytes()), Ok(reply));
            assert_eq!(encoded(reply), format!("{line}\r\n"));
        }
    }

    #[test]
    fn lines_that_are_no_reply_are_refused() {
        for (line, error) in [
            ("", ReplyError::Mark),
            ("OK", ReplyError::Mark),
            (" + OK", ReplyError::Mark),
            ("#", ReplyError::Number),
            ("# none", ReplyError::Number),
            ("#-1", ReplyError::Number),
            ("#4294967296", ReplyError::Number),
            ("=x", ReplyError::Number),
            ("=18446744073709551616", ReplyError::Number),
        ] {
            assert_eq!(Reply::parse(line.as_bytes()), Err(error), "{line}");
        }
        assert_eq!(Reply::parse(b"=18446744073709551615"), Ok(Reply::Length(u64::MAX, "".into())));
    }

    #[test]
    fn a_reply_is_one_line_of_printable_characters_however_long_its_text() {
        let line = encoded(Reply::Error("no\r\nsuch \x1b[2J thing".into()));
        assert_eq!(line, "- no??such ?[2J thing\r\n");
        let line = encoded(Reply::Length(u64::MAX, "x".repeat(1000).as_str().into()));
        assert_eq!(line.len(), MAX_LINE);
        assert!(line.ends_with("x\r\n"));
        let cut_in_blanks = format!("woof{}!", " ".repeat(600));
        assert_eq!(encoded(Reply::Ok(cut_in_blanks.as_str().into())), "+ woof\r\n");
    }

    #[test]
    fn a_text_is_shown_harmlessly() {
        let shown = |line: &[u8]| Reply::parse(line).unwrap().to_string();
        assert_eq!(shown(b"- \x1b]0;gone\x07\xff"), r"- \x1b]0;gone\x07\xff");
        assert_eq!(shown(br#"- don't say "woof""#), r#"- don't say "woof""#);
    }

    #[test]
    fn greetings_tell_pop2_from_pop3() {
        let of = |text: &str| Greeting::of(text.into());
        assert_eq!(of("POP2 dog-house Server Ready"), Greeting::Pop2 { host: "dog-house".into() });
        assert_eq!(of("OK POP3 ready"), Greeting::Pop3);
        assert_eq!(of("hello"), Greeting::Other);
        assert_eq!(of(""), Greeting::Other);
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_written_and_read_again(line in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(reply) = Reply::parse(&line) {
                let first = encoded(reply);
                prop_assert!(first.len() <= MAX_LINE);
                let again = Reply::parse(first.trim_end_matches("\r\n").as_bytes()).unwrap();
                prop_assert_eq!(encoded(again), first);
            }
        }
    }
}
