//! The threads that serve sessions: one for each core, each with a runtime of its own.
//!
//! A session stays on the thread that has accepted it. Where threads share a runtime, each wakes the others for what
//! it could do itself as quickly, and a session wanders between the cores' caches.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Threads at work, which end when this is dropped.
#[derive(Debug)]
pub(super) struct Crew(Vec<Member>);

#[derive(Debug)]
struct Member {
    runtime: Handle,
    /// Its thread waits for this to be dropped.
    _at_work: oneshot::Sender<()>,
}

impl Crew {
    /// One thread for each core.
    pub(super) fn hire() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..cores).map(Member::hire).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn runtimes(&self) -> Vec<Handle> {
        self.0.iter().map(|member| member.runtime.clone()).collect()
    }
}

impl Member {
    fn hire(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (at_work, dismissed) = oneshot::channel();
        let handle = runtime.handle().clone();
        thread::Builder::new().name(format!("sessions-{number}")).spawn(move || {
            // It is never sent, only dropped.
            let _ = runtime.block_on(dismissed);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, _at_work: at_work })
    }
}
