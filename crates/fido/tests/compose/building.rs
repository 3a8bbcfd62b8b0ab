//! What is built is read back as the same, and no field can hold another.

use std::fs;

use fido::{
    compose::Draft,
    message::{Mailbox, Summary, View},
};
use mail_parser::MessageParser;
use proptest::prelude::*;

fn draft() -> Draft {
    let from = Mailbox { name: "Fido, the dog".into(), address: "fido@dog.example".into() };
    Draft {
        from, to: "Bjørn \"B\" <b@c.example>".into(), bcc: "secret@d.example".into(), ..Draft::default()
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(subject in "\\PC{0,120}", body in "(?s)[^\r]{0,400}") {
        let draft = Draft { subject: subject.clone(), body: body.clone(), ..draft() };
        let octets = draft.build().unwrap().octets;
        prop_assert!(octets.split(|o| *o == b'\n').all(|line| line.len() <= 998));
        prop_assert!(octets.is_ascii());
        let parsed = MessageParser::default().parse(&octets).unwrap();
        let read = parsed.body_text(0).unwrap_or_default().replace("\r\n", "\n");
        let ended = if body.is_empty() || body.ends_with('\n') { body } else { body + "\n" };
        prop_assert_eq!(read, ended);
        if subject.trim() == subject {
            prop_assert_eq!(parsed.subject().unwrap_or_default(), subject.as_str());
        }
        if subject.chars().all(|c| c.is_ascii() && c != ' ') {
            prop_assert_eq!(Summary::of(&octets).subject, subject);
        }
        let view = View::of(&octets, 80);
        prop_assert!(view.fields().iter().all(|field| !field.value.contains("secret@")));
    }

    #[test]
    fn no_field_ever_makes_another(text in "(?s)[a-c<>@\", \r\n:é\u{0}-]{0,60}", which in 0..6) {
        let evil = format!("{text}\r\nX-Evil: 1\n\nX-Evil: 2");
        let mut draft = Draft { body: "x".into(), ..draft() };
        match which {
            0 => draft.to = evil,
            1 => draft.cc = evil,
            2 => draft.subject = evil,
            3 => draft.in_reply_to = evil,
            4 => draft.references = vec![evil],
            _ => draft.from.name = evil,
        }
        prop_assert!(draft.build().is_err());
        let kept = draft.to_message().unwrap();
        prop_assert!(View::of(&kept, 80).fields().iter().all(|field| field.name != "X-Evil"));
        prop_assert!(!draft.to_text().contains("\nX-Evil"));
    }

    #[test]
    fn a_draft_is_read_back_as_it_was_kept(
        subject in "[a-zé=?_ ]{0,80}",
        to in "[a-z@<,\" ]{0,40}",
        body in "(?s)[^\r]{0,300}",
        forwarded in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let body = if body.is_empty() { body } else { body + "\n" };
        let kept = Draft { subject: subject.trim().into(), body, forwarded, references: vec!["<a@b>".into(), "<c@d>".into()], ..draft() };
        let kept = Draft { cc: to.trim().to_owned(), attachments: vec!["/tmp/ö x.txt".into()], ..kept };
        let read = Draft::from_message(&kept.to_message().unwrap(), &kept.from).unwrap();
        prop_assert_eq!(&read.body, &kept.body);
        prop_assert_eq!(&read.forwarded, &kept.forwarded);
        prop_assert_eq!(&read.attachments, &kept.attachments);
        prop_assert_eq!(&read.bcc, &kept.bcc);
        prop_assert_eq!(&read.references, &kept.references);
    }
}

#[test]
fn attachments_and_a_forwarded_message_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{}.pdf", "knöchel ".repeat(12)));
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    fs::write(&path, &content).unwrap();
    let original = b"From: a@b\nSubject: B\xc3\xb6ne\n\n.\nw\xc3\xb6of\n".to_vec();
    let mut draft = Draft { forwarded: Some(original.clone()), body: "see\n".into(), ..draft() };
    draft.attach(&path).unwrap();
    let octets = draft.build().unwrap().octets;
    let parsed = MessageParser::default().parse(&octets).unwrap();
    let parts: Vec<_> = parsed.attachments().collect();
    assert_eq!(parts.len(), 2, "{}", String::from_utf8_lossy(&octets[..2000]));
    assert_eq!(parts[1].contents(), content);
    assert!(octets.windows(original.len()).any(|window| window == original));
    let view = View::of(&octets, 80);
    assert!(view.attachments().iter().any(|a| a.name.starts_with("knöchel") && a.size == content.len()));
    assert!(draft.attach(folder.path()).is_err() && draft.attach(&folder.path().join("none")).is_err());
}
