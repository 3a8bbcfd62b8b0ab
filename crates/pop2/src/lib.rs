//! The Post Office Protocol, version 2 (RFC 937), without I/O: no socket, no file, no clock, no async.
//!
//! From the wire up:
//! - [`LineBuffer`] cuts a stream into lines of at most [`MAX_LINE`] octets;
//! - [`Command`] and [`Reply`] are what the lines say, to be read and to be written, with their arguments as
//!   types that cannot hold what the RFC forbids ([`User`], [`MailboxName`], [`MessageNumber`], [`Secret`]);
//! - [`wire`] is the form in which a message travels;
//! - [`server::Server`] and [`workstation::Workstation`] are the RFC's two decision tables: each is fed octets
//!   and asked what to do next.
//!
//! With the feature `client`, [`client`] joins the workstation's machine to any stream of tokio.
//!
//! Where RFC 937 is silent or contradicts itself the decision has a number, written `DECISIONS` n in these
//! pages and listed in the project's book under "RFC 937 and where we decide".
#![forbid(unsafe_code)]

mod argument;
mod command;
mod line;
mod quote;
mod reply;
mod secret;

#[cfg(feature = "client")]
pub mod client;
pub mod server;
pub mod wire;
pub mod workstation;

pub use argument::{ArgumentError, MailboxName, MessageNumber, User};
pub use command::{Command, CommandError, EncodeError, Login, Verdict};
pub use line::{LineBuffer, LineTooLong, MAX_LINE};
pub use quote::Quoting;
pub use reply::{Greeting, Reply, ReplyError, Text};
pub use secret::Secret;

/// The TCP port on which a POP2 server listens (RFC 923).
pub const PORT: u16 = 109;
