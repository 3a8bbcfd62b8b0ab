//! The help: all keys, from the table by which they are handled.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{super::keys::BINDINGS, put};

/// Columns of the keys.
const KEYS: u16 = 17;

/// How many lines the help has.
#[must_use]
pub(in super::super) fn lines() -> usize {
    BINDINGS.len()
}

pub(super) fn draw(top: usize, buffer: &mut Buffer, area: Rect) {
    let page = usize::from(area.height).saturating_sub(2);
    for (binding, y) in BINDINGS.iter().skip(top).take(page).zip(1..) {
        put(buffer, 1, y, &binding.names(), KEYS - 1, Style::new().add_modifier(Modifier::BOLD));
        put(buffer, 1 + KEYS, y, binding.what, area.width.saturating_sub(1 + KEYS), Style::new());
    }
}
