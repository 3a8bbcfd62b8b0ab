//! A message that a person is shown.

use fido::message::{Mailbox, Reply, Summary, View, safe_name};

use crate::choices::Choices;

/// No text that is made of any message acts on a terminal or hides, no line is too wide, no name leaves its folder.
///
/// The first line says how wide lines may be.
pub fn message(input: &[u8]) {
    let (mut width, message) = Choices::split(input);
    let width = usize::from(width.number());
    let view = View::of(message, width);
    for line in view.lines().iter().chain(&view.short_heading(|_| None)).chain(&view.heading()) {
        check(&line.text);
        // Every character that is shown takes a column; marks are at most three for each.
        assert!(line.text.chars().count() <= 4 * width.max(1), "a line is too wide");
    }
    for field in view.fields() {
        check(&field.name);
        check(&field.value);
    }
    for link in view.links() {
        check(&link.text);
        check(&link.target);
    }
    for attachment in view.attachments() {
        check(&attachment.media);
        check(&attachment.name);
        assert!(!attachment.name.contains('/') && !attachment.name.starts_with('.'), "it leaves its folder");
        assert_eq!(safe_name(&attachment.name, "x"), attachment.name, "a safe name is not taken as one");
    }
    let summary = Summary::of(message);
    let reply = Reply::to(message, &[], true);
    let names = reply.to.iter().chain(&reply.cc).chain([&summary.from]);
    for text in names.flat_map(|Mailbox { name, address }| [name, address]) {
        check(text);
    }
    for text in reply.references.iter().chain([&reply.subject, &reply.in_reply_to, &summary.subject]) {
        check(text);
    }
    reply.body.lines().for_each(check);
}

fn check(text: &str) {
    let hides = |character| matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    assert!(
        !text.chars().any(|character| character.is_control() || hides(character)),
        "it acts on a terminal"
    );
}
