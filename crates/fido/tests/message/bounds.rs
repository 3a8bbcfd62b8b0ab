//! Messages made to cost: each is shown as far as the bounds go, says what is left out, and takes no more time than
//! its octets are worth.

use std::time::{Duration, Instant};

use fido::message::{Kind, Line, MAX_FIELDS, MAX_LINES, MAX_PARTS, Reply, Summary, View};

use crate::check::check;

/// What a debug build on a busy machine needs at most for any of these; what is quadratic needs minutes.
const ENOUGH: Duration = Duration::from_secs(30);

/// Views a message, and checks that a note says so and all is safe.
fn view(message: &[u8], note: &str) -> View {
    let start = Instant::now();
    let view = View::of(message, 80);
    let _ = Summary::of(message);
    assert!(start.elapsed() < ENOUGH, "{:?} for {note}", start.elapsed());
    check(&view, 80);
    let noted = |line: &Line| line.kind == Kind::Note && line.text.contains(note);
    assert!(note.is_empty() || view.lines().iter().any(noted), "no line says: {note}");
    view
}

#[test]
fn multiparts_a_thousand_deep_are_cut() {
    let level = |depth| format!("Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n");
    let message = (0..1000).map(level).collect::<Vec<_>>().concat();
    let view = view(message.as_bytes(), "deeper than are shown");
    assert_eq!(view.attachments().len(), 1, "what is below can be saved");
}

#[test]
fn messages_within_messages_are_cut() {
    view("Content-Type: message/rfc822\n\n".repeat(100_000).as_bytes(), "deeper than are shown");
}

#[test]
fn a_hundred_thousand_parts_are_cut() {
    let message = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(100_000));
    let view = view(message.as_bytes(), "more parts than are shown");
    assert_eq!(view.lines().iter().filter(|line| line.text == "x").count(), MAX_PARTS - 1);
}

#[test]
fn boundaries_that_never_come_cost_no_more_than_others() {
    let part = "--b\nContent-Type: multipart/mixed; boundary=never\n\nx\n";
    let message = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(100_000));
    view(message.as_bytes(), "cannot be told apart");
}

#[test]
fn a_header_of_10_megabytes_is_cut() {
    let long = view(format!("Subject: {}\n\nx\n", "woof ".repeat(2_000_000)).as_bytes(), "");
    assert!(long.fields()[0].value.len() < 20_000 && long.fields()[0].value.ends_with('…'));
    let many = view(format!("{}\nx\n", "A: b\n".repeat(2_000_000)).as_bytes(), "");
    assert_eq!((many.fields().len(), many.lines()[0].text.as_str()), (MAX_FIELDS, "x"));
    assert_eq!(many.heading().last().unwrap().text, "[more fields than are shown]");
    view(format!("A{}\n\nx", "a".repeat(10_000_000)).as_bytes(), "more text than is shown");
    view(format!("To: {}\n\nx", "\"a\" <b@c>,".repeat(100_000)).as_bytes(), "");
    let words = format!("Subject: {}\n", "=?utf-8?q?x ".repeat(1500));
    view(format!("{}\nx", words.repeat(100)).as_bytes(), "");
    let parameters: String = (0..100_000).map(|n| ["; a*", &n.to_string(), "=b"].concat()).collect();
    view(format!("Content-Type: text/plain{parameters}\n\nx").as_bytes(), "");
}

#[test]
fn one_line_of_50_megabytes_is_cut() {
    let view = view(&vec![b'a'; 50 << 20], "more text than is shown");
    assert_eq!(view.attachments()[0].size, 50 << 20, "all of it can be saved");
}

#[test]
fn lines_beyond_the_bound_are_cut() {
    let view = view("a\n".repeat(1_000_000).as_bytes(), "more lines than are shown");
    assert_eq!(view.lines().len(), MAX_LINES + 1);
    assert!(Reply::to("a\n".repeat(1_000_000).as_bytes(), &[], true).body.ends_with("> [...]\n"));
}

#[test]
fn encoded_rubbish_is_shown_as_far_as_it_goes() {
    let message = |encoding: &str, text: &str| {
        format!("Content-Type: text/plain\nContent-Transfer-Encoding: {encoding}\n\n{text}")
    };
    view(message("base64", &"YWFh".repeat(1_600_000)).as_bytes(), "more text than is shown");
    for rubbish in ["=", "=\n", " ", "=4", " \t=", "=0d", "=1b"] {
        view(message("quoted-printable", &rubbish.repeat(300_000 / rubbish.len())).as_bytes(), "");
    }
    view(message("x-unheard-of", "x").as_bytes(), "an encoding that is not known");
    view(b"Content-Type: text/plain; charset=klingon\n\nx", "a character set that is not known, klingon");
}

#[test]
fn a_million_tags_cost_no_more_than_others() {
    for tags in [
        "<div>",
        "<table><tr><td>",
        "<b>",
        "<a href=http://x.example>",
        "<ul><li>",
        "<blockquote>x",
        "<",
        "<!--",
        "<a b='",
        "&",
        "</",
        "<pre>",
        "<script>",
        "<head>",
        "<a =",
        "<img alt=x>",
        "&#x1b;",
        "<p>x",
        "<a href=\"&",
        "<title><",
    ] {
        let message = format!("Content-Type: text/html\n\n{}", tags.repeat(200_000 / tags.len()));
        view(message.as_bytes(), "");
    }
    let message = format!("Content-Type: text/html\n\n{}", "<div>".repeat(1_000_000));
    view(message.as_bytes(), "more text than is shown");
}

#[test]
fn marks_and_quotes_are_bounded() {
    view(format!("\nz{}", "\u{301}".repeat(500_000)).as_bytes(), "");
    view(">".repeat(1_000_000).as_bytes(), "");
    view("> ".repeat(500_000).as_bytes(), "");
    view(format!("Subject: {}\n\n", "=?utf-8?q?=1b?= ".repeat(100_000)).as_bytes(), "");
    view(format!("Content-Type: text/plain; format=flowed\n\n{}", "a \n".repeat(300_000)).as_bytes(), "");
}
