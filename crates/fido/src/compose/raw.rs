//! A message that comes whole, header and body, as a program gives it.

use super::{
    Ready, address,
    build::{MAX_LINE, add_recipients, date, encoded, is_fit, mailboxes, message_id, normal, postbox_lf},
    encode::{field, words},
};
use crate::{Exit, Failure, message::Mailbox};

/// A message as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    octets: Vec<u8>,
    from: Mailbox,
    only: Option<Vec<String>>,
}

/// A field as it stands, with its line ends.
struct Field<'a> {
    name: &'a str,
    text: &'a [u8],
}

impl Field<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// What stands behind the colon, in one line.
    fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.text.get(self.name.len()..).unwrap_or_default());
        let text = text.trim_start().trim_start_matches(':').replace('\n', "");
        text.trim().to_owned()
    }
}

impl Raw {
    /// Takes a message; `from` is whom it is from where it does not say so.
    #[must_use]
    pub fn new(octets: &[u8], from: Mailbox) -> Self {
        Self { octets: postbox_lf(octets), from, only: None }
    }

    /// The message as it was given.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The same for these addresses alone.
    #[must_use]
    pub fn only(&self, addresses: &[String]) -> Self {
        Self { only: Some(addresses.to_vec()), ..self.clone() }
    }

    /// The message that keeps it in Drafts.
    pub fn to_message(&self) -> Result<Vec<u8>, Failure> {
        let Some(only) = &self.only else { return Ok(self.octets.clone()) };
        let (fields, body) = split(&self.octets).map_err(refused)?;
        let mut octets = format!("To: {}\n", only.join(",\n ")).into_bytes();
        fields
            .iter()
            .filter(|f| !["To", "Cc", "Bcc"].iter().any(|n| f.is(n)))
            .for_each(|f| octets.extend(f.text));
        octets.push(b'\n');
        octets.extend(body);
        Ok(octets)
    }

    /// The message that is sent: without Bcc, and with what it lacks of From, Date, Message-ID and MIME's fields. Its
    /// text is encoded if it could not go as it is. Everything else stays.
    pub fn build(&self) -> Result<Ready, Failure> {
        let (fields, body) = split(&self.octets).map_err(refused)?;
        let has = |name: &str| fields.iter().any(|field| field.is(name));
        let mut recipients = Vec::new();
        let (mut header, mut from) = (Vec::new(), self.from.address.clone());
        let is_text = fields
            .iter()
            .find(|field| field.is("Content-Type"))
            .is_none_or(|field| field.value().to_ascii_lowercase().starts_with("text/"));
        let is_encoded =
            fields.iter().find(|field| field.is("Content-Transfer-Encoding")).is_some_and(|field| {
                !["7bit", "8bit", "binary"].contains(&field.value().to_ascii_lowercase().as_str())
            });
        let encodes = is_text && !is_encoded && !(body.is_ascii() && is_fit(body));
        for field in &fields {
            let is_list = ["From", "To", "Cc", "Bcc"].iter().any(|name| field.is(name));
            if is_list {
                let list =
                    address::list(&field.value()).map_err(|why| refused(format!("{}: {why}", field.name)));
                // Names that are encoded already are not for us to read, but the addresses are.
                let list = list?;
                match list.first() {
                    Some(first) if field.is("From") => from.clone_from(&first.address),
                    _ if field.is("From") => {}
                    _ => add_recipients(&mut recipients, &list),
                }
                match (field.is("Bcc"), field.text.is_ascii()) {
                    (true, _) => {}
                    (false, true) => header.extend(field.text),
                    (false, false) => header.extend(mailboxes(field.name, &list).into_bytes()),
                }
            } else if field.is("Return-Path") || encodes && field.is("Content-Transfer-Encoding") {
                // The first is the last server's to write, the second comes with the text.
            } else if field.text.is_ascii() {
                header.extend(field.text);
            } else {
                header.extend(super::encode::field(field.name, words(&field.value())).into_bytes());
            }
        }
        let mut put = |name: &str, text: String| {
            if !has(name) {
                header.extend(text.into_bytes());
            }
        };
        put("From", mailboxes("From", std::slice::from_ref(&self.from)));
        put("Date", field("Date", [date()]));
        put("Message-ID", field("Message-ID", [message_id(&from)?]));
        if encodes {
            if std::str::from_utf8(body).is_err() && !has("Content-Type") {
                return Err(refused(
                    "its text is not UTF-8; give it a Content-Type with its charset".to_owned(),
                ));
            }
            put("MIME-Version", "MIME-Version: 1.0\n".to_owned());
            put("Content-Type", "Content-Type: text/plain; charset=utf-8\n".to_owned());
            header.extend(encoded(&ended(body)));
        } else {
            header.push(b'\n');
            header.extend(ended(body));
        }
        if let Some(only) = &self.only {
            recipients.clone_from(only);
        }
        if recipients.is_empty() {
            return Err(refused("it is for nobody; give it a To, Cc or Bcc".to_owned()));
        }
        if let Some(line) = header
            .split(|&octet| octet == b'\n')
            .position(|line| line.len() > MAX_LINE || line.iter().any(|octet| matches!(octet, 0 | b'\r')))
        {
            let why = format!("line {} has more than 998 octets, a CR or a NUL; encode that part", line + 1);
            return Err(refused(why));
        }
        Ok(Ready { octets: header, from, recipients })
    }
}

fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("the message cannot be sent: {why}"))
}

fn ended(body: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(body) {
        Ok(text) => normal(text).into_bytes(),
        Err(_) if body.ends_with(b"\n") => body.to_vec(),
        Err(_) => [body, b"\n"].concat(),
    }
}

/// The fields, and the body behind the empty line.
fn split(octets: &[u8]) -> Result<(Vec<Field<'_>>, &[u8]), String> {
    let (mut fields, mut rest, mut number) = (Vec::new(), octets, 0);
    while !rest.is_empty() {
        number += 1;
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (first, after) = rest.split_at(end);
        if first == b"\n" {
            return Ok((fields, after));
        }
        let mut length = end;
        while rest.get(length).is_some_and(|octet| matches!(octet, b' ' | b'\t')) {
            let more = rest.get(length..).unwrap_or_default();
            length += memchr::memchr(b'\n', more).map_or(more.len(), |end| end + 1);
        }
        let (text, after) = rest.split_at(length);
        let colon = memchr::memchr(b':', first).unwrap_or(0);
        let name = first.get(..colon).map(<[u8]>::trim_ascii_end).unwrap_or_default();
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()) => {
                fields.push(Field { name, text });
            }
            _ => return Err(format!("line {number} is no field; an empty line goes before the text")),
        }
        if !text.ends_with(b"\n") {
            return Err("it ends within its header; an empty line goes before the text".to_owned());
        }
        rest = after;
    }
    Ok((fields, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(text: &str) -> Result<(String, Vec<String>), String> {
        let from = Mailbox { name: "Fido".into(), address: "fido@dog.example".into() };
        let ready = Raw::new(text.as_bytes(), from).build().map_err(|failure| failure.to_string())?;
        Ok((String::from_utf8(ready.octets).unwrap(), ready.recipients))
    }

    #[test]
    fn a_whole_message_stays_but_for_what_it_lacks_and_bcc() {
        let (text, recipients) = built("To: a@b\nBcc: x@y,\n e@f\nX-Dog: rex\n\n.\nFrom\n").unwrap();
        assert_eq!(recipients, ["a@b", "x@y", "e@f"]);
        assert!(text.starts_with("To: a@b\nX-Dog: rex\nFrom: Fido <fido@dog.example>\nDate: "), "{text}");
        assert!(text.ends_with("@dog.example>\n\n.\nFrom\n") && !text.contains("x@y"), "{text}");
        let (text, _) = built("To: é <a@b>\nSubject: é\n\né").unwrap();
        assert!(text.is_ascii() && text.ends_with("quoted-printable\n\n=C3=A9\n"), "{text}");
        for (text, why) in [
            ("Subject: x\n\nx", "for nobody"),
            ("hello\n\nx", "line 1 is no field"),
            ("To: a@b\nContent-Type: multipart/mixed\n\nx\ry", " has more than 998"),
            ("To: a\n\n", "is no address"),
        ] {
            let error = built(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
