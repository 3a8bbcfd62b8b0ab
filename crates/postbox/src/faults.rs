//! Faults at will, for crash tests: the process is killed, or a call fails, at the n-th step of the stores' work
//! on the disk. Only one armed fault exists in a process, so such tests run in processes of their own.

use std::{
    io,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
};

use rustix::process::{Signal, getpid, kill_process};

static STEPS: AtomicU64 = AtomicU64::new(0);
static FATAL: AtomicU64 = AtomicU64::new(0);
static KIND: AtomicU32 = AtomicU32::new(0);

/// What happens at the armed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed, as by SIGKILL.
    Kill,
    /// The call fails: no space left on the device.
    NoSpace,
    /// The call fails: input/output error.
    InputOutput,
    /// A write leaves half of its octets and fails; other calls fail as with [`Fault::NoSpace`].
    ShortWrite,
}

/// Arms `fault` for the `at`-th step from now, counted from 1.
pub fn arm(fault: Fault, at: u64) {
    KIND.store(fault as u32, SeqCst);
    FATAL.store(STEPS.load(SeqCst) + at, SeqCst);
}

/// Whether the armed step has been reached.
#[must_use]
pub fn struck() -> bool {
    let fatal = FATAL.load(SeqCst);
    fatal != 0 && STEPS.load(SeqCst) >= fatal
}

pub(crate) fn step() -> io::Result<()> {
    if STEPS.fetch_add(1, SeqCst) + 1 != FATAL.load(SeqCst) {
        return Ok(());
    }
    match KIND.load(SeqCst) {
        kind if kind == Fault::Kill as u32 => die(),
        kind if kind == Fault::InputOutput as u32 => Err(rustix::io::Errno::IO.into()),
        _ => Err(rustix::io::Errno::NOSPC.into()),
    }
}

/// The octets that a write still makes where it is to be cut short.
pub(crate) fn short_write(octets: &[u8]) -> Option<&[u8]> {
    let armed = KIND.load(SeqCst) == Fault::ShortWrite as u32 && STEPS.load(SeqCst) + 1 == FATAL.load(SeqCst);
    if !armed {
        return None;
    }
    STEPS.fetch_add(1, SeqCst);
    octets.get(..octets.len() / 2)
}

fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
