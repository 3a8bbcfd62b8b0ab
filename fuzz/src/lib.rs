//! Fuzz targets: plain functions that take any octets and panic where a property is broken.
//!
//! The test suite runs each over its corpus and over inputs made from it; `fuzz/run` runs each under libFuzzer.
//!
//! Where a target has choices to make beside the octets that it is about, they are the first line of its input,
//! in digits that a person can write: see [`framing`], [`wire_form`], [`server_session`], [`client_session`],
//! [`message`].
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::missing_panics_doc, reason = "a panic is how a target tells what it found")]

mod choices;
mod lines;
mod targets {
    pub(crate) mod aliases;
    pub(crate) mod client_session;
    pub(crate) mod command;
    pub(crate) mod configuration;
    pub(crate) mod devices;
    pub(crate) mod framing;
    pub(crate) mod mail_file;
    pub(crate) mod message;
    pub(crate) mod passwd_file;
    pub(crate) mod proxy_header;
    pub(crate) mod receiving;
    pub(crate) mod reply;
    pub(crate) mod server_session;
    pub(crate) mod wire_form;
}

pub use targets::{
    aliases::aliases,
    client_session::client_session,
    command::command,
    configuration::configuration,
    devices::devices,
    framing::framing,
    mail_file::{mbox, mtx},
    message::message,
    passwd_file::passwd_file,
    proxy_header::proxy_header,
    receiving::receiving,
    reply::reply,
    server_session::server_session,
    wire_form::wire_form,
};

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 15] = [
    ("framing", framing),
    ("command", command),
    ("reply", reply),
    ("wire_form", wire_form),
    ("server_session", server_session),
    ("client_session", client_session),
    ("passwd_file", passwd_file),
    ("configuration", configuration),
    ("aliases", aliases),
    ("receiving", receiving),
    ("proxy_header", proxy_header),
    ("devices", devices),
    ("mbox", mbox),
    ("mtx", mtx),
    ("message", message),
];

/// What may be shown to a person in one line: no control character, which could move a terminal's cursor.
fn is_one_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}
