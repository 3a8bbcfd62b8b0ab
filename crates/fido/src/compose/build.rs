//! The message that is made of a draft (RFC 5322, and MIME: RFC 2045 and 2046).

use std::{
    fs::File,
    io::Read,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use mail_parser::DateTime;

use super::{
    Draft, MAX_ATTACHMENT, address,
    encode::{base64_lines, field, is_mostly_text, parameter, phrase, quoted_printable, words},
    media,
};
use crate::{
    Exit, Failure,
    message::{Mailbox, safe_name},
};

/// Octets of a line without its end (RFC 5322 section 2.1.1).
pub(super) const MAX_LINE: usize = 998;

/// A message that can be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The message; LF ends a line, of at most 998 octets, and there is no CR and no NUL.
    pub octets: Vec<u8>,
    /// Whom it is from.
    pub from: String,
    /// For whom, each once.
    pub recipients: Vec<String>,
}

impl Draft {
    /// Makes the message that is sent: with a date and an identifier of its own, and without Bcc.
    ///
    /// # Errors
    /// Where there is nobody to send it to, an address is none, a field holds control characters, or an attachment
    /// cannot be read.
    pub fn build(&self) -> Result<Ready, Failure> {
        let refused = |why: String| Failure::new(Exit::Usage, format!("the message cannot be sent: {why}"));
        let mut recipients = Vec::new();
        let mut header = String::new();
        let from = address::list(&address::text(std::slice::from_ref(&self.from)))
            .map_err(|why| refused(format!("From: {why}")))?;
        header += &mailboxes("From", &from);
        for (name, value) in [("To", &self.to), ("Cc", &self.cc), ("Bcc", &self.bcc)] {
            let list = address::list(value).map_err(|why| refused(format!("{name}: {why}")))?;
            add_recipients(&mut recipients, &list);
            if name != "Bcc" && !list.is_empty() {
                header += &mailboxes(name, &list);
            }
        }
        if recipients.is_empty() {
            return Err(refused("it is for nobody; give a To, Cc or Bcc".to_owned()));
        }
        if self.subject.contains(char::is_control) {
            return Err(refused("the subject holds a line end or another control character".to_owned()));
        }
        header += &field("Subject", words(&self.subject));
        header += &field("Date", [date()]);
        header += &field("Message-ID", [message_id(&self.from.address)?]);
        if !self.in_reply_to.is_empty() {
            header += &field("In-Reply-To", [identifier(&self.in_reply_to).map_err(refused)?]);
        }
        if !self.references.is_empty() {
            let identifiers = self.references.iter().map(|id| identifier(id));
            header += &field("References", identifiers.collect::<Result<Vec<_>, _>>().map_err(refused)?);
        }
        header += "MIME-Version: 1.0\n";
        let body = normal(&self.body);
        let mut octets = header.into_bytes();
        if self.attachments.is_empty() && self.forwarded.is_none() {
            octets.extend(text_part(body.as_bytes()));
        } else {
            let mut parts = vec![text_part(body.as_bytes())];
            parts.extend(self.forwarded.as_deref().map(message_part));
            for path in &self.attachments {
                parts.push(file_part(path)?);
            }
            octets.extend(multipart(&parts)?);
        }
        Ok(Ready { octets, from: self.from.address.clone(), recipients })
    }
}

/// Adds the addresses that are not there yet.
pub(super) fn add_recipients(recipients: &mut Vec<String>, list: &[Mailbox]) {
    for Mailbox { address, .. } in list {
        if !recipients.contains(address) {
            recipients.push(address.clone());
        }
    }
}

/// A field of addresses.
pub(super) fn mailboxes(name: &str, list: &[Mailbox]) -> String {
    let last = list.len().saturating_sub(1);
    let one = |(at, mailbox): (usize, &Mailbox)| {
        let mut words = phrase(&mailbox.name);
        words.retain(|word| !word.is_empty());
        let bare = words.is_empty();
        let end = if at == last { "" } else { "," };
        let address = &mailbox.address;
        words.push(if bare { format!("{address}{end}") } else { format!("<{address}>{end}") });
        words
    };
    field(name, list.iter().enumerate().flat_map(one))
}

/// The time now as a message has it, in UTC: where its writer is, is nobody's business.
pub(super) fn date() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DateTime::from_timestamp(i64::try_from(now).unwrap_or(0)).to_rfc822()
}

/// An identifier that no other message has, and that tells nothing but the domain.
pub(super) fn message_id(from: &str) -> Result<String, Failure> {
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    Ok(format!("<{}@{domain}>", random()?))
}

/// 32 hexadecimal digits that nobody can guess.
pub(super) fn random() -> Result<String, Failure> {
    let mut octets = [0_u8; 16];
    let mut filled = 0;
    while let Some(rest) = octets.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()).map_err(|error| {
            Failure::new(Exit::Software, format!("the system gives no random numbers: {error}"))
        })?;
    }
    Ok(format!("{:032x}", u128::from_be_bytes(octets)))
}

fn identifier(text: &str) -> Result<String, String> {
    let is_whole = text.len() <= 900
        && text.starts_with('<')
        && text.ends_with('>')
        && text.bytes().all(|octet| matches!(octet, b'!'..=b'~'));
    if is_whole { Ok(text.to_owned()) } else { Err(format!("{text:?} is no identifier of a message")) }
}

/// A text with LF as line ends, and one at its end.
pub(super) fn normal(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Whether octets may be in a message as they are, if it may have octets beyond ASCII.
pub(super) fn is_fit(octets: &[u8]) -> bool {
    octets.split(|&octet| octet == b'\n').all(|line| line.len() <= MAX_LINE)
        && !octets.iter().any(|octet| matches!(octet, 0 | b'\r'))
}

/// A text in UTF-8 with the fields of its part.
fn text_part(body: &[u8]) -> Vec<u8> {
    let charset = if body.is_ascii() { "us-ascii" } else { "utf-8" };
    [format!("Content-Type: text/plain; charset={charset}\n").into_bytes(), encoded(body)].concat()
}

/// A text's field of encoding, the empty line, and the text as fits.
pub(super) fn encoded(body: &[u8]) -> Vec<u8> {
    let is_plain = body.is_ascii() && is_fit(body);
    let (name, text) = if is_plain {
        ("7bit", body.to_vec())
    } else if is_mostly_text(body) {
        ("quoted-printable", quoted_printable(body).into_bytes())
    } else {
        // Line ends of text are CR LF also where they are encoded (RFC 2045 section 6.8).
        ("base64", base64_lines(&with_crlf(body)).into_bytes())
    };
    [format!("Content-Transfer-Encoding: {name}\n\n").into_bytes(), text].concat()
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split(|&octet| octet == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

/// A message within the message. It must not be encoded (RFC 2046 section 5.2.1); one that cannot go as it is becomes
/// a file.
fn message_part(message: &[u8]) -> Vec<u8> {
    let text = postbox_lf(message);
    if !is_fit(&text) {
        return file(message, "application/octet-stream", "forwarded.eml");
    }
    let encoding = if text.is_ascii() { "7bit" } else { "8bit" };
    let fields = format!(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\nContent-Disposition: inline\n\n"
    );
    [fields.into_bytes(), text].concat()
}

/// Octets with LF for every CR LF.
pub(super) fn postbox_lf(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len());
    for (at, &octet) in octets.iter().enumerate() {
        if octet != b'\r' || octets.get(at + 1) != Some(&b'\n') {
            text.push(octet);
        }
    }
    text
}

fn file_part(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |why: &str| {
        Failure::new(
            Exit::Usage,
            format!("cannot attach {}: {why}; take it out or correct it", path.display()),
        )
    };
    let is_file = std::fs::metadata(path).map_err(|error| failure(&error.to_string()))?.is_file();
    if !is_file {
        // A pipe would never end.
        return Err(failure("it is no file"));
    }
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_ATTACHMENT + 1).read_to_end(&mut octets))
        .map_err(|error| failure(&error.to_string()))?;
    if octets.len() as u64 > MAX_ATTACHMENT {
        return Err(failure("it has more than 256 MiB"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Other than base64 would change its octets, or must not be (RFC 2046 section 5.2.1).
    let media = match media::of(path) {
        "message/rfc822" => "application/octet-stream",
        media => media,
    };
    Ok(file(&octets, media, &safe_name(&name, "attachment")))
}

fn file(octets: &[u8], media: &str, name: &str) -> Vec<u8> {
    let disposition =
        std::iter::once("attachment;".to_owned()).chain(parameter("filename", name)).collect::<Vec<_>>();
    let fields = format!(
        "Content-Type: {media}\nContent-Transfer-Encoding: base64\n{}\n",
        field("Content-Disposition", disposition)
    );
    (fields + &base64_lines(octets)).into_bytes()
}

pub(super) fn multipart(parts: &[Vec<u8>]) -> Result<Vec<u8>, Failure> {
    // `=_` stands in no text that is quoted-printable or base64 (RFC 2045 section 6.7).
    let boundary = format!("=_{}", random()?);
    let mut octets = format!("Content-Type: multipart/mixed;\n boundary=\"{boundary}\"\n\n").into_bytes();
    for part in parts {
        octets.extend(format!("--{boundary}\n").into_bytes());
        octets.extend(part);
        // The line end before a boundary belongs to it.
        octets.push(b'\n');
    }
    octets.extend(format!("--{boundary}--\n").into_bytes());
    Ok(octets)
}
