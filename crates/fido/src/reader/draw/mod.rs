//! The screens. What is drawn is the state and nothing else.

mod bottom;
mod help;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

pub(super) use help::count as help_lines;

use super::{
    look::Look,
    model::{List, Model, Only, Screen},
    text::{count, date, is_unread, marks, size},
};
use crate::{
    local::{Flags, Sort},
    message::{Kind, Line},
};

/// The smallest terminal that is drawn on.
const SMALLEST: (u16, u16) = (40, 12);

/// Columns below which a list has no dates.
const NARROW: u16 = 60;

/// Draws all of it.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (columns, lines) = SMALLEST;
        put(buffer, 0, 0, &format!("fido needs {columns}x{lines}"), area.width, Style::new());
        return;
    }
    title(model, buffer, area);
    if let Some(top) = model.help {
        help::draw(top, buffer, area);
    } else {
        match model.screen {
            Screen::Folders => folders(model, buffer, area),
            Screen::List => list(model, buffer, area),
            Screen::Message => message(model, buffer, area),
        }
    }
    let cursor = bottom::draw(model, buffer, area);
    model.look.confine(buffer);
    if let Some(column) = cursor {
        frame.set_cursor_position((column, area.height - 1));
    }
}

/// Writes a text in a line, at most so wide.
fn put(buffer: &mut Buffer, x: u16, y: u16, text: &str, width: u16, style: Style) {
    if y < buffer.area.bottom() && x < buffer.area.right() {
        buffer.set_stringn(x, y, text, width.into(), style);
    }
}

/// Writes a text that ends at a column.
fn put_right(buffer: &mut Buffer, end: u16, y: u16, text: &str, style: Style) {
    let width = u16::try_from(text.len()).unwrap_or(0);
    put(buffer, end.saturating_sub(width), y, text, width, style);
}

fn title(model: &Model, buffer: &mut Buffer, area: Rect) {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(Rect { height: 1, ..area }, style);
    let list = &model.list;
    let (left, right) = match (model.help, model.screen) {
        (Some(_), _) => ("Help".to_owned(), String::new()),
        (None, Screen::Folders) => (model.title.clone(), count(model.folders.len(), "folder")),
        (None, Screen::List) if model.opening.is_some() => {
            (format!("{}: {}", model.title, list.name), String::new())
        }
        (None, Screen::List) => (format!("{}: {}", model.title, narrowed(list)), counted(list, area.width)),
        (None, Screen::Message) => {
            let reading = model.reading.as_ref();
            let (top, all) = reading.map_or((0, 0), |it| (it.top + model.page(), it.lines.len()));
            let seen = (top.min(all) * 100).checked_div(all).unwrap_or(100);
            let subject = list.chosen().map(|(_, entry)| entry.summary().subject()).unwrap_or_default();
            let marks = list.chosen().map(|(_, entry)| marks(entry)).unwrap_or_default();
            let place = format!("{}/{}  {seen}%", list.cursor.at + 1, list.shown.len());
            (subject.to_owned(), format!("{}  {place}", marks.trim()))
        }
    };
    let right = right.trim();
    let room = area.width.saturating_sub(u16::try_from(right.len()).unwrap_or(0) + 3);
    put(buffer, 1, 0, &left, room, style);
    put_right(buffer, area.width - 1, 0, right, style);
}

/// A folder's name, and what is left out of the list.
fn narrowed(list: &List) -> String {
    let only = match list.only {
        Only::All => "",
        Only::Unread => ", unread",
        Only::Flagged => ", flagged",
    };
    let mut text = format!("{}{only}", list.name);
    let searched =
        [Some(&list.text).filter(|text| !text.is_empty()), list.found.as_ref().map(|found| &found.0)];
    for what in searched.into_iter().flatten() {
        text.push_str(", \"");
        text.push_str(&crate::message::one_line(what));
        text.push('"');
    }
    text
}

/// How many messages there are, and in which order where there is room to say.
fn counted(list: &List, width: u16) -> String {
    let shown = list.shown.iter().filter_map(|shown| list.entries.get(shown.at));
    let unread = shown.filter(|entry| is_unread(entry)).count();
    let unread = if unread == 0 { String::new() } else { format!("{unread} unread, ") };
    if width < NARROW {
        return format!("{unread}{}", list.shown.len());
    }
    let order = match (list.sort, list.is_reversed) {
        (Sort::Date, true) => "newest first",
        (Sort::Date, false) => "oldest first",
        (Sort::Received, true) => "last come first",
        (Sort::Received, false) => "as they came",
        (Sort::Sender, true) => "by sender, from Z",
        (Sort::Sender, false) => "by sender",
        (Sort::Subject, true) => "by subject, from Z",
        (Sort::Subject, false) => "by subject",
        (Sort::Size, true) => "largest first",
        (Sort::Size, false) => "smallest first",
    };
    let threads = if list.is_threaded { ", threads" } else { "" };
    format!("{unread}{}, {order}{threads}", count(list.shown.len(), "message"))
}

/// The style of a line that is chosen.
fn chosen(style: Style, is_chosen: bool) -> Style {
    if is_chosen { Style::new().add_modifier(Modifier::REVERSED) } else { style }
}

fn folders(model: &Model, buffer: &mut Buffer, area: Rect) {
    let lines = model.folders.iter().enumerate().skip(model.folder.top).take(model.page());
    for ((at, folder), y) in lines.zip(1..) {
        let plain = if folder.unseen > 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        let style = chosen(plain, at == model.folder.at);
        buffer.set_style(Rect { x: 0, y, width: area.width, height: 1 }, style);
        put(buffer, 1, y, &folder.name.to_string(), area.width.saturating_sub(26), style);
        let new = if folder.new > 0 { format!("{} new", folder.new) } else { String::new() };
        put_right(buffer, area.width.saturating_sub(14), y, &new, style);
        let counts = format!("{} of {}", folder.unseen, folder.all);
        let counts = if folder.unseen == 0 { folder.all.to_string() } else { counts };
        put_right(buffer, area.width - 1, y, &counts, style);
    }
    if model.folders.is_empty() {
        put(buffer, 1, 1, "no folders", area.width, Style::new());
    }
}

fn list(model: &Model, buffer: &mut Buffer, area: Rect) {
    let list = &model.list;
    if list.shown.is_empty() {
        let text = if model.opening.is_some() {
            ""
        } else if list.entries.is_empty() {
            "no messages; G fetches mail"
        } else {
            "none of the messages"
        };
        put(buffer, 1, 1, text, area.width, Style::new());
        return;
    }
    let is_wide = area.width >= 100;
    let (date_width, sender_width) = match area.width {
        0..NARROW => (0, 12),
        NARROW..100 => (10, 20),
        _ => (16, 28),
    };
    for ((line, shown), y) in list.shown.iter().enumerate().skip(list.cursor.top).take(model.page()).zip(1..)
    {
        let Some(entry) = list.entries.get(shown.at) else { continue };
        let flags = entry.flags();
        let mut style = Style::new();
        if flags.has(Flags::TRASHED) {
            style = model.look.style(Color::Red, Modifier::empty());
        } else if flags.has(Flags::FLAGGED) {
            style = model.look.style(Color::Yellow, Modifier::empty());
        }
        if is_unread(entry) {
            style = style.add_modifier(Modifier::BOLD);
        }
        let style = chosen(style, line == list.cursor.at);
        buffer.set_style(Rect { x: 0, y, width: area.width, height: 1 }, style);
        put(buffer, 0, y, &marks(entry), 3, style);
        let mut x = 4;
        if date_width > 0 {
            let seconds = entry.summary().date().unwrap_or_else(|| entry.received());
            put(buffer, x, y, &date(seconds, &model.zone, is_wide), date_width, style);
            x += date_width + 1;
        }
        let sender = entry.summary().sender();
        put(buffer, x, y, if sender.is_empty() { "(nobody)" } else { sender }, sender_width, style);
        x += sender_width + 1;
        let indent = shown.depth.min(usize::from(sender_width / 2));
        let indent = "  ".repeat(indent.saturating_sub(1)) + if indent > 0 { "> " } else { "" };
        let subject = entry.summary().subject();
        let subject = indent + if subject.is_empty() { "(no subject)" } else { subject };
        put(buffer, x, y, &subject, area.width.saturating_sub(x + 6), style);
        put_right(buffer, area.width, y, &size(entry.size()), style);
    }
}

fn message(model: &Model, buffer: &mut Buffer, area: Rect) {
    let Some(reading) = &model.reading else { return };
    for (line, y) in reading.lines.iter().skip(reading.top).take(model.page()).zip(1..) {
        let style = style(line, model.look);
        put(buffer, 0, y, &line.text, area.width, style);
        if let (Kind::Header, Some((name, _))) = (line.kind, line.text.split_once(':')) {
            let is_first = !line.text.starts_with(' ');
            let bold = Style::new().add_modifier(Modifier::BOLD);
            let width = u16::try_from(name.chars().count() + 1).unwrap_or(u16::MAX);
            if is_first {
                put(buffer, 0, y, &line.text, width.min(area.width), bold);
            }
        }
    }
}

fn style(line: &Line, look: Look) -> Style {
    match line.kind {
        Kind::Text if line.quote == 0 => Style::new(),
        Kind::Text => {
            let colours = [Color::Cyan, Color::Green, Color::Magenta];
            let colour = colours.get((line.quote - 1) % colours.len()).copied().unwrap_or_default();
            look.style(colour, Modifier::empty())
        }
        Kind::Header => Style::new(),
        Kind::Signature => look.style(Color::Green, Modifier::empty()),
        Kind::Link => Style::new().add_modifier(Modifier::UNDERLINED),
        Kind::Note => look.style(Color::Magenta, Modifier::BOLD),
    }
}
