//! The seam between reading and writing: what the reader asks for, and who does it.

use super::terminal::Terminal;
use crate::{
    Exit, Failure, block_on,
    compose::{
        Draft, Outbox,
        command::{Done, finish},
    },
    config::Profile,
    local::Local,
};

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer to the sender, or to all.
    Reply {
        /// To all.
        all: bool,
    },
    /// The message passed on.
    Forward,
    /// A new message.
    New,
}

/// A wish to write.
#[derive(Debug)]
pub struct Request<'a> {
    /// What.
    pub kind: Kind,
    /// The octets of the message that is answered or passed on; `None` for a new one.
    pub message: Option<&'a [u8]>,
    /// The mail here, for drafts and what is sent.
    pub local: &'a Local,
    /// Whose mail it is; `None` where a Maildir was named instead of an account.
    pub account: Option<&'a Profile>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Written {
    /// What to tell, in a line.
    pub note: String,
    /// Whether it is sent, so that the message is marked as replied to or passed on.
    pub is_sent: bool,
}

/// Writes and sends messages.
pub trait Composer {
    /// Does it. The screen is the reader's: what needs the terminal runs in [`Terminal::outside`].
    fn compose(&mut self, request: &Request<'_>, terminal: &mut Terminal) -> Result<Written, Failure>;
}

/// Who writes: the editor of the environment, and the questions of `fido write` behind it.
#[must_use]
pub fn composer() -> Box<dyn Composer> {
    Box::new(WithEditor)
}

struct WithEditor;

impl Composer for WithEditor {
    fn compose(&mut self, request: &Request<'_>, terminal: &mut Terminal) -> Result<Written, Failure> {
        let Some(profile) = request.account else {
            return Err(Failure::new(Exit::Usage, "a Maildir sends nothing; open an account to write"));
        };
        let draft = match (request.kind, request.message) {
            (Kind::Reply { all }, Some(message)) => Draft::reply(profile, message, all)?,
            (Kind::Forward, Some(message)) => Draft::forward(profile, message, false)?,
            _ => Draft::new(profile)?,
        };
        let outbox = Outbox::open(profile)?;
        let done = terminal.outside(|| block_on(finish(&outbox, draft, None)))??;
        Ok(Written { note: done.to_string(), is_sent: matches!(done, Done::Sent(_)) })
    }
}
