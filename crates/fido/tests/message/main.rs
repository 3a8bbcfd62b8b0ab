//! Messages of every kind made readable: real-looking ones, any octets, and such as are made to do harm.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod bounds;
mod check;
mod corpus;
mod properties;
