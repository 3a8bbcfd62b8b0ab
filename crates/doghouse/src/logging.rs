//! Logs: one line an event on standard error, `key=value` after the message.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// The environment variable that says how much is logged, such as `debug` or `doghouse=debug,postbox=warn`.
pub const VARIABLE: &str = "DOGHOUSE_LOG";

/// Begins to log; `default` holds where [`VARIABLE`] says nothing.
pub fn init(default: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
