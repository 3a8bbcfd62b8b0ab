//! The last line: what is asked, what is said, what goes on, or what can be done.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use unicode_width::UnicodeWidthStr;

use super::{
    super::{
        keys,
        model::{Ask, Model, Prompt},
    },
    put,
};
use crate::message::one_line;

/// Draws it; the cursor's column where something is typed.
pub(super) fn draw(model: &Model, buffer: &mut Buffer, area: Rect) -> Option<u16> {
    let y = area.height - 1;
    if let Some(prompt) = &model.prompt {
        return Some(typed(prompt, buffer, area, y));
    }
    let bold = Style::new().add_modifier(Modifier::BOLD);
    if let Some(note) = &model.note {
        let style = if note.is_fault { model.look.style(Color::Red, Modifier::BOLD) } else { bold };
        put(buffer, 1, y, &note.text, area.width - 1, style);
        return None;
    }
    let going = model.sync.as_ref().and_then(|sync| sync.progress.as_ref()).or(model.search.as_ref());
    if let Some(opening) = &model.opening {
        put(buffer, 1, y, &format!("opening the folder{opening}"), area.width - 1, bold);
    } else if let Some(going) = going {
        put(buffer, 1, y, &one_line(going), area.width - 1, bold);
    } else if model.help.is_some() {
        put(buffer, 1, y, "q back  Space a page down", area.width - 1, Style::new());
    } else {
        let hints = keys::hints(model.screen, usize::from(area.width) - 2);
        put(buffer, 1, y, &hints, area.width - 1, Style::new());
    }
    None
}

fn typed(prompt: &Prompt, buffer: &mut Buffer, area: Rect, y: u16) -> u16 {
    let question = match &prompt.ask {
        Ask::Purge(1) => "Delete 1 message for good? [y/n] ".to_owned(),
        Ask::Purge(marked) => format!("Delete {marked} messages for good? [y/n] "),
        Ask::Sort => "By d date, f sender, s subject, z size ".to_owned(),
        Ask::Find => "Search sender and subject: ".to_owned(),
        Ask::FindHere => "Search here: ".to_owned(),
        Ask::FindText => "Search in texts: ".to_owned(),
        Ask::Which(1) => "Save m message, 1 attachment: ".to_owned(),
        Ask::Which(most) => format!("Save m message, 1-{most} attachment: "),
        Ask::WhichToOpen(most) => format!("Open attachment 1-{most}: "),
        Ask::Where(None) => "Save message to: ".to_owned(),
        Ask::Where(Some(number)) => format!("Save attachment {} to: ", number + 1),
        Ask::Password(question) => format!("{} ", one_line(question)),
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let width = area.width - 1;
    // What is typed needs room beside a long question; a letter needs none.
    let room = if matches!(prompt.ask, Ask::Purge(_) | Ask::Sort) { 0 } else { 8 };
    let asked = columns(&question).min(width.saturating_sub(room));
    put(buffer, 0, y, &question, asked, bold);
    if matches!(prompt.ask, Ask::Password(_)) {
        return asked;
    }
    // The end is what is seen.
    let mut shown = prompt.typed.as_str();
    while columns(shown) > width - asked {
        let mut characters = shown.chars();
        characters.next();
        shown = characters.as_str();
    }
    put(buffer, asked, y, shown, width - asked, Style::new());
    asked + columns(shown)
}

fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}
