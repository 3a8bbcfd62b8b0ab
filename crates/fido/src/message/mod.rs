//! A message's octets made readable for a person at a terminal, safely.
//!
//! - [`Summary`] is what a list of messages shows of each, read from the header alone;
//! - [`View`] is the whole message as lines of text, with [`Attachment`]s to save;
//! - [`Reply`] is what an answer begins with.
//!
//! Whatever a message holds, no text that comes from here can act on a terminal or deceive by what is not seen:
//! there are no control characters, nothing invisible, nothing that reorders text (`clean.rs`).
//! And nothing takes more than its share of memory or time: the work is in proportion to the message, and the
//! constants here bound the result. What is left out beyond them, a line says.

mod attachment;
mod clean;
mod date;
mod decode;
mod header;
mod html;
mod mailbox;
mod mime;
mod page;
mod plain;
mod reply;
mod summary;
mod view;
mod words;
mod wrap;

pub(crate) use clean::one_line;

pub use attachment::{Attachment, Disposition, MAX_NAME, SaveError, safe_name};
pub use date::Date;
pub use mailbox::Mailbox;
pub use page::{Kind, Line, Link};
pub use reply::Reply;
pub use summary::Summary;
pub use view::{Field, View};

/// Octets of text, decoded, that a view shows of all parts together.
pub const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Lines that a view has, but for the few that say what is left out.
pub const MAX_LINES: usize = 100_000;

/// Parts of a message, multiparts among them, that are looked at.
pub const MAX_PARTS: usize = 1000;

/// How deep a part may be within others.
pub const MAX_DEPTH: usize = 20;

/// Fields of a header that a view has.
pub const MAX_FIELDS: usize = 1000;

/// Links that are listed below the text.
pub const MAX_LINKS: usize = 1000;

/// Whether `text` holds `wanted`, which is in lower case already.
fn holds(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(wanted)
}
