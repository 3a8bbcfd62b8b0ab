//! How far the house is on its way from open to closed.

use std::{future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long who has not logged in may still do so when the server is told to stop. A client that has only just
/// connected is not turned away because the server is replaced; a silent one does not hold it up for long.
const LAST_LOGINS: Duration = Duration::from_secs(2);

/// Whether sessions may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The house is open.
    Open,
    /// Who has logged in may finish. Who has not may log in until then.
    Draining(Instant),
    /// Time is up.
    Closing,
}

impl Phase {
    /// Draining from now on.
    #[must_use]
    pub fn draining() -> Self {
        Self::Draining(Instant::now() + LAST_LOGINS)
    }
}

/// Waits until the house closes.
pub async fn draining(phase: &mut watch::Receiver<Phase>) -> Phase {
    let drains = phase.wait_for(|phase| *phase != Phase::Open).await.map(|phase| *phase);
    match drains {
        Ok(phase) => phase,
        // Nobody is left who could close it.
        Err(_) => pending().await,
    }
}

/// Waits until time is up for who has logged in.
pub async fn closing(phase: &mut watch::Receiver<Phase>) {
    if phase.wait_for(|phase| *phase == Phase::Closing).await.is_err() {
        pending::<()>().await;
    }
}

/// Waits until time is up for who has not logged in.
pub async fn closing_to_strangers(phase: &mut watch::Receiver<Phase>) {
    if let Phase::Draining(until) = draining(phase).await {
        tokio::select! {
            () = sleep_until(until) => {}
            () = closing(phase) => {}
        }
    }
}
