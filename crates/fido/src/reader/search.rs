//! A search in the texts of messages, in a thread beside.

use std::{
    collections::HashMap,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread,
};

use super::event::Event;
use crate::{
    local::{Local, Name},
    message::View,
};

/// Messages after which it is told how far the search has come.
const ROUND: usize = 50;
/// Octets of each message that are looked through.
const MOST: u64 = 1 << 20;
/// Messages that are looked through.
const MOST_MESSAGES: usize = 50_000;
/// Columns of the lines in which is searched; a text may go over to the next.
const WIDTH: usize = 1000;

/// Looks for a text in messages, in the order given, until it is broken off.
pub(super) fn start(
    local: Local,
    name: Name,
    text: String,
    mut messages: Vec<Box<[u8]>>,
    is_broken_off: Arc<AtomicBool>,
    sender: Sender<Event>,
) {
    messages.truncate(MOST_MESSAGES);
    thread::spawn(move || {
        let mut folder = match local.folder(&name, |_, _| {}) {
            Ok(folder) => folder,
            Err(error) => {
                let _ = sender.send(Event::Found(Vec::new(), 0, 0));
                let _ = sender.send(Event::Fault(error.to_string()));
                return;
            }
        };
        let positions: HashMap<Box<[u8]>, usize> =
            folder.entries().iter().enumerate().map(|(at, entry)| (entry.unique().into(), at)).collect();
        let (all, mut done) = (messages.len(), 0);
        for round in messages.chunks(ROUND) {
            let mut found = Vec::new();
            for unique in round {
                if is_broken_off.load(Ordering::SeqCst) {
                    return;
                }
                let mut octets = Vec::new();
                let opened = positions.get(unique).and_then(|&at| folder.open_message(at).ok().flatten());
                // One that is gone or cannot be read has nothing in it.
                if let Some(file) = opened
                    && file.take(MOST).read_to_end(&mut octets).is_ok()
                    && View::of(&octets, WIDTH).holds(&text)
                {
                    found.push(unique.clone());
                }
            }
            done += round.len();
            if sender.send(Event::Found(found, done, all)).is_err() {
                return;
            }
        }
        if all == 0 {
            let _ = sender.send(Event::Found(Vec::new(), 0, 0));
        }
    });
}
