//! The opening of a folder, in a thread beside: without an index every message is read, which takes its time.

use std::{
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread,
};

use super::event::Event;
use crate::{
    Exit, Failure,
    local::{Folder, Local, Name},
};

/// Messages after which it is told how far it has come.
const ROUND: usize = 500;

/// The folder that is being opened, if one is.
#[derive(Default)]
pub(super) struct Opening(Option<Receiver<Result<Folder, Failure>>>);

impl Opening {
    /// Starts; whatever was being opened is not waited for any more.
    pub(super) fn start(&mut self, local: Local, name: Name, sender: Sender<Event>) {
        let (give, opened) = mpsc::channel();
        self.0 = Some(opened);
        thread::spawn(move || {
            let folder = local.folder(&name, |done, all| {
                if done % ROUND == 0 {
                    // The reader may have ended.
                    let _ = sender.send(Event::Opening(done, all));
                }
            });
            let _ = give.send(folder.map_err(Failure::from));
        });
    }

    /// What has come of it, once.
    pub(super) fn done(&mut self) -> Option<Result<Folder, Failure>> {
        let done = match self.0.as_ref()?.try_recv() {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                Err(Failure::new(Exit::Software, "the folder could not be opened; choose it again with Tab"))
            }
        };
        self.0 = None;
        Some(done)
    }
}
