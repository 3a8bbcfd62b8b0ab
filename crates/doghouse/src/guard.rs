//! What the server remembers of those who come, through reloads: how many are there, and whose logins have failed.

mod counts;
mod throttle;

pub use counts::{Counted, Counts};
pub use throttle::{Patience, Throttle};

use std::sync::Arc;

use crate::{accounts::LastUse, peer::Block};

/// What sessions are counted by, and what slows down guessing.
#[derive(Debug, Default)]
pub struct Guard {
    /// Sessions in which mail is fetched, by where they come from.
    pub fetching: Arc<Counts<Block>>,
    /// Sessions in which mail comes in, by the same.
    pub delivering: Arc<Counts<Block>>,
    /// Sessions by account.
    pub accounts: Arc<Counts<String>>,
    /// Failed logins.
    pub logins: Throttle,
    /// When devices were used last.
    pub last_use: LastUse,
}
