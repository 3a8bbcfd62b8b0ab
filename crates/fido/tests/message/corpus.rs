//! Messages as they come, in `tests/messages`: each `NAME.eml` is shown as `NAME.txt` says.
//!
//! With `DOGHOUSE_BLESS` in the environment, the texts are written anew, to be read by a person.

use std::{env, fmt::Write, fs, path::PathBuf};

use fido::message::{Kind, Summary, View};

use crate::check::check;

const WIDTH: usize = 72;

fn messages() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "eml")).collect();
    paths.sort();
    paths
}

/// A message as text: what a list shows, what kind each line is, the attachments.
fn shown(message: &[u8]) -> String {
    let summary = Summary::of(message);
    let view = View::of(message, WIDTH);
    check(&view, WIDTH);
    let mut text = String::new();
    let date = summary.date.map(|date| format!("{} {}", date.seconds, date.zone)).unwrap_or_default();
    writeln!(text, "list      {} | {} | {date}", summary.from, summary.subject).unwrap();
    for line in view.short_heading(|_| None).iter().chain(view.lines()) {
        let kind = match line.kind {
            Kind::Header => "header".to_owned(),
            Kind::Text if line.quote > 0 => format!("quote {}", line.quote),
            Kind::Text => "text".to_owned(),
            Kind::Signature => "signature".to_owned(),
            Kind::Link => "link".to_owned(),
            Kind::Note => "note".to_owned(),
        };
        writeln!(text, "{}", format!("{kind:<9} {}", line.text).trim_end()).unwrap();
    }
    for (place, attachment) in view.attachments().iter().enumerate() {
        let fido::message::Attachment { name, media, size, disposition, .. } = attachment;
        writeln!(text, "file {}    {name} {media} {size} {disposition:?}", place + 1).unwrap();
    }
    text
}

#[test]
fn messages_are_shown_as_is_written_beside_them() {
    let paths = messages();
    assert!(paths.len() >= 15, "messages are missing");
    for path in paths {
        let text = shown(&fs::read(&path).unwrap());
        let beside = path.with_extension("txt");
        if env::var_os("DOGHOUSE_BLESS").is_some() {
            fs::write(&beside, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&beside).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn line_ends_and_what_is_searched_make_no_difference() {
    for path in messages() {
        let message = fs::read(path).unwrap();
        // Only where every octet is text: the others have line ends of their own.
        let Ok(text) = String::from_utf8(message) else { continue };
        let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let lf = text.replace("\r\n", "\n");
        let lines = |text: &str| {
            View::of(text.as_bytes(), WIDTH).lines().iter().map(|line| line.text.clone()).collect::<Vec<_>>()
        };
        let same = |lines: Vec<String>| {
            lines.into_iter().filter(|line| !line.trim().starts_with("[attachment")).collect::<Vec<_>>()
        };
        assert_eq!(same(lines(&crlf)), same(lines(&lf)));
    }
}

#[test]
fn a_text_is_found_also_where_it_is_wrapped() {
    let words = (0..30).map(|word| format!("word{word}")).collect::<Vec<_>>().join(" ");
    let view = View::of(format!("Subject: Bone\n\n{words}\n").as_bytes(), 40);
    for word in 0..29 {
        assert!(view.holds(&format!("WORD{word} word{}", word + 1)));
    }
    assert!(view.holds("bone") && !view.holds("cat"));
    assert_eq!((view.find("word0", 0), view.find("word0", 1)), (Some(0), None));
}
