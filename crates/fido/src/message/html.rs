//! HTML as text.
//!
//! Tags are read as they come and nothing is built of them, so that neither nesting nor what is never closed can
//! cost more than its own octets. What hides text from a reader of HTML does not hide it here.

use mail_parser::decoders::{charsets::map::charset_decoder, html::add_html_token};

use super::page::{Kind, Page};

/// How far lists and quotes are indented within each other.
const MAX_LEVELS: usize = 8;

/// Characters of a link's text that are kept.
const MAX_LINK_TEXT: usize = 500;

/// Puts a text in HTML on the page, its links numbered and listed below it.
pub(super) fn html(text: &str, page: &mut Page) {
    let first_link = page.links.len();
    let mut writer = Writer {
        page,
        line: String::new(),
        blank: false,
        gap: false,
        item: false,
        quote: 0,
        lists: Vec::new(),
        preformatted: 0,
        anchor: None,
    };
    let mut rest = text;
    while !rest.is_empty() && !writer.page.is_full() {
        let (before, from_mark) = rest.split_at(rest.find(['<', '&']).unwrap_or(rest.len()));
        writer.text(before);
        rest = match from_mark.as_bytes() {
            [] => break,
            [b'&', ..] => writer.entity(from_mark),
            [b'<', b'!' | b'?', ..] => after_comment(from_mark),
            [b'<', b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] => writer.tag(from_mark),
            _ => writer.literally(from_mark, 1),
        };
    }
    writer.end_anchor();
    writer.end_line();
    page.list_links(first_link);
}

fn after_comment(text: &str) -> &str {
    let (start, end) = if text.starts_with("<!--") { (4, "-->") } else { (1, ">") };
    text.get(start..).and_then(|text| text.split_once(end)).map_or("", |(_, rest)| rest)
}

struct Writer<'p> {
    page: &'p mut Page,
    /// The line that is being written.
    line: String,
    /// A blank is due before the next word.
    blank: bool,
    /// An empty line is due before the next one.
    gap: bool,
    /// The next line begins an item of a list.
    item: bool,
    quote: usize,
    /// For each list that is open: the number of its last item, or nothing if they have none.
    lists: Vec<Option<usize>>,
    preformatted: usize,
    /// Where the link leads that is open, and its text so far.
    anchor: Option<(String, String)>,
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\n' if self.preformatted > 0 => self.new_line(),
                '\r' if self.preformatted > 0 => {}
                ' ' | '\t' if self.preformatted > 0 => self.line.push(character),
                ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{a0}' => self.blank = true,
                _ => {
                    if self.blank && !self.line.is_empty() {
                        self.push(' ');
                    }
                    self.blank = false;
                    self.push(character);
                }
            }
        }
    }

    fn push(&mut self, character: char) {
        self.line.push(character);
        if let Some((_, text)) = &mut self.anchor
            && text.len() < MAX_LINK_TEXT
        {
            text.push(character);
        }
    }

    /// Takes that many octets as they are; the rest is returned.
    fn literally<'t>(&mut self, text: &'t str, octets: usize) -> &'t str {
        let (literal, rest) = text.split_at_checked(octets).unwrap_or((text, ""));
        self.text(literal);
        rest
    }

    fn entity<'t>(&mut self, text: &'t str) -> &'t str {
        let name =
            text.bytes().skip(1).take(32).take_while(|octet| octet.is_ascii_alphanumeric() || *octet == b'#');
        let length = name.count() + 2;
        let Some((token, rest)) = text.split_at_checked(length).filter(|(token, _)| token.ends_with(';'))
        else {
            return self.literally(text, 1);
        };
        let mut decoded = String::new();
        add_html_token(&mut decoded, token.as_bytes(), false);
        // Numbers of C1 stand for windows-1252, as browsers have it.
        if let Some(character @ '\u{80}'..='\u{9f}') = decoded.chars().next()
            && let (Some(decode), Ok(octet)) =
                (charset_decoder(b"windows-1252"), u8::try_from(u32::from(character)))
        {
            decoded = decode(&[octet]);
        }
        self.text(&decoded);
        rest
    }

    /// Does what a tag says; the text after it is returned, and that is none where the tag never ends.
    fn tag<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(end) = tag_end(text) else { return "" };
        let (tag, rest) = text.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        let inner = tag.get(1..).unwrap_or_default();
        let (opens, inner) = inner.strip_prefix('/').map_or((true, inner), |inner| (false, inner));
        let (name, attributes) =
            inner.split_at(inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len()));
        let name = name.to_ascii_lowercase();
        match (name.as_str(), opens) {
            ("script" | "style" | "title" | "template" | "head", true) => return after_element(&name, rest),
            ("a", opens) => {
                self.end_anchor();
                self.anchor = attribute(attributes, "href")
                    .filter(|_| opens)
                    .map(|target| (unescaped(target), String::new()));
            }
            ("img", true) => {
                let alternative = attribute(attributes, "alt").map(unescaped).unwrap_or_default();
                if !alternative.trim().is_empty() {
                    self.text(&format!("[{}]", alternative.trim()));
                }
            }
            ("br", _) => self.new_line(),
            ("hr", true) => {
                self.end_line();
                self.line.push_str("----");
                self.end_line();
            }
            ("td" | "th", _) => self.blank = true,
            ("li", opens) => self.list_item(opens),
            ("ul" | "ol", true) => {
                self.end_block(self.lists.is_empty());
                self.lists.push((name == "ol").then_some(0));
            }
            ("ul" | "ol", false) => {
                self.end_block(self.lists.len() <= 1);
                self.lists.pop();
            }
            ("blockquote", opens) => {
                self.end_block(true);
                self.quote = if opens { self.quote + 1 } else { self.quote.saturating_sub(1) };
            }
            ("pre", opens) => {
                self.end_block(true);
                self.preformatted = usize::from(opens);
            }
            ("p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "dl", _) => self.end_block(true),
            (
                "div" | "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "center"
                | "address" | "form" | "body" | "caption" | "figure" | "main" | "nav" | "aside" | "fieldset",
                _,
            ) => self.end_line(),
            _ => {}
        }
        rest
    }

    fn list_item(&mut self, opens: bool) {
        self.end_line();
        self.item = opens;
        if opens && let Some(Some(number)) = self.lists.last_mut() {
            *number += 1;
        }
    }

    /// Ends the link that is open: its number is put behind its text.
    fn end_anchor(&mut self) {
        let Some((target, text)) = self.anchor.take() else { return };
        if let Some(number) = self.page.link(&text, &target) {
            self.line.extend(["[", &number.to_string(), "]"]);
        }
    }

    /// Ends the line if there is something in it, and puts an empty line before the next if that is due.
    fn end_block(&mut self, gap: bool) {
        self.end_line();
        self.gap |= gap;
    }

    fn end_line(&mut self) {
        if !self.line.trim().is_empty() {
            self.new_line();
        }
        self.line.clear();
        self.blank = false;
    }

    fn new_line(&mut self) {
        if std::mem::take(&mut self.gap) {
            self.page.gap();
        }
        let level = self.lists.len().min(MAX_LEVELS);
        let further = "  ".repeat(level);
        let first = match (std::mem::take(&mut self.item), self.lists.last()) {
            (true, Some(Some(number))) => format!("{}{number}. ", "  ".repeat(level.saturating_sub(1))),
            (true, _) => format!("{}* ", "  ".repeat(level.saturating_sub(1))),
            (false, _) => further.clone(),
        };
        let quote = self.quote.min(MAX_LEVELS);
        self.page.put_after(Kind::Text, quote, &first, &further, &self.line);
        self.line.clear();
        self.blank = false;
    }
}

/// Where the `>` of the tag is that `text` begins with; one within a quoted value is none.
fn tag_end(text: &str) -> Option<usize> {
    let (mut quote, mut after_equals) = (None, false);
    text.bytes().position(|octet| {
        match (quote, octet) {
            (Some(mark), _) => {
                if octet == mark {
                    quote = None;
                }
            }
            (None, b'>') => return true,
            (None, b'"' | b'\'') if after_equals => quote = Some(octet),
            (None, _) => after_equals = octet == b'=' || after_equals && octet.is_ascii_whitespace(),
        }
        false
    })
}

/// What follows the end of an element whose content is not shown.
///
/// A `head` that is never closed ends with the `body`'s beginning, and all of them with the text.
fn after_element<'t>(name: &str, text: &'t str) -> &'t str {
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let Some(tag) = rest.get(start + 1..) else { break };
        let starts =
            |tag: &str, name: &str| tag.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name));
        if name == "head" && starts(tag, "body") {
            return rest.get(start..).unwrap_or_default();
        }
        if let Some(tag) = tag.strip_prefix('/')
            && starts(tag, name)
        {
            return tag.split_once('>').map_or("", |(_, rest)| rest);
        }
        rest = tag;
    }
    ""
}

/// The value of an attribute, as it stands there.
fn attribute<'t>(attributes: &'t str, wanted: &str) -> Option<&'t str> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, after) = rest
            .split_at(rest.find(|c: char| c.is_ascii_whitespace() || "=/".contains(c)).unwrap_or(rest.len()));
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('=').map(str::trim_start) {
            None => ("", after),
            Some(value) => match value.chars().next() {
                Some(mark @ ('"' | '\'')) => {
                    let value = value.get(1..).unwrap_or_default();
                    value.split_once(mark).unwrap_or((value, ""))
                }
                _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
            },
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        if after.is_empty() {
            return None;
        }
        rest = after;
    }
}

/// The value of an attribute with its entities decoded.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (place, piece) in value.split('&').enumerate() {
        match piece.split_once(';').filter(|(name, _)| place > 0 && name.len() <= 32) {
            Some((name, rest)) => {
                add_html_token(&mut text, format!("&{name};").as_bytes(), false);
                text.push_str(rest);
            }
            None => text.extend([if place > 0 { "&" } else { "" }, piece]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let mut page = Page::new(60);
        html(text, &mut page);
        page.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn paragraphs_lists_and_quotes_become_lines() {
        assert_eq!(
            shown("<p>one<br>two <b>three</b>\n\n four</p><p>five"),
            ["one", "two three four", "", "five"]
        );
        assert_eq!(shown("<ul><li>a<li>b<ol><li>c</ol></ul>d"), ["* a", "* b", "  1. c", "", "d"]);
        assert_eq!(shown("x<blockquote>q</blockquote>y"), ["x", "", "> q", "", "y"]);
        assert_eq!(shown("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>"), ["a b", "c"]);
        assert_eq!(shown("<pre>a\n  b</pre>"), ["a", "  b"]);
    }

    #[test]
    fn what_is_no_text_is_not_shown() {
        assert_eq!(
            shown("<head><title>t</title></head><style>x{}</style>a<!-- b --><script>if(a<b)</script>c"),
            ["ac"]
        );
        assert_eq!(shown("<head><body>text"), ["text"]);
        assert_eq!(shown("a <img src=x alt='our dog'> b < c"), ["a [our dog] b < c"]);
        assert_eq!(shown("a <unfinished"), ["a"]);
    }

    #[test]
    fn entities_are_decoded() {
        assert_eq!(shown("&lt;&auml;&#8364;&#x41;&#150;&nonsense;&amp&"), ["<ä€A–&nonsense;&amp&"]);
        assert_eq!(shown("&#27;[2J&#x202e;"), ["␛[2J"]);
    }

    #[test]
    fn links_are_numbered_and_listed() {
        let text = "<a class='x>' href=\"https://dog-house.example/?a=1&amp;b=2\">Read</a> <a href=\"javascript:x\">No</a>";
        assert_eq!(shown(text), ["Read[1] No", "", "[1] https://dog-house.example/?a=1&b=2 (Read)"]);
    }
}
