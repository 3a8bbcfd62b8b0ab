//! What is drawn of a [`Page`].

use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
    widgets::Widget,
};
use ratatui_textarea::{DataCursor, TextArea};
use unicode_width::UnicodeWidthChar;

use super::page::{Kind, Page};
use crate::{message::one_line, reader::look::Look};

/// Columns of a field's name and what stands behind it.
const LABEL: u16 = 9;

/// Keys that are told of, those first that are needed most.
const HINTS: [&str; 7] =
    ["^X done", "Tab next", "^Z undo", "^Y redo", "^K cut", "^V put back", "^S keep in Drafts"];

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::To => "To:",
            Self::Cc => "Cc:",
            Self::Bcc => "Bcc:",
            Self::Subject => "Subject:",
            Self::Attach => "Attach:",
            Self::Forward => "Forward:",
        }
    }
}

/// Draws all of it.
pub(super) fn draw(page: &Page, frame: &mut Frame<'_>, look: Look) {
    let area = frame.area();
    let (Some(last), true) = (area.height.checked_sub(1), area.width > LABEL) else { return };
    let mut cursor = None;
    // Half of the screen at most; the field where the cursor is, is among those.
    let many = u16::try_from(page.fields.len()).unwrap_or(u16::MAX);
    let rows = many.min(last.saturating_sub(1) / 2).max(1);
    let first = page.at.map_or(0, |at| (at + 1).saturating_sub(rows.into()));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    for ((at, field), y) in page.fields.iter().enumerate().skip(first).zip(0..rows) {
        frame.buffer_mut().set_stringn(0, y, field.kind.label(), LABEL.into(), bold);
        let place = Rect { x: LABEL, y, width: area.width - LABEL, height: 1 }.intersection(area);
        if page.at == Some(at) {
            cursor = put(&field.area, frame, place);
        } else {
            // Of what is too long, the beginning says more than where its writer has left it.
            frame.buffer_mut().set_stringn(LABEL, y, field.value(), place.width.into(), Style::new());
        }
    }
    if rows < last {
        let rule = if look.ascii { "-" } else { "─" };
        let rule = rule.repeat(area.width.into());
        let style = look.style(Color::Cyan, Modifier::DIM);
        frame.buffer_mut().set_stringn(0, rows, rule, area.width.into(), style);
    }
    let top = rows + 1;
    let place = Rect { x: 0, y: top, width: area.width, height: last.saturating_sub(top) };
    cursor = put(&page.body, frame, place).filter(|_| page.at.is_none()).or(cursor);

    let wide = usize::from(area.width) - 1;
    let (text, style) = match &page.note {
        Some(note) => (one_line(note), bold),
        None => (hints(wide), Style::new()),
    };
    frame.buffer_mut().set_stringn(1, last, text, wide, style);
    look.confine(frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws a text, and tells where its cursor is.
fn put(text: &TextArea<'_>, frame: &mut Frame<'_>, place: Rect) -> Option<Position> {
    if place.is_empty() {
        return None;
    }
    text.render(place, frame.buffer_mut());
    let (cursor, (top, left)) = (text.screen_cursor(), text.scroll_offset());
    let within = |at: usize, from: u16, size: u16| {
        u16::try_from(at).unwrap_or(u16::MAX).saturating_sub(from).min(size.saturating_sub(1))
    };
    let at = Position {
        x: place.x + within(cursor.col, left, place.width),
        y: place.y + within(cursor.row, top, place.height),
    };
    // It has drawn the character under the cursor by itself, and so without its marks.
    let DataCursor(row, column) = text.cursor();
    let mut under = text.lines().get(row).into_iter().flat_map(|line| line.chars().skip(column));
    if let Some(base) = under.next().filter(|base| base.width() > Some(0)) {
        let marks = under.take_while(|mark| mark.width() == Some(0));
        let whole: String = std::iter::once(base).chain(marks).collect();
        match frame.buffer_mut().cell_mut(at) {
            Some(cell) if whole.len() > base.len_utf8() => cell.set_symbol(&one_line(&whole)),
            _ => return Some(at),
        };
    }
    Some(at)
}

/// As many hints as there is room for.
fn hints(width: usize) -> String {
    let mut text = String::new();
    for hint in HINTS {
        let gap = if text.is_empty() { "" } else { "  " };
        if text.len() + gap.len() + hint.len() < width {
            text.push_str(gap);
            text.push_str(hint);
        }
    }
    text
}
