//! Mail that is written here and sent by SMTP (RFC 5321).
//!
//! - [`Draft`] is what is being written: [`Draft::to_text`] is the form that is edited, [`Draft::from_text`] reads it;
//! - [`Draft::build`] makes a [`Ready`] message of it, [`raw`] of one that comes whole;
//! - [`edit`] has it edited, by another program or on the [`screen`], [`Outbox`] keeps it in Drafts and Sent and sends it, by [`smtp`];
//! - [`command`] is `fido send` and `fido write`.
//!
//! Nothing is lost: what is sent lies in Drafts until it lies in Sent.

pub mod address;
mod build;
pub mod command;
pub mod edit;
pub mod encode;
pub mod media;
mod outbox;
pub mod raw;
pub mod screen;
pub mod smtp;
mod stored;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use build::Ready;
pub use outbox::{Kept, Letter, Outbox, refused};
pub use text::TextError;

use crate::{
    Exit, Failure,
    config::{Profile, Smtp},
    message::{Mailbox, Reply, Summary},
};

/// Octets of attachments together from which on [`Draft::warning`] warns: many servers refuse 25 MB, and base64 makes
/// four octets of three.
pub const LARGE: u64 = 18 * 1024 * 1024;

/// Octets of an attachment that is not taken any more.
pub const MAX_ATTACHMENT: u64 = 256 * 1024 * 1024;

/// What is being written. Its fields are decoded text of one line each; whether they are right is found out by
/// [`from_text`](Self::from_text) and by [`build`](Self::build), so that nothing that was typed is lost before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Who writes.
    pub from: Mailbox,
    /// For whom, as [`address::list`] reads it.
    pub to: String,
    /// For whom else.
    pub cc: String,
    /// For whom else, without the others being told.
    pub bcc: String,
    /// What it is about.
    pub subject: String,
    /// The identifier of the message that it answers, in brackets; or empty.
    pub in_reply_to: String,
    /// The identifiers of its thread, each in brackets.
    pub references: Vec<String>,
    /// The text; LF ends a line.
    pub body: String,
    /// The files that go with it.
    pub attachments: Vec<PathBuf>,
    /// A message that is passed on as it is.
    pub forwarded: Option<Vec<u8>>,
}

impl Draft {
    /// An empty one from the owner of the account, with the signature.
    pub fn new(profile: &Profile) -> Result<Self, Failure> {
        let smtp = sending(profile)?;
        let body = match &smtp.signature {
            None => String::new(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| {
                    let text = format!("cannot read the signature {}: {error}", path.display());
                    Failure::new(Exit::Config, text)
                })?;
                // By this line programs know a signature.
                format!("\n-- \n{}\n", text.trim_end())
            }
        };
        Ok(Self { from: smtp.from.clone(), body, ..Self::default() })
    }

    /// An answer to a message, for its sender or for all: with its text quoted, above the signature.
    pub fn reply(profile: &Profile, message: &[u8], all: bool) -> Result<Self, Failure> {
        let draft = Self::new(profile)?;
        let mut reply = Reply::to(message, &[&draft.from.address], all);
        if reply.to.is_empty() {
            // Who answers themselves means that.
            reply.to = Reply::to(message, &[], false).to;
        }
        Ok(Self {
            to: address::text(&reply.to),
            cc: address::text(&reply.cc),
            subject: reply.subject,
            in_reply_to: reply.in_reply_to,
            references: reply.references,
            body: reply.body + &draft.body,
            ..draft
        })
    }

    /// A message passed on: as it is beside the text, or `inline` as quoted text.
    pub fn forward(profile: &Profile, message: &[u8], inline: bool) -> Result<Self, Failure> {
        let mut draft = Self::new(profile)?;
        format!("Fwd: {}", Summary::of(message).subject).trim_end().clone_into(&mut draft.subject);
        if inline {
            draft.body.insert_str(0, &Reply::to(message, &[], false).body);
        } else {
            draft.forwarded = Some(message.to_vec());
        }
        Ok(draft)
    }

    /// Adds a file that goes with it. It is read when the message is built.
    pub fn attach(&mut self, path: &Path) -> Result<(), Failure> {
        let refused = |why: &str| {
            Err(Failure::new(Exit::Usage, format!("{} cannot go with the message: {why}", path.display())))
        };
        match path.to_str() {
            Some(text) if !text.contains(char::is_control) && text.trim() == text => {}
            _ => return refused("its name is not text of one line; rename it"),
        }
        match fs::metadata(path) {
            Err(error) => return refused(&error.to_string()),
            Ok(file) if !file.is_file() => return refused("it is no file"),
            Ok(file) if file.len() > MAX_ATTACHMENT => return refused("it has more than 256 MiB"),
            Ok(_) => {}
        }
        self.attachments.push(path.to_owned());
        Ok(())
    }

    /// What its writer is to know before it is sent: that it is so large that many servers will not take it.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let sizes = self.attachments.iter().filter_map(|path| Some(fs::metadata(path).ok()?.len()));
        let size = sizes.sum::<u64>() + self.forwarded.as_ref().map_or(0, |message| message.len() as u64);
        (size > LARGE).then(|| {
            format!("the attachments have {} MiB together; many servers do not take so much", size >> 20)
        })
    }
}

/// How an account sends.
pub(crate) fn sending(profile: &Profile) -> Result<&Smtp, Failure> {
    profile.smtp.as_ref().ok_or_else(|| {
        let text = format!(
            "the account {0} cannot send: the configuration has no [account.{0}.smtp]; it wants host and from",
            profile.name
        );
        Failure::new(Exit::Config, text)
    })
}
