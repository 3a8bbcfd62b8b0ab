//! The lines that a view is made of.

use std::fmt::Write;

use super::{MAX_LINES, MAX_LINKS, MAX_TEXT, clean::one_line, wrap::wrap};

/// What a line is, so that a program can show it accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A line of a field of a header.
    Header,
    /// Text of the message.
    Text,
    /// What follows the line `-- `.
    Signature,
    /// An entry of the list of links.
    Link,
    /// What is said about the message, and does not come from its text: no message can bring such a line.
    Note,
}

/// A line, no wider than the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text: no control characters, no line end, wide characters whole.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// How often it is quoted; the text has the marks (`>`).
    pub quote: usize,
    /// Whether the next line goes on with it, as the width is no greater.
    pub continues: bool,
}

/// A link of a text in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The number that stands in brackets in the text.
    pub number: usize,
    /// What the text shows for it.
    pub text: String,
    /// Where it leads: `http:`, `https:` or `mailto:`, everything percent-encoded that is not printable ASCII.
    pub target: String,
    /// Whether its text names one host and it leads to another.
    pub is_deceptive: bool,
}

/// Takes texts and makes lines of them, until there are enough.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    pub(super) links: Vec<Link>,
    width: usize,
    /// Columns before each line; the more, the deeper the message is within others.
    indent: usize,
    /// Octets of text that may still come.
    pub(super) room: usize,
    /// Whether the line that says that there are no more is written.
    is_closed: bool,
}

impl Page {
    pub(super) fn new(width: usize) -> Self {
        let (lines, links) = (Vec::new(), Vec::new());
        Self { lines, links, width: width.max(1), indent: 0, room: MAX_TEXT, is_closed: false }
    }

    /// Whether no more lines are taken.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= MAX_LINES
    }

    /// Indents what follows as it is `depth` messages deep.
    pub(super) fn nest(&mut self, depth: usize) {
        self.indent = (2 * depth).min(self.width / 4);
    }

    /// Takes a text without line ends.
    pub(super) fn put(&mut self, kind: Kind, quote: usize, text: &str) {
        self.put_after(kind, quote, "", "", text);
    }

    /// Takes a text that begins with `first`, and every further line of it with `further`; both are ASCII.
    pub(super) fn put_after(&mut self, kind: Kind, quote: usize, first: &str, further: &str, text: &str) {
        if self.is_full() {
            return self.close("more lines than are shown");
        }
        let marks = quote.min(self.width / 4);
        let quoted = " ".repeat(self.indent) + &">".repeat(marks) + if marks > 0 { " " } else { "" };
        let fits = quoted.len() + first.len().max(further.len()) < self.width;
        let (first, further) = if fits { (first, further) } else { ("", "") };
        let quoted = if quoted.len() < self.width { quoted } else { String::new() };
        let columns = self.width - quoted.len() - first.len().max(further.len());
        let mut before = first;
        wrap(text, columns, |line, continues| {
            let text = format!("{quoted}{before}{line}");
            before = further;
            let text = text.trim_end_matches(' ').to_owned();
            self.lines.push(Line { text, kind, quote, continues });
            self.lines.len() < MAX_LINES
        });
        if self.is_full() {
            self.close("more lines than are shown");
        }
    }

    /// Says something about the message, in brackets.
    pub(super) fn note(&mut self, text: &str) {
        self.put(Kind::Note, 0, &format!("[{text}]"));
    }

    /// Says something below the text; such lines stand together.
    pub(super) fn note_below(&mut self, text: &str) {
        if self.lines.last().is_some_and(|line| line.kind != Kind::Note) {
            self.gap();
        }
        self.note(text);
    }

    /// An empty line, unless there is one or nothing precedes it.
    pub(super) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.text.is_empty()) {
            self.put(Kind::Text, 0, "");
        }
    }

    /// As much of a text as there is room for; a line says if that is not all.
    pub(super) fn fitting<'t>(&mut self, text: &'t str) -> (&'t str, bool) {
        let mut end = self.room.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.room -= end;
        (text.get(..end).unwrap_or_default(), end < text.len())
    }

    /// Notes a link, if it is one that may be followed, and tells its number.
    pub(super) fn link(&mut self, text: &str, target: &str) -> Option<usize> {
        let target = followable(target)?;
        if self.links.len() >= MAX_LINKS {
            return None;
        }
        let (number, text) = (self.links.len() + 1, one_line(text));
        let is_deceptive =
            host(&text, false).is_some_and(|shown| host(&target, true).is_none_or(|host| host != shown));
        self.links.push(Link { number, text, target, is_deceptive });
        Some(number)
    }

    /// Lists the links from that number on.
    pub(super) fn list_links(&mut self, from: usize) {
        let links: Vec<Link> = self.links.iter().skip(from).cloned().collect();
        if !links.is_empty() {
            self.gap();
        }
        for Link { number, text, target, is_deceptive } in links {
            let text = text.chars().take(100).collect::<String>();
            let text = match (text.is_empty() || text == target, is_deceptive) {
                (true, _) => target,
                (false, true) => format!("{target} BUT the text says {text}"),
                (false, false) => format!("{target} ({text})"),
            };
            self.put_after(Kind::Link, 0, &format!("[{number}] "), "    ", &text);
        }
        if self.links.len() >= MAX_LINKS {
            self.note("there may be more links than are listed");
        }
    }

    fn close(&mut self, text: &str) {
        if !self.is_closed {
            self.is_closed = true;
            let text: String = format!("[{text}]").chars().take(self.width).collect();
            self.lines.push(Line { text, kind: Kind::Note, quote: 0, continues: false });
        }
    }
}

/// A target as browsers read it, made plain; nothing where it is none to follow.
fn followable(target: &str) -> Option<String> {
    // A longer one is of no use to a person.
    let target = target.trim_matches(|c: char| c <= ' ').get(..).filter(|target| target.len() <= 8000)?;
    let mut plain = String::with_capacity(target.len());
    for octet in target.bytes().filter(|octet| !matches!(octet, b'\t' | b'\r' | b'\n')) {
        if octet.is_ascii_graphic() {
            plain.push(char::from(octet));
        } else {
            // Writing to a string never fails.
            let _ = write!(plain, "%{octet:02X}");
        }
    }
    let scheme = plain.split_once(':')?.0.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https" | "mailto").then_some(plain)
}

/// The host that a target leads to, or that a text seems to name.
fn host(text: &str, is_target: bool) -> Option<String> {
    let text = text.to_lowercase();
    let after_scheme = text.strip_prefix("https:").or_else(|| text.strip_prefix("http:"));
    let rest = match after_scheme {
        Some(rest) => rest.trim_start_matches(['/', '\\']),
        None if is_target || text.contains('@') => return None,
        None => &text,
    };
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    // A text of other words is no host: "Read more", "v1.2" or "e.g." are none.
    let top = host.rsplit_once('.').map(|(_, top)| top);
    let looks_right = top.is_some_and(|top| top.chars().count() >= 2 && top.chars().all(char::is_alphabetic))
        && host.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-');
    (is_target || looks_right).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_followed_is_a_link_and_it_is_plain() {
        let mut page = Page::new(80);
        assert_eq!(page.link("x", " HTTPS://dog-house.example/ä b\n "), Some(1));
        assert_eq!(page.links[0].target, "HTTPS://dog-house.example/%C3%A4%20b");
        for target in ["java\nscript:alert(1)", "file:///etc/passwd", "#top", "", "data:text/html,x", "cid:1"]
        {
            assert_eq!(page.link("x", target), None, "{target}");
        }
    }

    #[test]
    fn a_text_that_names_another_host_is_deceptive() {
        let deceptive = |text: &str, target: &str| {
            let mut page = Page::new(80);
            page.link(text, target).unwrap();
            page.links[0].is_deceptive
        };
        assert!(deceptive("www.bank.example", "https://evil.example/bank.example"));
        assert!(deceptive("https://bank.example/login", "https://bank.example@evil.example/"));
        assert!(deceptive("bank.example", "https://b\u{430}nk.example/"));
        assert!(!deceptive("https://www.bank.example/a", "http://bank.example/b"));
        assert!(
            !deceptive("Read more", "http://bank.example/b")
                && !deceptive("a@b.example", "mailto:a@b.example")
        );
    }
}
