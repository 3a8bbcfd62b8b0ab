//! Real servers for tests and measurements: PostgreSQL, an object store that speaks S3, and `HAProxy`; and a client
//! ([`Line`]).
//!
//! Each is private to the process that starts it, listens on the loopback address or in a temporary folder, and is gone
//! when that process is, whatever ends it.
//! Where a program is missing, these panic and name the Debian package that has it: a test then fails, and is not
//! skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.
#![allow(clippy::missing_panics_doc)] // All of it panics where a server does not do as it is told.

mod haproxy;
mod http;
mod line;
mod postgres;
mod programs;
mod s3;
mod supervised;

pub use haproxy::{Front, Haproxy};
pub use line::Line;
pub use postgres::{How, Options, Postgres, Tcp, Tls};
pub use s3::S3;
