//! A whole message as lines of text.

use std::fmt::Write;

use super::{
    Attachment, Date, Disposition, Kind, Line, Link, MAX_FIELDS, Mailbox,
    clean::one_line,
    decode::{self, Encoding},
    header::RawField,
    holds,
    html::html,
    mime::Part,
    page::Page,
    plain::{fixed, flowed},
    safe_name,
};

/// The fields that a reader wants to see, in this order.
const WORTH: [&str; 11] = [
    "Date",
    "Resent-Date",
    "From",
    "Resent-From",
    "Sender",
    "Reply-To",
    "To",
    "Resent-To",
    "Cc",
    "Bcc",
    "Subject",
];

/// Those among them whose value is mailboxes.
const OF_MAILBOXES: [&str; 8] = ["From", "Resent-From", "Sender", "Reply-To", "To", "Resent-To", "Cc", "Bcc"];

/// Those that are dates.
const DATES: [&str; 2] = ["Date", "Resent-Date"];

/// Attachments that are named in the heading.
const MOST_ATTACHED: usize = 5;

/// A field of a header, unfolded and decoded (RFC 2047), safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, as written.
    pub name: String,
    /// Its value, one line.
    pub value: String,
}

/// A message to be read: its fields, its text as lines, its attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    width: usize,
    fields: Vec<Field>,
    has_more_fields: bool,
    lines: Vec<Line>,
    links: Vec<Link>,
    attachments: Vec<Attachment>,
}

impl View {
    /// Reads a message and lays it out in lines of at most `width` columns; 0 is taken as 1.
    ///
    /// Any octets are a message. What cannot be shown, or goes beyond the bounds of this module, a line of
    /// [`Kind::Note`] says.
    #[must_use]
    pub fn of(message: &[u8], width: usize) -> Self {
        let part = Part::of(message);
        let fields: Vec<Field> = part.fields().take(MAX_FIELDS).map(|field| read(&field)).collect();
        let has_more_fields = part.fields().nth(MAX_FIELDS).is_some();
        let mut reading = Reading { page: Page::new(width), attachments: Vec::new(), depth: 0 };
        reading.part(&part);
        let Reading { page: Page { mut lines, links, .. }, attachments, .. } = reading;
        while lines.last().is_some_and(|line| line.text.is_empty()) {
            lines.pop();
        }
        Self { width, fields, has_more_fields, lines, links, attachments }
    }

    /// Every field of the header, in its order; [`MAX_FIELDS`] at most.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The header as lines, as it is written.
    #[must_use]
    pub fn heading(&self) -> Vec<Line> {
        let mut page = Page::new(self.width);
        self.fields.iter().for_each(|field| put(field, &mut page));
        if self.has_more_fields {
            page.note("more fields than are shown");
        }
        page.lines
    }

    /// The fields that a reader wants to see, and what is attached. `date` tells how a date is shown where the
    /// reader is; for `None` it is as it is written.
    #[must_use]
    pub fn short_heading(&self, date: impl Fn(&Date) -> Option<String>) -> Vec<Line> {
        let mut page = Page::new(self.width);
        for field in worth(&self.fields) {
            let is_date = DATES.iter().any(|name| field.name.eq_ignore_ascii_case(name));
            match Date::read(&field.value).filter(|_| is_date).and_then(|it| date(&it)) {
                Some(value) => put(&Field { value, ..field.clone() }, &mut page),
                None => put(field, &mut page),
            }
        }
        let attached = self.attached();
        if !attached.is_empty() {
            put(&Field { name: "Attached".to_owned(), value: attached }, &mut page);
        }
        page.lines
    }

    /// The first attachments with their numbers; empty where there are none beside the text.
    fn attached(&self) -> String {
        let all = self.attachments.iter().enumerate();
        let beside: Vec<_> = all.filter(|(_, it)| it.disposition != Disposition::Alternative).collect();
        let shown = beside.iter().take(MOST_ATTACHED).map(|(place, attachment)| {
            let name: String = attachment.name.chars().take(40).collect();
            let end = if name.len() < attachment.name.len() { "..." } else { "" };
            format!("{} {name}{end}", place + 1)
        });
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if beside.len() > MOST_ATTACHED {
            let _ = write!(text, ", and {} more", beside.len() - MOST_ATTACHED);
        }
        text
    }

    /// The text, with what it says of attachments and of what is not shown.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The links of texts in HTML, whose numbers stand in the lines.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What can be saved, numbered in the lines from 1 on.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// Whether a field or the text holds `text`; the case of letters is not looked at.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let wanted = text.to_lowercase();
        self.fields.iter().any(|field| holds(&field.value, &wanted)) || self.find(text, 0).is_some()
    }

    /// The first line, of those from `start` on, in which `text` stands or begins; a text may go over from one line
    /// to the next. The case of letters is not looked at.
    #[must_use]
    pub fn find(&self, text: &str, start: usize) -> Option<usize> {
        let wanted = text.to_lowercase();
        let found = |place: &usize| {
            let Some(line) = self.lines.get(*place) else { return false };
            let next = self.lines.get(place + 1).filter(|_| line.continues);
            holds(&line.text, &wanted)
                || next.is_some_and(|next| {
                    let rest = next.text.trim_start_matches(['>', ' ']);
                    // The next line alone is found as itself.
                    !holds(&next.text, &wanted) && holds(&format!("{} {rest}", line.text), &wanted)
                })
        };
        (start..self.lines.len()).find(found)
    }
}

fn read(field: &RawField<'_>) -> Field {
    let name = one_line(field.name.get(..100).unwrap_or(field.name));
    let mailboxes =
        if OF_MAILBOXES.iter().any(|name| field.is(name)) { field.mailboxes() } else { Vec::new() };
    // A name is quoted where it could pass for an address; what is no mailbox is shown as it is.
    let value = if mailboxes.is_empty() || field.is_cut() {
        field.text()
    } else {
        mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ")
    };
    Field { name, value }
}

fn worth(fields: &[Field]) -> impl Iterator<Item = &Field> {
    let named = |name: &'static str| fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
    WORTH.into_iter().flat_map(named)
}

fn put(field: &Field, page: &mut Page) {
    page.put_after(Kind::Header, 0, "", "", &format!("{}: {}", field.name, field.value));
}

/// What a view is made with.
struct Reading {
    page: Page,
    attachments: Vec<Attachment>,
    /// How many messages the part is within.
    depth: usize,
}

impl Reading {
    fn part(&mut self, part: &Part<'_>) {
        if let Some(trouble) = part.trouble {
            self.page.note(&format!("{}: {trouble}", part.media));
        }
        let (first, others) =
            part.parts.split_first().map_or((None, &[][..]), |(first, others)| (Some(first), others));
        match (part.media.as_str(), first) {
            ("multipart/alternative", Some(_)) => self.alternative(&part.parts),
            ("multipart/signed", Some(first)) => {
                self.page.note("signed; the signature is not checked");
                self.part(first);
                self.attach_all(others, Disposition::Attached);
            }
            ("multipart/encrypted", Some(_)) => {
                self.page.note("encrypted; it cannot be read here");
                self.attach_all(&part.parts, Disposition::Attached);
            }
            ("multipart/related", Some(first)) => {
                self.part(first);
                self.attach_all(others, Disposition::Inline);
            }
            (_, Some(message)) if part.is_message() => {
                self.attach(part, Disposition::Inline);
                self.message(message);
            }
            (_, Some(_)) => part.parts.iter().for_each(|part| self.part(part)),
            (_, None) if part.is_multipart() => {
                self.text(part);
                self.attach(part, Disposition::Inline);
            }
            (_, None) if part.is_text() && !part.is_attached() => self.text(part),
            (_, None) if part.is_inline() => self.attach(part, Disposition::Inline),
            (_, None) => self.attach(part, Disposition::Attached),
        }
        // What is beyond the bounds of parts can be saved with the part that it is in.
        if part.trouble.is_some() && !part.parts.is_empty() {
            self.attach(part, Disposition::Attached);
        }
    }

    /// Shows the plain form, unless there is nothing in it, or else the last that can be shown (RFC 2046
    /// section 5.1.4).
    fn alternative(&mut self, parts: &[Part<'_>]) {
        let is_shown = |part: &Part<'_>| part.is_multipart() || part.is_text();
        let plain = parts.iter().position(|part| part.media == "text/plain" && !is_blank(part));
        let html =
            || parts.iter().rposition(|part| part.media == "text/html" || part.media == "multipart/related");
        let chosen = plain.or_else(html).or_else(|| parts.iter().rposition(is_shown)).unwrap_or(0);
        for (place, part) in parts.iter().enumerate() {
            if place == chosen { self.part(part) } else { self.attach(part, Disposition::Alternative) }
        }
    }

    /// A message within the message: its header and its text, indented.
    fn message(&mut self, message: &Part<'_>) {
        self.depth += 1;
        self.page.nest(self.depth);
        let fields: Vec<Field> = message.fields().take(MAX_FIELDS).map(|field| read(&field)).collect();
        worth(&fields).for_each(|field| put(field, &mut self.page));
        self.page.gap();
        self.part(message);
        self.depth -= 1;
        self.page.nest(self.depth);
    }

    fn text(&mut self, part: &Part<'_>) {
        self.page.gap();
        // Nothing is made of what there is no room for; encodings take at most three octets for one, and line ends.
        let limit = self.page.room.saturating_mul(4).saturating_add(100);
        let octets = part.body.get(..limit).unwrap_or(part.body);
        let content = part.encoding.decode(octets);
        let charset = part.parameter("charset").unwrap_or_default();
        let (text, is_known) = decode::text(charset, &content);
        if part.encoding == Encoding::Unknown {
            self.page.note("in an encoding that is not known; as it came");
        } else if !is_known {
            let charset = one_line(charset.get(..60).unwrap_or(charset));
            self.page
                .note(&format!("in a character set that is not known, {charset}; some letters may be wrong"));
        }
        let (text, is_cut) = self.page.fitting(&text);
        if part.media == "text/html" {
            html(text, &mut self.page);
        } else if part.parameter("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed")) {
            let delsp = part.parameter("delsp").is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes"));
            flowed(text, delsp, &mut self.page);
        } else {
            fixed(text, &mut self.page);
        }
        let is_cut = is_cut || octets.len() < part.body.len();
        if is_cut {
            self.page.note("more text than is shown; save it to read the rest");
        }
        if is_cut || !is_known || part.encoding == Encoding::Unknown || self.page.is_full() {
            self.attach(part, Disposition::Inline);
        }
    }

    fn attach_all(&mut self, parts: &[Part<'_>], disposition: Disposition) {
        for part in parts {
            self.attach(part, disposition);
        }
    }

    /// Lists a part; a line says so where the text is not another form of it.
    fn attach(&mut self, part: &Part<'_>, disposition: Disposition) {
        if part.is_multipart() && !part.parts.is_empty() && part.trouble.is_none() {
            return self.attach_all(&part.parts, disposition);
        }
        let number = self.attachments.len() + 1;
        let otherwise = format!("part-{number}.{}", ending(&part.media));
        let name = safe_name(part.file_name().unwrap_or_default(), &otherwise);
        let size = part.encoding.decode(part.body).len();
        if disposition != Disposition::Alternative {
            self.page.note_below(&format!("attachment {number}: {name}, {}, {size} octets", part.media));
        }
        let place = part.at..part.at + part.body.len();
        let (media, encoding) = (part.media.clone(), part.encoding);
        self.attachments.push(Attachment { name, media, size, disposition, place, encoding });
    }
}

/// Whether there is no text in it. What is longer than this is not.
fn is_blank(part: &Part<'_>) -> bool {
    part.body.len() < 4096 && part.encoding.decode(part.body).trim_ascii().is_empty()
}

/// What the name of a file of that type ends in.
fn ending(media: &str) -> &str {
    let simple = |subtype: &str| {
        (2..=5).contains(&subtype.len()) && subtype.bytes().all(|octet| octet.is_ascii_alphanumeric())
    };
    match media.split_once('/') {
        Some(("text", "plain") | ("multipart", _)) => "txt",
        Some(("text", "calendar")) => "ics",
        Some(("message", _)) => "eml",
        Some((_, subtype)) if simple(subtype) => subtype,
        _ => "bin",
    }
}
