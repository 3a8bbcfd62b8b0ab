//! What is typed on the last line.

use std::{collections::HashSet, env, path::PathBuf};

use pop2::Secret;
use ratatui::crossterm::event::KeyCode;

use super::{
    super::{
        event::Effect,
        keys::Key,
        model::{Ask, Model},
    },
    action::arrange,
};
use crate::{local::Sort, message::safe_name, paths};

/// Characters that may be typed.
const MOST: usize = 1000;

pub(super) fn key(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(prompt) = &mut model.prompt else { return Vec::new() };
    match key {
        Key::Code(KeyCode::Esc) | Key::Ctrl('c' | 'g') => model.prompt = None,
        Key::Ctrl('l') => return vec![Effect::Redraw],
        Key::Code(KeyCode::Enter) => return answer(model),
        Key::Code(KeyCode::Backspace) | Key::Ctrl('h') => {
            prompt.typed.pop();
        }
        Key::Ctrl('u') => prompt.typed.clear(),
        Key::Ctrl('w') => {
            let rest = prompt.typed.trim_end_matches([' ', '/']);
            let rest = rest.rfind([' ', '/']).map_or(0, |at| at + 1);
            prompt.typed.truncate(rest);
        }
        Key::Char(character) if matches!(prompt.ask, Ask::Purge(_) | Ask::Sort) => {
            prompt.typed.push(character);
            return answer(model);
        }
        // A string that grows leaves octets behind in memory: a password has its room from the start.
        Key::Char(character) if !character.is_control() && prompt.typed.chars().count() < MOST => {
            if prompt.typed.capacity() < 4 * MOST {
                prompt.typed.reserve_exact(4 * MOST);
            }
            prompt.typed.push(character);
        }
        _ => {}
    }
    Vec::new()
}

fn answer(model: &mut Model) -> Vec<Effect> {
    let Some(prompt) = model.prompt.take() else { return Vec::new() };
    let typed = prompt.typed.as_str();
    match prompt.ask {
        Ask::Purge(_) if matches!(typed, "y" | "Y") => return vec![Effect::Purge],
        Ask::Purge(_) => model.say("nothing is deleted"),
        Ask::Sort => sort(model, typed),
        Ask::Find => {
            remember(model);
            typed.trim().clone_into(&mut model.list.text);
            arrange(model);
            if model.list.shown.is_empty() && !typed.is_empty() {
                model.say("in no sender and no subject; Esc shows all again");
            }
        }
        Ask::FindHere => find_here(model, typed.trim()),
        Ask::FindText => return find_text(model, typed.trim()),
        Ask::Which(_) if matches!(typed.trim(), "m" | "") => ask_where(model, None),
        Ask::Which(most) => match number(typed, most) {
            Some(number) => ask_where(model, Some(number)),
            None => model.complain(format!("an attachment is a number from 1 to {most}")),
        },
        Ask::WhichToOpen(most) => match number(typed, most) {
            Some(number) => return open_attachment(model, number),
            None => model.complain(format!("an attachment is a number from 1 to {most}")),
        },
        Ask::Where(_) if typed.trim().is_empty() => model.say("nothing is saved"),
        Ask::Where(what) => return save(model, what, &path(typed.trim())),
        Ask::Password(_) => {
            if let Some(sync) = &mut model.sync {
                (sync.question, sync.progress) = (None, Some("connecting".to_owned()));
            }
            return vec![Effect::Sync(Some(Secret::new(typed.as_bytes().to_vec())))];
        }
    }
    Vec::new()
}

/// The position of an attachment by its number.
fn number(typed: &str, most: usize) -> Option<usize> {
    let number: usize = typed.trim().parse().ok().filter(|number| (1..=most).contains(number))?;
    Some(number - 1)
}

fn sort(model: &mut Model, typed: &str) {
    let list = &mut model.list;
    let (sort, is_reversed) = match typed {
        "d" => (Sort::Date, true),
        "f" => (Sort::Sender, false),
        "s" => (Sort::Subject, false),
        "z" => (Sort::Size, true),
        _ => return model.say("sorted as before"),
    };
    (list.sort, list.is_reversed) = (sort, is_reversed);
    arrange(model);
}

fn find_here(model: &mut Model, text: &str) {
    let page = model.page();
    let Some(reading) = model.reading.as_mut().filter(|_| !text.is_empty()) else { return };
    // From the line after the one at the top; then from the beginning.
    let start = (reading.top + 1).saturating_sub(reading.heading);
    let found = reading.view.find(text, start).or_else(|| reading.view.find(text, 0));
    match found {
        Some(line) => {
            reading.top = (line + reading.heading).min(reading.lines.len().saturating_sub(page.min(3)));
        }
        None => model.say("not in the text of this message"),
    }
}

/// Remembers which message is chosen before the first of several searches.
fn remember(model: &mut Model) {
    let list = &mut model.list;
    if list.text.is_empty() && list.found.is_none() {
        list.before = list.chosen().map(|(_, entry)| entry.unique().into());
    }
}

fn find_text(model: &mut Model, text: &str) -> Vec<Effect> {
    if text.is_empty() {
        return Vec::new();
    }
    // What is shown is looked through, in its order.
    let unique = |at: usize| model.list.entries.get(at).map(|entry| entry.unique().into());
    let messages = model.list.shown.iter().filter_map(|shown| unique(shown.at)).collect();
    remember(model);
    model.search = Some("looking for it".to_owned());
    model.list.found = Some((crate::message::one_line(text), HashSet::new()));
    model.list.shown.clear();
    model.list.cursor = super::super::cursor::Cursor::default();
    vec![Effect::Search(text.to_owned(), messages)]
}

/// Asks where to save, with a proposal: a name in the working folder.
pub(super) fn ask_where(model: &mut Model, what: Option<usize>) {
    let proposal = match what {
        None => message_name(model),
        Some(number) => attachment(model, number).map(|(attachment, _)| attachment.name).unwrap_or_default(),
    };
    model.ask(Ask::Where(what), &proposal);
}

fn message_name(model: &Model) -> String {
    let subject = model.list.chosen().map(|(_, entry)| entry.summary().subject()).unwrap_or_default();
    let subject: String = subject.chars().take(60).collect();
    format!("{}.eml", safe_name(&subject, "message"))
}

fn attachment(model: &Model, number: usize) -> Option<(crate::message::Attachment, std::sync::Arc<[u8]>)> {
    let reading = model.reading.as_ref()?;
    Some((reading.view.attachments().get(number)?.clone(), reading.octets.clone()))
}

pub(super) fn open_attachment(model: &mut Model, number: usize) -> Vec<Effect> {
    let opened =
        attachment(model, number).map(|(attachment, octets)| Effect::OpenAttachment(attachment, octets));
    opened.into_iter().collect()
}

fn save(model: &mut Model, what: Option<usize>, path: &std::path::Path) -> Vec<Effect> {
    let effect = match what {
        None => {
            let at = model.list.chosen().map(|(at, _)| at);
            at.map(|at| Effect::SaveMessage(at, message_name(model), path.to_owned()))
        }
        Some(number) => attachment(model, number)
            .map(|(attachment, octets)| Effect::SaveAttachment(attachment, octets, path.to_owned())),
    };
    effect.into_iter().collect()
}

/// A path as it is typed: `~/` is the user's home.
fn path(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), paths::home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => env::current_dir().unwrap_or_default().join(typed),
    }
}
