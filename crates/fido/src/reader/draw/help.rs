//! The help: all keys, from the table by which they are handled.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{super::keys::BINDINGS, put};

/// Columns of the keys.
const KEYS: u16 = 17;

/// The lines of the help: keys, and what they do, which may need several.
fn lines(width: u16) -> Vec<(String, String)> {
    let width = usize::from(width.saturating_sub(1 + KEYS));
    let mut lines = Vec::new();
    for binding in BINDINGS {
        let (mut keys, mut line) = (binding.names(), String::new());
        for word in format!("{}{}", binding.what, binding.place()).split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                lines.push((std::mem::take(&mut keys), std::mem::take(&mut line)));
            }
            let gap = if line.is_empty() { "" } else { " " };
            line.extend([gap, word]);
        }
        lines.push((keys, line));
    }
    lines
}

/// How many lines the help has, on so many columns.
#[must_use]
pub(in super::super) fn count(width: u16) -> usize {
    lines(width).len()
}

pub(super) fn draw(top: usize, buffer: &mut Buffer, area: Rect) {
    let page = usize::from(area.height).saturating_sub(2);
    for ((keys, what), y) in lines(area.width).iter().skip(top).take(page).zip(1..) {
        put(buffer, 1, y, keys, KEYS - 1, Style::new().add_modifier(Modifier::BOLD));
        put(buffer, 1 + KEYS, y, what, area.width.saturating_sub(1 + KEYS), Style::new());
    }
}
