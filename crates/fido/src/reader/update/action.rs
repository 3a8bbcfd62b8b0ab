//! What the actions of keys do.

use super::{
    super::{
        compose::Kind,
        event::Effect,
        keys::Action,
        model::{Ask, Change, List, Model, Only, Screen},
        text::{count, is_unread},
    },
    lay_out,
};
use crate::local::Flags;

/// Changes of marks that can be undone.
const MOST_UNDO: usize = 1000;

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = isize::try_from(model.page()).unwrap_or(isize::MAX);
    match action {
        Action::Up => step(model, -1),
        Action::Down => step(model, 1),
        Action::PageUp => step(model, -page),
        Action::PageDown => step(model, page),
        Action::First => step(model, isize::MIN),
        Action::Last => step(model, isize::MAX),
        Action::Help => model.help = if model.help.is_some() { None } else { Some(0) },
        Action::Back => return back(model),
        Action::Redraw => return vec![Effect::Redraw, Effect::Refresh, Effect::ListFolders],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return vec![Effect::Quit],
        // Only what moves and leaves has a meaning in the help.
        _ if model.help.is_some() => model.help = None,
        Action::Open => return open(model),
        Action::NextUnread => return unread(model, true),
        Action::PreviousUnread => return unread(model, false),
        Action::NextMessage => return go(model, 1),
        Action::PreviousMessage => return go(model, -1),
        Action::Delete => return delete(model),
        Action::Undelete => return undelete(model),
        Action::Undo => return undo(model, |_| true),
        Action::Purge => purge(model),
        Action::Flag => return toggle(model, Flags::FLAGGED),
        Action::Unread => return toggle(model, Flags::SEEN),
        Action::Save => save(model),
        Action::OpenAttachment => return open_attachment(model),
        Action::Find if model.screen == Screen::Message => model.ask(Ask::FindHere, ""),
        Action::Find => model.ask(Ask::Find, ""),
        Action::FindText => model.ask(Ask::FindText, ""),
        Action::Narrow => narrow(model),
        Action::Threads => {
            model.list.is_threaded = !model.list.is_threaded;
            arrange(model);
            model.say(if model.list.is_threaded { "by threads" } else { "without threads" });
        }
        Action::Sort => model.ask(Ask::Sort, ""),
        Action::Reverse => {
            model.list.is_reversed = !model.list.is_reversed;
            arrange(model);
        }
        Action::Headings => {
            let width = model.size.0;
            if let Some(reading) = &mut model.reading {
                reading.has_all_headings = !reading.has_all_headings;
                lay_out(reading, width, &model.zone);
                reading.top = 0;
            }
        }
        Action::Reply => return compose(model, Kind::Reply { all: false }),
        Action::ReplyAll => return compose(model, Kind::Reply { all: true }),
        Action::Forward => return compose(model, Kind::Forward),
        Action::Write => return vec![Effect::Compose(Kind::New, None)],
        Action::Folders => {
            model.screen = Screen::Folders;
            return vec![Effect::ListFolders];
        }
        Action::Sync => return sync(model),
    }
    Vec::new()
}

/// Moves by lines in whatever is shown.
pub(super) fn step(model: &mut Model, by: isize) {
    let page = model.page();
    if let Some(top) = &mut model.help {
        let most = super::super::draw::help_lines(model.size.0).saturating_sub(page);
        *top = top.saturating_add_signed(by).min(most);
        return;
    }
    match model.screen {
        Screen::Folders => model.folder.step(by, model.folders.len(), page),
        Screen::List => model.list.cursor.step(by, model.list.shown.len(), page),
        Screen::Message => {
            if let Some(reading) = &mut model.reading {
                let most = reading.lines.len().saturating_sub(page);
                reading.top = reading.top.saturating_add_signed(by).min(most);
            }
        }
    }
}

/// Puts the list in order anew; the chosen message stays chosen.
pub(super) fn arrange(model: &mut Model) {
    let chosen = model.list.chosen().map(|(_, entry)| Box::<[u8]>::from(entry.unique()));
    let page = model.page();
    model.list.arrange(page, chosen.as_deref());
}

fn back(model: &mut Model) -> Vec<Effect> {
    if model.help.take().is_some() {
        return Vec::new();
    }
    match model.screen {
        Screen::Message => {
            (model.screen, model.reading) = (Screen::List, None);
            return vec![Effect::Refresh];
        }
        Screen::List if model.search.take().is_some() => {
            model.say("broken off; Esc shows all again");
            return vec![Effect::StopSearch];
        }
        Screen::List if model.list.found.is_some() || !model.list.text.is_empty() => {
            (model.list.found, model.list.text) = (None, String::new());
            let before = model.list.before.take();
            let chosen = model.list.chosen().map(|(_, entry)| Box::<[u8]>::from(entry.unique())).or(before);
            let page = model.page();
            model.list.arrange(page, chosen.as_deref());
        }
        Screen::List => {
            model.screen = Screen::Folders;
            return vec![Effect::ListFolders];
        }
        Screen::Folders => return vec![Effect::Quit],
    }
    Vec::new()
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.screen {
        Screen::Folders => {
            let Some(folder) = model.folders.get(model.folder.at) else { return Vec::new() };
            let name = folder.name.clone();
            model.screen = Screen::List;
            if name == model.list.name && (model.opening.is_some() || !model.list.entries.is_empty()) {
                return vec![Effect::Refresh];
            }
            // Nothing of the folder before can be chosen while this one is opened.
            let List { sort, is_reversed, is_threaded, .. } = model.list;
            model.list = List { name: name.clone(), sort, is_reversed, is_threaded, ..List::default() };
            model.undo.clear();
            model.opening = Some(String::new());
            let stop = model.search.take().map(|_| Effect::StopSearch);
            stop.into_iter().chain([Effect::OpenFolder(name)]).collect()
        }
        Screen::List | Screen::Message => open_chosen(model),
    }
}

fn open_chosen(model: &mut Model) -> Vec<Effect> {
    model.list.chosen().map(|(at, _)| Effect::OpenMessage(at)).into_iter().collect()
}

/// Goes to the next message or the one before, and opens it where one is read.
fn go(model: &mut Model, by: isize) -> Vec<Effect> {
    let (before, page) = (model.list.cursor.at, model.page());
    model.list.cursor.step(by, model.list.shown.len(), page);
    if model.list.cursor.at == before {
        model.say(if by > 0 { "this is the last message" } else { "this is the first message" });
        return Vec::new();
    }
    if model.screen == Screen::Message { open_chosen(model) } else { Vec::new() }
}

fn unread(model: &mut Model, is_down: bool) -> Vec<Effect> {
    let list = &model.list;
    let is_it = |line: &usize| {
        let entry = list.shown.get(*line).and_then(|shown| list.entries.get(shown.at));
        entry.is_some_and(is_unread)
    };
    let (at, len) = (list.cursor.at, list.shown.len());
    let found = if is_down {
        (at + 1..len).chain(0..at).find(is_it)
    } else {
        (0..at).rev().chain((at + 1..len).rev()).find(is_it)
    };
    let Some(found) = found else {
        model.say("no other message is unread");
        return Vec::new();
    };
    let page = model.page();
    model.list.cursor.go(found, len, page);
    if model.screen == Screen::Message { open_chosen(model) } else { Vec::new() }
}

/// Marks the chosen message, so that it can be undone.
fn mark(model: &mut Model, flags: Flags, on: bool) -> Vec<Effect> {
    let Some((at, entry)) = model.list.chosen() else { return Vec::new() };
    if entry.flags().has(flags) == on {
        return Vec::new();
    }
    let change = Change { unique: entry.unique().into(), flags, on: !on };
    model.undo.push(change);
    let surplus = model.undo.len().saturating_sub(MOST_UNDO);
    model.undo.drain(..surplus);
    vec![Effect::Mark(at, flags, on)]
}

fn toggle(model: &mut Model, flags: Flags) -> Vec<Effect> {
    let is_on = model.list.chosen().is_some_and(|(_, entry)| match flags {
        Flags::SEEN => !is_unread(entry),
        _ => entry.flags().has(flags),
    });
    mark(model, flags, !is_on)
}

fn delete(model: &mut Model) -> Vec<Effect> {
    let mut effects = mark(model, Flags::TRASHED, true);
    let is_last = model.list.cursor.at + 1 >= model.list.shown.len();
    if !is_last {
        effects.extend(go(model, 1));
    } else if model.list.chosen().is_some() {
        model.say("marked for deletion; u takes it back, $ deletes for good");
    }
    effects
}

fn undelete(model: &mut Model) -> Vec<Effect> {
    if model.list.chosen().is_some_and(|(_, entry)| entry.flags().has(Flags::TRASHED)) {
        return mark(model, Flags::TRASHED, false);
    }
    undo(model, |change| change.flags == Flags::TRASHED && !change.on)
}

/// Takes back the last change of a kind, and goes to its message.
fn undo(model: &mut Model, is_meant: impl Fn(&Change) -> bool) -> Vec<Effect> {
    let Some(last) = model.undo.iter().rposition(is_meant) else {
        model.say("there is nothing to take back");
        return Vec::new();
    };
    let change = model.undo.remove(last);
    let at = model.list.entries.iter().position(|entry| entry.unique() == &*change.unique);
    let Some(at) = at else {
        model.say("that message is not here any more");
        return Vec::new();
    };
    let line = model.list.shown.iter().position(|shown| shown.at == at);
    let mut effects = vec![Effect::Mark(at, change.flags, change.on)];
    if let Some(line) = line.filter(|line| *line != model.list.cursor.at) {
        let page = model.page();
        model.list.cursor.go(line, model.list.shown.len(), page);
        if model.screen == Screen::Message {
            effects.extend(open_chosen(model));
        }
    }
    effects
}

fn purge(model: &mut Model) {
    let is_marked = |entry: &&crate::local::Entry| entry.flags().has(Flags::TRASHED);
    match model.list.entries.iter().filter(is_marked).count() {
        0 => model.say("no message is marked for deletion; d marks"),
        marked => model.ask(Ask::Purge(marked), ""),
    }
}

fn save(model: &mut Model) {
    let attachments = model.reading.as_ref().map_or(0, |reading| reading.view.attachments().len());
    if model.screen == Screen::Message && attachments > 0 {
        model.ask(Ask::Which(attachments), "");
    } else if model.list.chosen().is_some() {
        super::prompt::ask_where(model, None);
    }
}

fn open_attachment(model: &mut Model) -> Vec<Effect> {
    let attachments = model.reading.as_ref().map_or(0, |reading| reading.view.attachments().len());
    match attachments {
        0 => model.say("this message has no attachment"),
        1 => return super::prompt::open_attachment(model, 0),
        more => model.ask(Ask::WhichToOpen(more), ""),
    }
    Vec::new()
}

fn narrow(model: &mut Model) {
    let (only, text) = match model.list.only {
        Only::All => (Only::Unread, "unread"),
        Only::Unread => (Only::Flagged, "flagged"),
        Only::Flagged => (Only::All, ""),
    };
    model.list.only = only;
    arrange(model);
    let shown = count(model.list.shown.len(), format!("{text} message").trim());
    model.say(shown);
}

fn compose(model: &mut Model, kind: Kind) -> Vec<Effect> {
    model.list.chosen().map(|(at, _)| Effect::Compose(kind, Some(at))).into_iter().collect()
}

fn sync(model: &mut Model) -> Vec<Effect> {
    let Some(sync) = &mut model.sync else {
        model.complain("this Maildir belongs to no account: start fido with --account to fetch mail");
        return Vec::new();
    };
    if sync.progress.is_some() {
        model.say("mail is being fetched already");
    } else if let Some(question) = sync.question.clone() {
        model.ask(Ask::Password(question), "");
    } else {
        sync.progress = Some("connecting".to_owned());
        return vec![Effect::Sync(None)];
    }
    Vec::new()
}
