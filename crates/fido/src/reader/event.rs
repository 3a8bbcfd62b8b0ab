//! What happens to the reader, and what it wants done.

use std::{path::PathBuf, sync::Arc};

use pop2::Secret;
use ratatui::crossterm::event::{KeyEvent, MouseEvent};

use super::compose::Kind;
use crate::{
    local::{Counts, Entry, Flags, Name},
    message::Attachment,
};

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has these columns and lines.
    Resize(u16, u16),
    /// These are the folders.
    Folders(Vec<Counts>),
    /// The opening of a folder has come so far: of its messages that must be read, how many are, and how many will be.
    Opening(usize, usize),
    /// These are the messages of a folder: it was opened, or has changed.
    Entries(Name, Vec<Entry>),
    /// Messages, by their positions, are like this now.
    Changed(Vec<(usize, Entry)>),
    /// A message, by the part of its name that stays, has these octets.
    Message(Box<[u8]>, Arc<[u8]>),
    /// Messages in whose text what is looked for was found; and how many of how many are looked through.
    Found(Vec<Box<[u8]>>, usize, usize),
    /// A fetch has come so far.
    Syncing(String),
    /// A fetch has ended, with what it has done or what went wrong.
    Synced(Result<String, Refused>),
    /// Something is done.
    Note(String),
    /// Something went wrong.
    Fault(String),
}

/// Why a fetch has failed.
#[derive(Debug)]
pub struct Refused {
    /// What to tell.
    pub text: String,
    /// The question for the password, where it was wrong.
    pub question: Option<String>,
}

/// What is to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Count what is in the folders.
    ListFolders,
    /// Open a folder.
    OpenFolder(Name),
    /// Look at the open folder again.
    Refresh,
    /// Read the message at a position.
    OpenMessage(usize),
    /// Set marks of the message at a position, or take them away.
    Mark(usize, Flags, bool),
    /// Delete for good what is marked.
    Purge,
    /// Write the message at a position to a file or into a folder, under this name there.
    SaveMessage(usize, String, PathBuf),
    /// Write an attachment of these octets to a file or into a folder.
    SaveAttachment(Attachment, Arc<[u8]>, PathBuf),
    /// Open an attachment of these octets with another program.
    OpenAttachment(Attachment, Arc<[u8]>),
    /// Look for a text in messages, in this order.
    Search(String, Vec<Box<[u8]>>),
    /// Break the search off.
    StopSearch,
    /// Fetch mail, with this password if one was asked for.
    Sync(Option<Secret>),
    /// Write a message; the position is that of the one that is answered or passed on.
    Compose(Kind, Option<usize>),
    /// Write the whole screen anew.
    Redraw,
    /// Let the shell go on.
    Suspend,
    /// Leave.
    Quit,
}
