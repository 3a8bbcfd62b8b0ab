//! Reply lines.

use std::mem::discriminant;

use pop2::{Greeting, MAX_LINE, Reply, Text};

use crate::is_one_line;

/// A line that is a reply is written, in at most 512 octets, and read back as the same but for what was not
/// printable; whatever is shown of it is one line.
///
/// The input is one line without its end.
pub fn reply(line: &[u8]) {
    let reply = match Reply::parse(line) {
        Ok(reply) => reply,
        Err(error) => return assert!(is_one_line(&error.to_string()), "{error:?}"),
    };
    assert!(is_one_line(&reply.to_string()), "{reply:?}");
    if let Greeting::Pop2 { host } = Greeting::of(parts(reply).1) {
        assert!(is_one_line(&host), "{host:?}");
    }

    let mut wire = Vec::new();
    reply.encode(&mut wire);
    assert!(wire.len() <= MAX_LINE);
    let Some(line) = wire.strip_suffix(b"\r\n") else { panic!("no line end: {wire:?}") };
    assert!(line.iter().all(|octet| matches!(octet, b' '..=b'~')), "not printable: {line:?}");

    let again = Reply::parse(line).unwrap_or_else(|error| panic!("{reply}: {error}"));
    assert_eq!(discriminant(&reply), discriminant(&again));
    let ((number, text), (number_again, text_again)) = (parts(reply), parts(again));
    assert_eq!(number, number_again);
    let printable = |octet: &u8| if matches!(octet, b' '..=b'~') { *octet } else { b'?' };
    let text: Vec<u8> = text.as_bytes().iter().map(printable).collect();
    assert!(text.starts_with(text_again.as_bytes()), "another text: {again}");
    // A mark, a number of at most twenty digits, a blank and the line end.
    assert!(text == text_again.as_bytes() || text.len() > MAX_LINE - 24, "the text was cut: {again}");
}

/// The number and the text.
fn parts(reply: Reply<'_>) -> (u64, Text<'_>) {
    match reply {
        Reply::Ok(text) | Reply::Error(text) => (0, text),
        Reply::Count(count, text) => (count.into(), text),
        Reply::Length(length, text) => (length, text),
    }
}
