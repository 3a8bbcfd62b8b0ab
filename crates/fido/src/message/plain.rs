//! Plain text: quotes, the signature, and text that flows (RFC 3676).

use super::page::{Kind, Page};

/// The line before a signature, by the custom of Usenet (RFC 3676 section 4.3).
const SIGNATURE: &str = "-- ";

/// Puts a text on the page line by line.
pub(super) fn fixed(text: &str, page: &mut Page) {
    let mut kind = Kind::Text;
    for line in lines(text) {
        let (quote, rest) = unquoted(line);
        if quote == 0 && line == SIGNATURE {
            kind = Kind::Signature;
        }
        page.put(kind, quote, rest);
        if page.is_full() {
            return;
        }
    }
}

/// Puts a text of `format=flowed` on the page: lines that end in a blank flow into the next one.
pub(super) fn flowed(text: &str, delsp: bool, page: &mut Page) {
    let mut kind = Kind::Text;
    // The paragraph that is being gathered, and how often it is quoted.
    let mut open: Option<(usize, String)> = None;
    for line in lines(text) {
        let rest = line.trim_start_matches('>');
        let quote = line.len() - rest.len();
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if let Some((quoted, paragraph)) = open.take_if(|open| open.0 != quote || rest == SIGNATURE) {
            page.put(kind, quoted, &paragraph);
        }
        if rest == SIGNATURE && quote == 0 {
            kind = Kind::Signature;
        }
        let (_, paragraph) = open.get_or_insert_with(|| (quote, String::new()));
        let flows = rest.ends_with(' ') && rest != SIGNATURE;
        paragraph.push_str(if flows && delsp { rest.strip_suffix(' ').unwrap_or(rest) } else { rest });
        if !flows && let Some((quoted, paragraph)) = open.take() {
            page.put(kind, quoted, &paragraph);
        }
        if page.is_full() {
            return;
        }
    }
    if let Some((quoted, paragraph)) = open {
        page.put(kind, quoted, &paragraph);
    }
}

/// The lines of a text, whatever ends them; without the empty ones at its end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end_matches(['\r', '\n']);
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// How often a line is quoted, and what is: `> > text` or `>> text`.
fn unquoted(line: &str) -> (usize, &str) {
    let (mut quote, mut rest) = (0, line);
    loop {
        // One blank between two marks is none of the text.
        let inner = if quote > 0 { rest.strip_prefix(' ').unwrap_or(rest) } else { rest };
        match inner.strip_prefix('>') {
            Some(after) => (quote, rest) = (quote + 1, after),
            None => return (quote, inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(make: impl FnOnce(&mut Page)) -> Vec<(Kind, usize, String)> {
        let mut page = Page::new(20);
        make(&mut page);
        page.lines.into_iter().map(|line| (line.kind, line.quote, line.text)).collect()
    }

    #[test]
    fn quotes_and_the_signature_are_told() {
        let lines = page(|page| fixed("> > a\r\n>  b\rc\r\n-- \r\nd\r\n\r\n", page));
        assert_eq!(
            lines,
            [
                (Kind::Text, 2, ">> a".into()),
                (Kind::Text, 1, ">  b".into()),
                (Kind::Text, 0, "c".into()),
                (Kind::Signature, 0, "--".into()),
                (Kind::Signature, 0, "d".into()),
            ]
        );
    }

    #[test]
    fn lines_flow_within_a_quote() {
        let text = "> one \n> two\n>> three \nfour \n from\n-- \nx";
        let lines = page(|page| flowed(text, false, page));
        let texts: Vec<&str> = lines.iter().map(|line| line.2.as_str()).collect();
        assert_eq!(texts, ["> one two", ">> three", "four from", "--", "x"]);
        assert_eq!(lines.last().map(|line| line.0), Some(Kind::Signature));
        assert_eq!(page(|page| flowed("dog \nhouse", true, page)), [(Kind::Text, 0, "doghouse".into())]);
    }

    #[test]
    fn a_quote_that_is_wrapped_stays_one() {
        let lines = page(|page| fixed("> the dog sleeps in its house", page));
        assert_eq!(
            lines.iter().map(|line| line.2.as_str()).collect::<Vec<_>>(),
            ["> the dog sleeps in", "> its house"]
        );
    }
}
