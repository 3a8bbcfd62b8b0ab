//! What an event makes of the state, and what is to be done then. Nothing here does anything itself.

mod action;
mod mouse;
mod prompt;

use std::sync::Arc;

use jiff::tz::TimeZone;
use ratatui::crossterm::event::KeyEventKind;

use super::{
    event::{Effect, Event},
    keys::{self, Key},
    model::{Model, Reading, Screen},
    text::{count, is_unread},
};
use crate::local::{Entry, Flags, Name};

/// Takes an event in.
pub fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            let Some(key) = Key::of(&key) else { return Vec::new() };
            model.note = None;
            if model.prompt.is_some() {
                return prompt::key(model, key);
            }
            keys::action(model.screen, key).map_or_else(Vec::new, |action| action::act(model, action))
        }
        Event::Key(_) => Vec::new(),
        Event::Mouse(mouse) => mouse::mouse(model, mouse),
        Event::Resize(width, height) => resize(model, (width, height)),
        Event::Folders(folders) => {
            let chosen = model.folders.get(model.folder.at).map(|folder| folder.name.clone());
            let chosen = chosen.unwrap_or_else(|| model.list.name.clone());
            model.folders = folders;
            let at = model.folders.iter().position(|folder| folder.name == chosen);
            model.folder.go(at.unwrap_or(model.folder.at), model.folders.len(), model.page());
            Vec::new()
        }
        Event::Opening(done, all) => {
            if let Some(opening) = &mut model.opening {
                *opening = format!(": {done} of {all} messages read");
            }
            Vec::new()
        }
        Event::Entries(name, entries) => take_in(model, &name, entries),
        Event::Changed(changed) => {
            for (at, entry) in changed {
                if let Some(place) = model.list.entries.get_mut(at) {
                    *place = entry;
                }
            }
            Vec::new()
        }
        Event::Message(unique, octets) => read(model, unique, octets),
        Event::Found(found, done, all) => search_goes_on(model, found, done, all),
        Event::Syncing(progress) => {
            if let Some(sync) = &mut model.sync {
                sync.progress = Some(progress);
            }
            Vec::new()
        }
        Event::Synced(synced) => {
            if let Some(sync) = &mut model.sync {
                sync.progress = None;
            }
            match synced {
                Ok(text) => model.say(text),
                Err(refused) => {
                    if let (Some(sync), Some(question)) = (&mut model.sync, refused.question) {
                        sync.question = Some(question);
                    }
                    model.complain(refused.text);
                }
            }
            vec![Effect::Refresh, Effect::ListFolders]
        }
        Event::Note(text) => {
            model.say(text);
            Vec::new()
        }
        Event::Fault(text) => {
            model.opening = None;
            model.complain(text);
            Vec::new()
        }
    }
}

fn take_in(model: &mut Model, name: &Name, entries: Vec<Entry>) -> Vec<Effect> {
    let page = model.page();
    let list = &mut model.list;
    // Another folder's come too late.
    if list.name == *name {
        model.opening = None;
        let chosen = list.chosen().map(|(_, entry)| Box::<[u8]>::from(entry.unique()));
        list.entries = entries;
        list.arrange(page, chosen.as_deref());
    }
    Vec::new()
}

fn read(model: &mut Model, unique: Box<[u8]>, octets: Arc<[u8]>) -> Vec<Effect> {
    let all = model.reading.as_ref().is_some_and(|reading| reading.has_all_headings);
    model.screen = Screen::Message;
    let chosen = model.list.chosen().filter(|(_, entry)| *entry.unique() == *unique);
    let mark = chosen.filter(|(_, entry)| is_unread(entry)).map(|(at, _)| at);
    model.reading = Some(Reading::new(unique, octets, model.size.0, &model.zone, all));
    mark.map(|at| Effect::Mark(at, Flags::SEEN, true)).into_iter().collect()
}

fn search_goes_on(model: &mut Model, found: Vec<Box<[u8]>>, done: usize, all: usize) -> Vec<Effect> {
    let page = model.page();
    let Some(progress) = &mut model.search else { return Vec::new() };
    *progress = format!("{done} of {all} looked through; Esc breaks it off");
    let is_done = done == all;
    if let Some((_, all)) = &mut model.list.found {
        let is_more = !found.is_empty();
        all.extend(found);
        if is_more {
            let chosen = model.list.chosen().map(|(_, entry)| Box::<[u8]>::from(entry.unique()));
            model.list.arrange(page, chosen.as_deref());
        }
    }
    if is_done {
        model.search = None;
        let found = count(model.list.shown.len(), "message");
        model.say(format!("found in {found}; Esc shows all again"));
    }
    Vec::new()
}

fn resize(model: &mut Model, size: (u16, u16)) -> Vec<Effect> {
    let is_wider = model.size.0 != size.0;
    model.size = size;
    let page = model.page();
    if let Some(top) = &mut model.help {
        *top = (*top).min(super::draw::help_lines(size.0).saturating_sub(page));
    }
    model.folder.go(model.folder.at, model.folders.len(), page);
    model.list.cursor.go(model.list.cursor.at, model.list.shown.len(), page);
    if let Some(reading) = &mut model.reading {
        if is_wider {
            lay_out(reading, size.0, &model.zone);
        }
        reading.top = reading.top.min(reading.lines.len().saturating_sub(page));
    }
    Vec::new()
}

/// Lays a message out anew, and has about the same part of it seen.
fn lay_out(reading: &mut Reading, width: u16, zone: &TimeZone) {
    let (top, before) = (reading.top, reading.lines.len().max(1));
    let (unique, octets) = (reading.unique.clone(), reading.octets.clone());
    *reading = Reading::new(unique, octets, width, zone, reading.has_all_headings);
    reading.top = top * reading.lines.len() / before;
}
