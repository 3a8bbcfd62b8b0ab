//! The fields of a header (RFC 5322 section 2.2), unfolded and decoded.

use std::borrow::Cow;

use mail_parser::{Address, HeaderValue, parsers::MessageStream};
use memchr::memchr;

use super::{
    Mailbox,
    clean::one_line,
    decode::{self, nameless},
    words::join_words,
};

/// Octets of a field that are read; the rest of a longer one is left out.
pub(super) const MAX_FIELD: usize = 16 * 1024;

/// Mailboxes of a field that are read.
pub(super) const MAX_MAILBOXES: usize = 500;

/// A field as it came: its name, and its value with the folds still in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawField<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a [u8],
}

/// Reads field after field, and what is left is the body.
///
/// The header ends with the empty line, or before the first line that is no field: some messages have no header.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn of(octets: &'a [u8]) -> Self {
        let mut rest = octets;
        // The line of an mbox before the header.
        if rest.starts_with(b"From ") {
            rest = line(rest).1;
        }
        Self { rest, ended: false }
    }

    /// What follows the header: right only once there are no more fields.
    pub(super) fn body(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        if self.ended {
            return None;
        }
        let (first, mut rest) = line(self.rest);
        let Some((name, value)) = name_and_value(first) else {
            self.ended = true;
            if first.iter().all(|&octet| octet == b'\r' || octet == b'\n') {
                self.rest = rest;
            }
            return None;
        };
        while let [b' ' | b'\t', ..] = rest {
            rest = line(rest).1;
        }
        let length = self.rest.len() - rest.len() - (first.len() - value.len());
        let start = first.len() - value.len();
        let value = self.rest.get(start..start + length).unwrap_or(value);
        self.rest = rest;
        Some(RawField { name, value })
    }
}

/// The first line, with its end, and what follows it.
fn line(octets: &[u8]) -> (&[u8], &[u8]) {
    octets.split_at(memchr(b'\n', octets).map_or(octets.len(), |end| end + 1))
}

fn name_and_value(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    // RFC 5322 section 4.5: blanks before the colon were allowed once.
    let name = str::from_utf8(name.trim_ascii_end()).ok()?;
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    is_name.then(|| (name, value.get(1..).unwrap_or_default()))
}

impl<'a> RawField<'a> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether only the beginning of the value is read.
    pub(super) fn is_cut(&self) -> bool {
        self.value.len() > MAX_FIELD
    }

    /// The value unfolded, of at most `limit` octets, with a line end for the parsers; encoded words are joined
    /// where a character goes over from one to the next.
    fn unfolded(&self, limit: usize) -> String {
        let value = self.value.get(..limit).unwrap_or(self.value);
        let value: Cow<[u8]> = if value.trim_ascii_end().iter().any(|&octet| matches!(octet, b'\r' | b'\n')) {
            value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect()
        } else {
            value.into()
        };
        let mut text = join_words(nameless(value.trim_ascii()));
        text.push('\n');
        text
    }

    /// The value as one line of text (RFC 2047).
    pub(super) fn text(&self) -> String {
        let unfolded = self.unfolded(MAX_FIELD);
        let mut text = if unfolded.contains("=?") {
            match MessageStream::new(unfolded.as_bytes()).parse_unstructured() {
                HeaderValue::Text(text) => one_line(&text),
                _ => one_line(&unfolded),
            }
        } else {
            one_line(&unfolded)
        };
        if self.is_cut() {
            text.push('…');
        }
        text
    }

    /// The mailboxes of the value, members of groups among them.
    pub(super) fn mailboxes(&self) -> Vec<Mailbox> {
        let unfolded = self.unfolded(MAX_FIELD);
        let mailbox = |address: &mail_parser::Addr| Mailbox {
            name: address.name.as_deref().map(one_line).unwrap_or_default(),
            address: address.address.as_deref().map(one_line).unwrap_or_default(),
        };
        match MessageStream::new(unfolded.as_bytes()).parse_address() {
            HeaderValue::Address(Address::List(list)) => {
                list.iter().take(MAX_MAILBOXES).map(mailbox).collect()
            }
            HeaderValue::Address(Address::Group(groups)) => {
                groups.iter().flat_map(|group| &group.addresses).take(MAX_MAILBOXES).map(mailbox).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The identifiers of the value (RFC 5322 section 3.6.4), without their brackets.
    ///
    /// One that holds what does not belong there, or that is too long for a line, is left out: it will stand in
    /// the header of a reply.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.value.get(..MAX_FIELD).unwrap_or(self.value);
        value.split(|&octet| octet == b'<').skip(1).filter_map(|text| {
            let text = str::from_utf8(text.get(..memchr(b'>', text)?)?).ok()?;
            let fits = (1..=900).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
            fits.then_some(text)
        })
    }

    /// The value as a type with parameters (RFC 2045 section 5.1, RFC 2183, RFC 2231).
    pub(super) fn parameters(&self) -> Option<mail_parser::ContentType<'static>> {
        // mail-parser compares each continuation with each parameter: this keeps that short.
        let unfolded = self.unfolded(MAX_FIELD / 4);
        MessageStream::new(unfolded.as_bytes()).parse_content_type().into_owned().into_content_type()
    }

    pub(super) fn encoding(&self) -> decode::Encoding {
        decode::Encoding::named(self.unfolded(MAX_FIELD / 4).trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(octets: &[u8]) -> (Vec<(String, String)>, &[u8]) {
        let mut fields = Fields::of(octets);
        let all = fields.by_ref().map(|field| (field.name.to_owned(), field.text())).collect();
        (all, fields.body())
    }

    #[test]
    fn fields_are_unfolded_and_decoded_and_the_rest_is_the_body() {
        let (all, body) =
            fields(b"Subject: =?utf-8?q?wo=C3=B6f?=\r\n at\r\n\tnight\r\nTo : x\r\n\r\nbody\r\n");
        assert_eq!(
            all,
            [("Subject".into(), "woöf at\u{9}night".replace('\t', " ")), ("To".into(), "x".into())]
        );
        assert_eq!(body, b"body\r\n");
    }

    #[test]
    fn a_character_may_go_over_from_one_word_to_the_next() {
        let (all, _) = fields(b"S: =?utf-8?b?4oI=?=\n =?utf-8?b?rA==?= =?UTF-8?Q?=E2=82=AC?= x\n");
        assert_eq!(all[0].1, "€€ x");
    }

    #[test]
    fn raw_octets_are_utf8_or_windows_1252() {
        let (all, _) = fields(b"A: w\xc3\xb6\nB: w\xf6\n");
        assert_eq!((all[0].1.as_str(), all[1].1.as_str()), ("wö", "wö"));
    }

    #[test]
    fn what_is_no_header_is_the_body() {
        assert_eq!(fields(b"just text\nmore").1, b"just text\nmore");
        assert_eq!(fields(b"From fido Tue\nA: b\nhello there\n").1, b"hello there\n");
        assert_eq!(fields(b"\n\nx").1, b"\nx");
        assert_eq!(fields(b"A: b").1, b"");
    }

    #[test]
    fn identifiers_that_could_break_a_header_are_left_out() {
        let field = RawField { name: "References", value: b" <a@b> <c\r\nd@e> x <f g> <> <h@i>" };
        assert_eq!(field.identifiers().collect::<Vec<_>>(), ["a@b", "h@i"]);
    }
}
