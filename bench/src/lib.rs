//! What the programs of this folder share.
#![forbid(unsafe_code)]

pub mod rank;
