//! A mailbox server that speaks POP2 (RFC 937).
//!
//! - [`config`], [`accounts`]: what the operator has written.
//! - [`daemon`]: listeners, reload, shutdown, by [`phase`]s. [`session`]: one client's story, over a [`stream`], of whom
//!   [`peer`] tells. [`house`]: what joins the two to accounts and mail.
//! - [`sandbox`]: what the process may still do once it serves.
//! - [`guard`]: how many there are, and how quickly passwords can be guessed.
//! - [`smtp`]: mail coming in by SMTP and LMTP. [`recipients`]: whose it is.
//! - [`watch`]: what the operator sees of the server at work.
//! - [`transfer`]: mail from one store to another.
//! - [`cli`], [`commands`], [`exit`], [`logging`]: the program.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod exit;
pub mod guard;
pub mod house;
pub mod logging;
pub mod peer;
pub mod phase;
pub mod recipients;
pub mod sandbox;
pub mod session;
pub mod smtp;
pub mod stream;
pub mod transfer;
pub mod watch;
