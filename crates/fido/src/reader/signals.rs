//! Signals: those that end programs, and the one that stops them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::process::Signal;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use super::{event::Effect, terminal};
use crate::{Exit, Failure};

/// What signals have wanted.
#[derive(Debug, Default)]
pub(super) struct Signals {
    is_to_leave: AtomicBool,
    is_to_stop: AtomicBool,
}

impl Signals {
    /// Watches for them, in a thread beside.
    pub(super) fn watch() -> Result<Arc<Self>, Failure> {
        let failure = |error| Failure::new(Exit::Software, format!("cannot wait for signals: {error}"));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failure)?;
        let inside = runtime.enter();
        let mut terminate = signal(SignalKind::terminate()).map_err(failure)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failure)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failure)?;
        let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw())).map_err(failure)?;
        drop(inside);
        let signals = Arc::new(Self::default());
        let wanted = signals.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => break,
                        _ = hangup.recv() => break,
                        _ = interrupt.recv() => break,
                        _ = stop.recv() => wanted.stop(),
                    }
                }
            });
            wanted.is_to_leave.store(true, Ordering::SeqCst);
        });
        Ok(signals)
    }

    /// Ctrl-Z in an editor stops that and this: whoever waits for both must see both stop. Where the screen is the
    /// reader's, it first puts the terminal back.
    fn stop(&self) {
        if terminal::is_taken() {
            self.is_to_stop.store(true, Ordering::SeqCst);
        } else {
            // Where it cannot stop, it goes on.
            let _ = terminal::stop();
        }
    }

    /// What is wanted since this was asked.
    pub(super) fn wanted(&self) -> Option<Effect> {
        if self.is_to_leave.load(Ordering::SeqCst) {
            return Some(Effect::Quit);
        }
        self.is_to_stop.swap(false, Ordering::SeqCst).then_some(Effect::Suspend)
    }
}
