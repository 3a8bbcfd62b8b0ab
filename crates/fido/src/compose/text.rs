//! The form of a draft that is edited: lines of fields, an empty line, and the text.

use std::path::PathBuf;

use super::{Draft, address};
use crate::{message::Summary, paths};

/// What is wrong with a text, and in which line; the text itself is whoever has given it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TextError {
    /// The line, from 1 on.
    pub line: usize,
    why: String,
}

impl Draft {
    /// The text that is edited.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            // A line end within a field would make fields of what follows.
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(format!("{name}: {}", value.trim()).trim_end());
            text.push('\n');
        };
        put("To", &self.to);
        put("Cc", &self.cc);
        put("Bcc", &self.bcc);
        put("Subject", &self.subject);
        self.attachments.iter().for_each(|path| put("Attach", &path.to_string_lossy()));
        if let Some(message) = &self.forwarded {
            put("Forward", &Summary::of(message).subject);
        }
        text.push('\n');
        text.push_str(&self.body);
        text
    }

    /// What an edited text makes of a draft. What the text does not show stays as it was; the forwarded message goes
    /// with its line.
    ///
    /// Fields may come in any order, in any case, go on in a line that begins with a blank, be missing or repeated.
    pub fn from_text(&self, text: &str) -> Result<Self, TextError> {
        let text = text.replace("\r\n", "\n");
        let mut fields: Vec<(usize, String, String)> = Vec::new();
        let (mut rest, mut line) = (text.as_str(), 0);
        while !rest.is_empty() {
            let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
            (rest, line) = (after, line + 1);
            if first.trim().is_empty() {
                break;
            }
            if let Some(last) = fields.last_mut().filter(|_| first.starts_with([' ', '\t'])) {
                last.2.push(' ');
                last.2.push_str(first.trim());
                continue;
            }
            let named = first.split_once(':').filter(|(name, _)| !name.trim().contains(char::is_whitespace));
            let Some((name, value)) = named else {
                let why = "this is no field; put an empty line before the text";
                return Err(TextError { line, why: why.to_owned() });
            };
            fields.push((line, name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut draft = Self {
            body: rest.to_owned(),
            forwarded: None,
            to: String::new(),
            cc: String::new(),
            bcc: String::new(),
            subject: String::new(),
            attachments: Vec::new(),
            ..self.clone()
        };
        for (line, name, value) in fields {
            draft.take(self, &name, value).map_err(|why| TextError { line, why })?;
        }
        Ok(draft)
    }

    fn take(&mut self, before: &Self, name: &str, value: String) -> Result<(), String> {
        let list = match name {
            "to" => &mut self.to,
            "cc" => &mut self.cc,
            "bcc" => &mut self.bcc,
            "subject" if self.subject.is_empty() => {
                self.subject = value;
                return Ok(());
            }
            "subject" => return Err("there is a subject already; a message has one".to_owned()),
            "attach" => {
                if !value.is_empty() {
                    self.attachments.push(expanded(&value));
                }
                return Ok(());
            }
            "forward" => {
                self.forwarded.clone_from(&before.forwarded);
                return Ok(());
            }
            _ => {
                let known = "To, Cc, Bcc, Subject and Attach are, and an empty line goes before the text";
                return Err(format!("{name:?} is no field here; {known}"));
            }
        };
        address::list(&value)?;
        if !list.is_empty() && !value.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&value);
        Ok(())
    }
}

pub(super) fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), paths::home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_read_forgivingly() {
        let text = "subject :  Bone\r\nTO: a@b,\r\n\tRex <c@d>\r\nto: e@f\r\nattach: /x y\r\nAttach:\r\n\r\nTo: you\r\n";
        let draft = Draft::default().from_text(text).unwrap();
        assert_eq!((draft.subject.as_str(), draft.to.as_str()), ("Bone", "a@b, Rex <c@d>, e@f"));
        assert_eq!((draft.attachments, draft.body.as_str()), (vec![PathBuf::from("/x y")], "To: you\n"));
        assert_eq!(Draft::default().from_text("").unwrap(), Draft::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, error) in [
            ("To: a@b\nhello there\n", "line 2: this is no field"),
            ("Cc: a@b\n\tb\n\nx", "line 1: \"a@b b\" is no address"),
            ("Priority: 1\n\n", "line 1: \"priority\" is no field here"),
            ("Subject: a\nSubject: b\n", "line 2: there is a subject"),
        ] {
            let said = Draft::default().from_text(text).unwrap_err().to_string();
            assert!(said.starts_with(error), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(
            subject in "\\PC{0,80}",
            body in "(?s).{0,200}",
            path in "/[a-zé ]{0,20}x",
            forwarded in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let draft = Draft {
                to: "Rex <rex@dog.example>".into(),
                subject: subject.trim().to_owned(),
                // Editors know line ends, and no CR of its own.
                body: body.replace('\r', ""),
                attachments: vec![path.into()],
                in_reply_to: "<a@b>".into(),
                forwarded,
                ..Draft::default()
            };
            prop_assert_eq!(draft.from_text(&draft.to_text()).unwrap(), draft);
        }

        #[test]
        fn any_text_at_all_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = Draft::default().from_text(&text);
        }
    }
}
