//! What the reader wants done, done.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
};

use super::{
    compose::{self, Composer, Kind, Request},
    event::{Effect, Event},
    files::Files,
    opening::Opening,
    place::Place,
    search,
    signals::Signals,
    sync::Syncer,
    terminal::Terminal,
    text::count,
};
use crate::{
    Exit, Failure,
    local::{Flags, Folder, Local, Outcome},
};

/// Octets of a message that are read to be shown; of a longer one the rest can only be saved.
pub(super) const MOST_SHOWN: u64 = 64 << 20;

/// Whether the reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It does.
    GoOn,
    /// It leaves.
    Leave,
}

/// A message's octets, behind the part of its name that stays.
type Message = (Box<[u8]>, Arc<[u8]>);

/// Everything that acts, and the way for what comes of it.
pub(super) struct Work {
    local: Local,
    place: Place,
    folder: Option<Folder>,
    opening: Opening,
    files: Files,
    syncer: Syncer,
    composer: Box<dyn Composer>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    /// What signals want.
    signals: Arc<Signals>,
    /// What breaks the search off that goes on.
    search: Arc<AtomicBool>,
}

impl Work {
    pub(super) fn new(local: Local, place: Place) -> Result<Self, Failure> {
        let (sender, events) = mpsc::channel();
        let signals = Signals::watch()?;
        Ok(Self {
            local,
            place,
            folder: None,
            opening: Opening::default(),
            files: Files::default(),
            syncer: Syncer::new(sender.clone()),
            composer: compose::composer(),
            sender,
            events,
            signals,
            search: Arc::default(),
        })
    }

    /// Something that has happened, if anything has.
    pub(super) fn event(&mut self) -> Option<Event> {
        if let Ok(event) = self.events.try_recv() {
            return Some(event);
        }
        let mut folder = match self.opening.done()? {
            Ok(folder) => folder,
            Err(failure) => return Some(Event::Fault(failure.to_string())),
        };
        // Mail may have come meanwhile; where it cannot be seen yet, the next look does.
        let _ = folder.refresh(|_, _| {});
        let entries = Event::Entries(folder.name().clone(), folder.entries().to_vec());
        self.folder = Some(folder);
        Some(entries)
    }

    /// What signals have wanted since this was asked: to leave, or to stop.
    pub(super) fn signalled(&self) -> Option<Effect> {
        self.signals.wanted()
    }

    /// Does what is wanted; only a terminal that fails is an error.
    pub(super) fn act(&mut self, effect: Effect, terminal: &mut Terminal) -> Result<Next, Failure> {
        let done = match effect {
            Effect::ListFolders => self.local.folders().map(Event::Folders).map_err(Failure::from),
            Effect::OpenFolder(name) => {
                self.folder = None;
                self.opening.start(self.local.clone(), name, self.sender.clone());
                return Ok(Next::GoOn);
            }
            Effect::Refresh => {
                self.refresh();
                return Ok(Next::GoOn);
            }
            Effect::OpenMessage(at) => {
                self.message(at).map(|(unique, octets)| Event::Message(unique, octets))
            }
            Effect::Mark(at, flags, on) => self.mark(at, flags, on),
            Effect::Purge => {
                self.purge();
                return Ok(Next::GoOn);
            }
            Effect::SaveMessage(at, name, path) => self.save(at, &name, &path),
            Effect::SaveAttachment(attachment, octets, path) => {
                Files::save_attachment(attachment, &octets, &path).map(Event::Note)
            }
            Effect::OpenAttachment(attachment, octets) => {
                self.files.open(&attachment, &octets, self.sender.clone()).map(Event::Note)
            }
            Effect::Search(text, messages) => {
                self.search.store(true, Ordering::SeqCst);
                self.search = Arc::default();
                let name = self.folder_name();
                search::start(
                    self.local.clone(),
                    name,
                    text,
                    messages,
                    self.search.clone(),
                    self.sender.clone(),
                );
                return Ok(Next::GoOn);
            }
            Effect::StopSearch => {
                self.search.store(true, Ordering::SeqCst);
                return Ok(Next::GoOn);
            }
            Effect::Sync(password) => {
                self.syncer.start(&self.place, password, terminal);
                return Ok(Next::GoOn);
            }
            Effect::Compose(kind, at) => self.compose(kind, at, terminal),
            Effect::Redraw => return terminal.forget().map(|()| Next::GoOn),
            Effect::Suspend => return terminal.suspend().map(|()| Next::GoOn),
            Effect::Quit => return Ok(Next::Leave),
        };
        self.tell(done.unwrap_or_else(|failure| Event::Fault(failure.to_string())));
        Ok(Next::GoOn)
    }

    fn tell(&self, event: Event) {
        // The receiver is here as well.
        let _ = self.sender.send(event);
    }

    fn folder_name(&self) -> crate::local::Name {
        self.folder.as_ref().map_or_else(crate::local::Name::inbox, |folder| folder.name().clone())
    }

    fn opened(&mut self) -> Result<&mut Folder, Failure> {
        self.folder
            .as_mut()
            .ok_or_else(|| Failure::new(Exit::Software, "no folder is open; choose one with Tab"))
    }

    fn refresh(&mut self) {
        let Some(folder) = &mut self.folder else { return };
        let event = match folder.refresh(|_, _| {}) {
            Ok(refreshed) if refreshed == crate::local::Refreshed::default() => return,
            Ok(_) => Event::Entries(folder.name().clone(), folder.entries().to_vec()),
            Err(error) => Event::Fault(error.to_string()),
        };
        self.tell(event);
    }

    fn message(&mut self, at: usize) -> Result<Message, Failure> {
        let folder = self.opened()?;
        let unique = folder.entries().get(at).map(|entry| Box::<[u8]>::from(entry.unique()));
        let (Some(file), Some(unique)) = (folder.open_message(at)?, unique) else { return Err(gone()) };
        let mut octets = Vec::new();
        file.take(MOST_SHOWN).read_to_end(&mut octets).map_err(|error| {
            Failure::new(Exit::Io, format!("cannot read the message: {error}; try again"))
        })?;
        Ok((unique, octets.into()))
    }

    fn mark(&mut self, at: usize, flags: Flags, on: bool) -> Result<Event, Failure> {
        let folder = self.opened()?;
        let Outcome { gone: is_gone, fault, .. } = folder.mark(&[at], flags, on);
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        match folder.entries().get(at) {
            Some(entry) if is_gone.is_empty() => Ok(Event::Changed(vec![(at, entry.clone())])),
            _ => Err(gone()),
        }
    }

    fn purge(&mut self) {
        let Some(folder) = &mut self.folder else { return };
        let outcome = folder.purge();
        let entries = Event::Entries(folder.name().clone(), folder.entries().to_vec());
        let mut note = format!("{} deleted", count(outcome.done.len(), "message"));
        if !outcome.left.is_empty() {
            note += "; another program has taken back the mark of others";
        }
        self.tell(entries);
        self.tell(outcome.fault.map_or(Event::Note(note), |fault| Event::Fault(fault.to_string())));
    }

    fn save(&mut self, at: usize, name: &str, path: &std::path::Path) -> Result<Event, Failure> {
        let mut message = self.opened()?.open_message(at)?.ok_or_else(gone)?;
        Files::save_message(&mut message, name, path).map(Event::Note)
    }

    fn compose(&mut self, kind: Kind, at: Option<usize>, terminal: &mut Terminal) -> Result<Event, Failure> {
        let message = at.map(|at| self.message(at)).transpose()?;
        let request = Request {
            kind,
            message: message.as_ref().map(|(_, octets)| &**octets),
            local: &self.local,
            account: self.place.account.as_ref(),
        };
        let written = self.composer.compose(&request, terminal)?;
        let flags = match kind {
            Kind::Reply { .. } => Flags::REPLIED,
            Kind::Forward => Flags::PASSED,
            Kind::New => Flags::NONE,
        };
        if let Some(at) = at.filter(|_| written.is_sent) {
            let marked = self.mark(at, flags, true)?;
            self.tell(marked);
        }
        Ok(Event::Note(written.note))
    }
}

fn gone() -> Failure {
    Failure::new(Exit::Temporary, "that message is gone: another program has removed it; Ctrl-L looks again")
}
