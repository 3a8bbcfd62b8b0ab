//! The mouse: a click chooses, another opens, the wheel scrolls.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{
    super::{
        event::Effect,
        keys::Action,
        model::{Model, Screen},
    },
    action::{act, step},
};

/// Lines that a notch of the wheel is.
const NOTCH: isize = 3;

pub(super) fn mouse(model: &mut Model, mouse: MouseEvent) -> Vec<Effect> {
    if model.prompt.is_some() {
        return Vec::new();
    }
    match mouse.kind {
        MouseEventKind::ScrollDown => step(model, NOTCH),
        MouseEventKind::ScrollUp => step(model, -NOTCH),
        MouseEventKind::Down(MouseButton::Left) if model.help.is_none() => return click(model, mouse.row),
        _ => {}
    }
    Vec::new()
}

fn click(model: &mut Model, row: u16) -> Vec<Effect> {
    let page = model.page();
    let Some(line) = usize::from(row).checked_sub(1).filter(|line| *line < page) else { return Vec::new() };
    let (cursor, len) = match model.screen {
        Screen::Folders => (&mut model.folder, model.folders.len()),
        Screen::List => (&mut model.list.cursor, model.list.shown.len()),
        Screen::Message => return Vec::new(),
    };
    let to = cursor.top + line;
    if to >= len {
        return Vec::new();
    }
    let is_chosen = cursor.at == to;
    cursor.go(to, len, page);
    if is_chosen { act(model, Action::Open) } else { Vec::new() }
}
