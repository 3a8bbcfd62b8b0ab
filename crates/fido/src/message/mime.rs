//! A message's parts (RFC 2046).
//!
//! They are cut here and not by mail-parser, because its time is quadratic where many parts name boundaries that
//! never come, and because nesting there has no bound.

use mail_parser::ContentType;
use memchr::memmem;

use super::{
    MAX_DEPTH, MAX_PARTS,
    clean::one_line,
    decode::Encoding,
    header::{Fields, RawField},
};

/// A part, and what it is made of.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// The octets from its header on.
    octets: &'a [u8],
    pub(super) body: &'a [u8],
    /// Where the body begins in the message, in octets.
    pub(super) at: usize,
    /// Type and subtype in lower case, such as `text/plain`; safe to show.
    pub(super) media: String,
    content: Option<ContentType<'static>>,
    disposition: Option<ContentType<'static>>,
    pub(super) encoding: Encoding,
    /// The parts of a multipart, or the message within a `message/rfc822`.
    pub(super) parts: Vec<Part<'a>>,
    /// Why some or all parts are missing, for the reader.
    pub(super) trouble: Option<&'static str>,
}

impl<'a> Part<'a> {
    /// A whole message.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self::read(message, 0, "text/plain", 0, &mut MAX_PARTS.clone())
    }

    fn read(octets: &'a [u8], start: usize, default: &str, depth: usize, left: &mut usize) -> Self {
        *left = left.saturating_sub(1);
        let mut fields = Fields::of(octets);
        let (mut content, mut disposition, mut encoding) = (None, None, Encoding::Identity);
        for field in fields.by_ref() {
            if field.is("Content-Type") {
                content = content.or_else(|| field.parameters());
            } else if field.is("Content-Disposition") {
                disposition = disposition.or_else(|| field.parameters());
            } else if field.is("Content-Transfer-Encoding") {
                encoding = field.encoding();
            }
        }
        let body = fields.body();
        let media = content.as_ref().map_or_else(|| default.to_owned(), media);
        let at = start + (octets.len() - body.len());
        let mut part = Self {
            octets,
            body,
            at,
            media,
            content,
            disposition,
            encoding,
            parts: Vec::new(),
            trouble: None,
        };
        part.divide(depth, left);
        part
    }

    fn divide(&mut self, depth: usize, left: &mut usize) {
        let is_message = self.is_message();
        if !is_message && !self.is_multipart() {
            return;
        }
        if depth >= MAX_DEPTH {
            self.trouble = Some("parts within parts, deeper than are shown");
        } else if is_message {
            if self.encoding == Encoding::Identity {
                self.parts.push(Part::read(self.body, self.at, "text/plain", depth + 1, left));
            }
        } else {
            let default = if self.media == "multipart/digest" { "message/rfc822" } else { "text/plain" };
            let boundary = self.parameter("boundary").unwrap_or_default().to_owned();
            for (start, octets) in Pieces::of(self.body, &boundary) {
                if *left == 0 {
                    self.trouble = Some("more parts than are shown");
                    return;
                }
                self.parts.push(Part::read(octets, self.at + start, default, depth + 1, left));
            }
            if self.parts.is_empty() {
                self.trouble = Some("its parts cannot be told apart; as it came");
            }
        }
    }

    /// The fields of its header.
    pub(super) fn fields(&self) -> impl Iterator<Item = RawField<'a>> + use<'a> {
        Fields::of(self.octets)
    }

    /// A parameter of its Content-Type, decoded but not made safe to show.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.content.as_ref()?.attribute(name)
    }

    /// The name that a file of it should have, decoded but not made safe.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.disposition
            .as_ref()
            .and_then(|value| value.attribute("filename"))
            .or_else(|| self.parameter("name"))
    }

    pub(super) fn is_attached(&self) -> bool {
        self.disposition.as_ref().is_some_and(ContentType::is_attachment)
    }

    pub(super) fn is_inline(&self) -> bool {
        self.disposition.as_ref().is_some_and(ContentType::is_inline)
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.media.starts_with("multipart/")
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(self.media.as_str(), "message/rfc822" | "message/global")
    }

    pub(super) fn is_text(&self) -> bool {
        let of_mail =
            ["message/delivery-status", "message/disposition-notification", "message/feedback-report"];
        self.media.starts_with("text/") || of_mail.contains(&self.media.as_str())
    }
}

/// What RFC 2045 section 5.2 says of a type that cannot be read is of use for text alone.
fn media(content: &ContentType<'_>) -> String {
    let subtype = match (content.ctype(), content.subtype()) {
        (_, Some(subtype)) => subtype,
        ("text", None) => "plain",
        ("multipart", None) => "mixed",
        (_, None) => return "application/octet-stream".to_owned(),
    };
    let media = format!("{}/{subtype}", content.ctype()).to_ascii_lowercase();
    if media.len() > 100 { "application/octet-stream".to_owned() } else { one_line(&media) }
}

/// The octets between the delimiter lines of a multipart, with their places (RFC 2046 section 5.1.1).
struct Pieces<'a> {
    body: &'a [u8],
    delimiter: Vec<u8>,
    /// Where the next piece begins, once the first delimiter is found.
    next: Option<usize>,
}

impl<'a> Pieces<'a> {
    fn of(body: &'a [u8], boundary: &str) -> Self {
        let delimiter = format!("--{boundary}").into_bytes();
        let mut pieces = Self { body, delimiter, next: None };
        if !boundary.is_empty() {
            pieces.next = pieces.delimiter_from(0).and_then(|found| found.after);
        }
        pieces
    }

    /// The first delimiter line that begins at `from` or later.
    fn delimiter_from(&self, from: usize) -> Option<Delimiter> {
        let finder = memmem::Finder::new(&self.delimiter);
        let mut from = from;
        loop {
            let start = from + finder.find(self.body.get(from..)?)?;
            from = start + self.delimiter.len();
            let begins_line = start == 0 || self.body.get(start - 1) == Some(&b'\n');
            let rest = self.body.get(from..)?;
            let closes = rest.starts_with(b"--");
            let end =
                rest.iter().position(|octet| !matches!(octet, b' ' | b'\t' | b'\r')).unwrap_or(rest.len());
            let ends_line = rest.get(end).is_none_or(|&octet| octet == b'\n');
            if begins_line && (closes || ends_line) {
                let after = (!closes).then_some((from + end + 1).min(self.body.len()));
                // The line end before it belongs to it.
                let before = self.body.get(..start).unwrap_or_default();
                let before = before.strip_suffix(b"\n").unwrap_or(before);
                let end = before.strip_suffix(b"\r").unwrap_or(before).len();
                return Some(Delimiter { end, after });
            }
        }
    }
}

struct Delimiter {
    /// Where the piece before it ends.
    end: usize,
    /// Where the piece after it begins; nothing after the last one.
    after: Option<usize>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next.take().filter(|&start| start < self.body.len())?;
        let mut end = self.body.len();
        // Where the last delimiter is missing, the piece goes on to the end.
        if let Some(found) = self.delimiter_from(start) {
            (end, self.next) = (found.end.max(start), found.after);
        }
        Some((start, self.body.get(start..end).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(body: &[u8]) -> Vec<(usize, &[u8])> {
        Pieces::of(body, "b").collect()
    }

    #[test]
    fn pieces_lie_between_delimiter_lines() {
        assert_eq!(
            pieces(b"pre\r\n--b\r\none\r\n--b \t\r\n\r\ntwo\r\n--b--\r\npost"),
            [(10, &b"one"[..]), (22, &b"\r\ntwo"[..])]
        );
        assert_eq!(pieces(b"--b\n--bb\nx --b\n"), [(4, &b"--bb\nx --b\n"[..])], "neither ends it");
        assert_eq!(pieces(b"--b\n--b\n\n--b"), [(4, &b""[..]), (8, &b""[..])]);
        assert!(pieces(b"nothing").is_empty() && Pieces::of(b"--\nx", "").next().is_none());
    }

    #[test]
    fn a_part_knows_its_place_in_the_message() {
        let message = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nA: b\n\ntwo\n";
        let part = Part::of(message);
        assert_eq!(&message[part.parts[0].at..][..3], b"one");
        assert_eq!(&message[part.parts[1].parts[0].at..], b"two\n");
    }
}
