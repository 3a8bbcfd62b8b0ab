//! A draft as it lies in the folder Drafts: a message for other programs to show, from which all of it can be read
//! again, also what is not right yet.

use mail_parser::{MessageParser, MimeHeaders, PartType};

use super::{
    Draft, address,
    build::{date, encoded, mailboxes, multipart, normal},
    encode::{base64_lines, field, words},
};
use crate::{
    Exit, Failure,
    message::{Mailbox, View},
};

/// Where a draft names the files that are to go with it.
const ATTACH: &str = "X-Fido-Attach";

impl Draft {
    /// The message that keeps it.
    pub fn to_message(&self) -> Result<Vec<u8>, Failure> {
        let mut header = mailboxes("From", std::slice::from_ref(&self.from));
        for (name, value) in [("To", &self.to), ("Cc", &self.cc), ("Bcc", &self.bcc)] {
            match address::list(value) {
                Ok(list) if list.is_empty() => {}
                Ok(list) => header += &mailboxes(name, &list),
                Err(_) => header += &field(name, words(value)),
            }
        }
        header += &field("Subject", words(&self.subject));
        header += &field("Date", [date()]);
        if !self.in_reply_to.is_empty() {
            header += &field("In-Reply-To", words(&self.in_reply_to));
        }
        if !self.references.is_empty() {
            header += &field("References", self.references.iter().flat_map(|id| words(id)));
        }
        for path in &self.attachments {
            header += &field(ATTACH, words(&path.to_string_lossy()));
        }
        header += "MIME-Version: 1.0\n";
        let body = normal(&self.body);
        let text = [b"Content-Type: text/plain; charset=utf-8\n".to_vec(), encoded(body.as_bytes())].concat();
        let rest = match &self.forwarded {
            None => text,
            Some(message) => {
                // It is encoded, against RFC 2046 section 5.2.1, hence as octets: it is to come back octet by octet.
                let fields = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\
                              Content-Disposition: attachment; filename=\"forwarded.eml\"\n\n";
                multipart(&[text, (fields.to_owned() + &base64_lines(message)).into_bytes()])?
            }
        };
        Ok([header.into_bytes(), rest].concat())
    }

    /// Reads a draft that was kept so; `from` is who writes.
    ///
    /// # Errors
    /// Where it is another program's and holds more than would be kept of it here.
    pub fn from_message(message: &[u8], from: &Mailbox) -> Result<Self, Failure> {
        let foreign = |why: &str| {
            let text = format!("this draft is another program's: {why}; go on with it there");
            Failure::new(Exit::Usage, text)
        };
        let parsed = MessageParser::default().parse(message).ok_or_else(|| foreign("it cannot be read"))?;
        let mut draft = Self { from: from.clone(), ..Self::default() };
        for field in View::of(message, 80).fields() {
            let value = field.value.clone();
            match field.name.to_ascii_lowercase().as_str() {
                "to" => draft.to = value,
                "cc" => draft.cc = value,
                "bcc" => draft.bcc = value,
                "subject" => draft.subject = value,
                "in-reply-to" => draft.in_reply_to = value,
                "references" => draft.references = value.split_whitespace().map(str::to_owned).collect(),
                "x-fido-attach" => draft.attachments.push(value.into()),
                _ => {}
            }
        }
        for part in &parsed.parts {
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Text(text) if draft.body.is_empty() && part.attachment_name().is_none() => {
                    draft.body = text.replace("\r\n", "\n");
                }
                _ if part.attachment_name() == Some("forwarded.eml") && draft.forwarded.is_none() => {
                    draft.forwarded = Some(part.contents().to_vec());
                }
                _ => return Err(foreign("it has parts that are none of ours")),
            }
        }
        Ok(draft)
    }
}
