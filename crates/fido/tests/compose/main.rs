//! Mail that is written, built, and sent to servers that behave and that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/tmux.rs"]
mod tmux;

mod answering;
mod building;
#[path = "../house/mod.rs"]
mod house;

mod desk;
mod postfix;
mod screen;
mod sending;
mod setting_up;
mod sink;
mod troubles;
