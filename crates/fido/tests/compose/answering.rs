//! Drafts that are gone on with, replies and messages that are passed on, all the way to the server.

use fido::{
    compose::{Draft, Letter, Outbox},
    config::{Config, Profile},
};
use mail_parser::{MessageParser, MimeHeaders, PartType};

use crate::{
    common::run,
    desk::Desk,
    sink::{Sink, Speaks},
};

const ORIGINAL: &str = "From: Rex <rex@dog.example>\nTo: Fido <fido@dog.example>, cat@dog.example\n\
    Subject: =?utf-8?q?The_bone_=E2=80=93_mine?=\nMessage-ID: <1@dog.example>\nReferences: <0@dog.example>\n\
    Date: Tue, 5 Mar 2024 10:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n\
    Content-Transfer-Encoding: 8bit\n\n.\nWöof.\n";

fn profile(desk: &Desk) -> Profile {
    Config::load(Some(&desk.path("fido.toml"))).unwrap().account("a").unwrap()
}

fn send(desk: &Desk, draft: Draft) -> Result<Vec<String>, String> {
    let outbox = Outbox::open(&profile(desk)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sent = runtime.block_on(outbox.send(&Letter::Draft(draft), None, None));
    sent.map(|delivered| delivered.taken).map_err(|failure| failure.to_string())
}

#[test]
fn a_reply_arrives_in_its_thread_with_the_text_quoted() {
    let sink = Sink::new(Speaks::Plain, &["8BITMIME"]);
    let desk = Desk::new(sink.address, "security = 'plain'");
    let mut draft = Draft::reply(&profile(&desk), ORIGINAL.as_bytes(), true).unwrap();
    draft.body.push_str("Yours.\n");
    assert_eq!(send(&desk, draft).unwrap(), ["rex@dog.example", "cat@dog.example"]);
    let messages = sink.messages();
    let parsed = MessageParser::default().parse(messages[0].as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Re: The bone – mine"));
    assert_eq!(parsed.in_reply_to().as_text(), Some("1@dog.example"));
    let references = parsed.references().as_text_list().unwrap().join(" ");
    assert_eq!(references, "0@dog.example 1@dog.example");
    let body = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(body.contains("> .\n> Wöof.\n") && body.ends_with("Yours.\n"), "{body}");
    assert_eq!(desk.folder("Sent")[0].1, messages[0]);
}

#[test]
fn an_answer_to_oneself_goes_to_oneself() {
    let desk = Desk::new("127.0.0.1:9".parse().unwrap(), "");
    let own = ORIGINAL.replace("Rex <rex@dog.example>", "fido@dog.example").replace(", cat@dog.example", "");
    let draft = Draft::reply(&profile(&desk), own.as_bytes(), false).unwrap();
    assert_eq!((draft.to.as_str(), draft.cc.as_str()), ("fido@dog.example", ""));
}

#[test]
fn a_message_is_passed_on_as_it_is_or_as_quoted_text() {
    let sink = Sink::new(Speaks::Plain, &["8BITMIME", "SIZE 0"]);
    let desk = Desk::new(sink.address, "security = 'plain'");
    for inline in [false, true] {
        let draft = Draft::forward(&profile(&desk), ORIGINAL.as_bytes(), inline).unwrap();
        let body = format!("Look.\n{}", draft.body);
        send(&desk, Draft { to: "cat@dog.example".into(), body, ..draft }).unwrap();
    }
    let messages = sink.messages();
    let parsed = MessageParser::default().parse(messages[0].as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Fwd: The bone – mine"));
    let part = parsed.parts.iter().find(|part| part.is_content_type("message", "rfc822")).unwrap();
    assert!(matches!(&part.body, PartType::Message(inner) if inner.subject() == Some("The bone – mine")));
    // To the octet, but for the line end that belongs to the boundary.
    assert!(messages[0].contains(&format!("\n\n{ORIGINAL}\n--=_")), "{}", messages[0]);
    let parsed = MessageParser::default().parse(messages[1].as_bytes()).unwrap();
    let body = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(body.starts_with("Look.\n") && body.contains("> Wöof."), "{body}");
    let mails: Vec<_> = sink.lines().into_iter().filter(|line| line.starts_with("MAIL")).collect();
    assert!(mails[0].contains(" BODY=8BITMIME SIZE="), "{mails:?}");
    assert!(!mails[1].contains("BODY"), "{mails:?}");
}

#[test]
fn what_only_goes_by_8bitmime_is_not_sent_without_and_the_remedy_is_said() {
    let sink = Sink::new(Speaks::Plain, &[]);
    let desk = Desk::new(sink.address, "security = 'plain'");
    let draft = Draft::forward(&profile(&desk), ORIGINAL.as_bytes(), false).unwrap();
    let error = send(&desk, Draft { to: "cat@dog.example".into(), ..draft }).unwrap_err();
    assert!(error.contains("save it to a file and attach that"), "{error}");
    assert_eq!(error.matches("the message is in").count(), 1, "{error}");
    assert_eq!((sink.messages().len(), desk.folder("Drafts").len()), (0, 1));
    // The text alone is encoded, and goes.
    desk.send(&["--to", "a@b"], "wöof\n").ends(0, "sent to a@b");
}

#[test]
fn the_newest_draft_is_gone_on_with() {
    let sink = Sink::new(Speaks::Plain, &[]);
    let desk = Desk::new(sink.address, "security = 'plain'");
    let write = |arguments: &[&str], editor: &str, input: &str| {
        run(desk.fido(&[&["write"], arguments].concat()).env("VISUAL", editor), input)
    };
    write(&["--resume"], "true", "").ends(64, "there is no draft in the folder Drafts");
    let attached = desk.path("x.txt");
    std::fs::write(&attached, "bone").unwrap();
    let first = ["--to", "a@b", "--bcc", "c@d", "--subject", "böne", "--attach", attached.to_str().unwrap()];
    write(&first, "echo one >>", "k\n").ends(0, "the draft is in the folder Drafts");
    write(&["--resume"], "echo two >>", "k\n").ends(0, "the draft is in the folder Drafts");
    assert_eq!(desk.folder("Drafts").len(), 1);
    write(&["--resume"], "true", "s\n").ends(0, "sent to a@b, c@d");
    let messages = sink.messages();
    let parsed = MessageParser::default().parse(messages[0].as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("böne"));
    assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), "\none\ntwo\n".trim_start());
    assert_eq!(parsed.attachments().next().unwrap().contents(), b"bone");
    assert!(!messages[0].contains("c@d") && desk.folder("Drafts").is_empty());
    write(&["--resume", "--to", "x@y"], "true", "").ends(64, "");
}
