//! The terminal: taken for the reader, and put back in every case.

use std::{
    io::{self, Stdout, Write},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend},
    crossterm::{
        cursor::Show,
        event::{self as input, DisableMouseCapture, EnableMouseCapture, Event as Input},
        execute,
        terminal::{
            BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
            disable_raw_mode, enable_raw_mode,
        },
    },
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, getpid, kill_process},
};

use super::{draw::draw, look::is_plain, model::Model};
use crate::{Exit, Failure};

/// Whether the terminal is the reader's now.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is the reader's; dropping it puts it back.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Stdout>>,
    /// Whether it knows what came after 1980.
    is_modern: bool,
}

impl Terminal {
    /// Takes the terminal. A panic puts it back before it tells what went wrong.
    pub fn take() -> Result<Self, Failure> {
        let is_modern = !is_plain(&std::env::var("TERM").unwrap_or_default());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A panic of a thread beside this one ends that work alone, which the reader tells.
            if thread::current().name() == Some("main") {
                put_back();
                before(info);
            }
        }));
        let inner =
            ratatui::Terminal::new(CrosstermBackend::new(io::stdout())).map_err(|error| failure(&error))?;
        let mut terminal = Self { inner, is_modern };
        terminal.enter().map_err(|error| failure(&error))?;
        Ok(terminal)
    }

    /// Its columns and lines.
    pub fn size(&self) -> Result<(u16, u16), Failure> {
        self.inner.size().map(|size| (size.width, size.height)).map_err(|error| failure(&error))
    }

    /// Draws what has changed.
    pub fn draw(&mut self, model: &Model) -> Result<(), Failure> {
        let mut drawn = || {
            if self.is_modern {
                execute!(io::stdout(), BeginSynchronizedUpdate)?;
            }
            self.inner.draw(|frame| draw(model, frame))?;
            if self.is_modern {
                execute!(io::stdout(), EndSynchronizedUpdate)?;
            }
            Ok(())
        };
        drawn().map_err(|error| failure(&error))
    }

    /// Has the whole screen written the next time.
    pub fn forget(&mut self) -> Result<(), Failure> {
        self.inner.backend_mut().clear_region(ClearType::All).map_err(|error| failure(&error))?;
        // After a drawing, one buffer is empty and the other what is on the screen: so both are empty.
        self.inner.swap_buffers();
        Ok(())
    }

    /// Runs something with the terminal put back, and takes it again.
    pub fn outside<T>(&mut self, work: impl FnOnce() -> T) -> Result<T, Failure> {
        put_back();
        let done = work();
        self.enter().map_err(|error| failure(&error))?;
        self.forget()?;
        Ok(done)
    }

    /// Stops, as Ctrl-Z does elsewhere; this returns when the shell lets the program go on.
    pub fn suspend(&mut self) -> Result<(), Failure> {
        let stopped = self.outside(stop)?;
        stopped.map_err(|error| failure(&error.into()))
    }

    fn enter(&mut self) -> io::Result<()> {
        IS_TAKEN.store(true, Ordering::SeqCst);
        let entered = enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen));
        let entered = entered
            .and_then(|()| if self.is_modern { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
        if entered.is_err() {
            put_back();
        }
        entered
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        put_back();
    }
}

/// Whether the terminal is the reader's, and not the shell's or another program's.
pub(super) fn is_taken() -> bool {
    IS_TAKEN.load(Ordering::SeqCst)
}

/// Stops this process, as the terminal's Ctrl-Z does others.
pub(super) fn stop() -> rustix::io::Result<()> {
    // STOP, since nobody can catch it: the terminal is in order already.
    kill_process(getpid(), Signal::STOP)
}

/// Waits until there is something to read from the terminal, a signal has come, or the time is up. False where the
/// terminal is gone: crossterm would read from it for ever.
#[must_use]
pub fn is_there(patience: Duration) -> bool {
    let (stdin, time) = (io::stdin(), Timespec::try_from(patience).ok());
    let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
    // What has interrupted it may be a change of size, which is crossterm's to tell.
    let _ = poll(&mut terminal, time.as_ref());
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    terminal.iter().all(|terminal| !terminal.revents().intersects(gone))
}

/// The next of what has come from the terminal; `None` where there is no more.
///
/// # Errors
/// Where the terminal cannot be read.
pub fn next_input() -> io::Result<Option<Input>> {
    // With no time at all crossterm does not look at the terminal (its issue 839).
    if input::poll(Duration::from_millis(1))? { input::read().map(Some) } else { Ok(None) }
}

/// Puts the terminal back, if it is taken. Where it is gone, nothing can be done.
fn put_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // First, since who sees the shell's screen types a line for it: an Enter that comes before ends none.
        let _ = disable_raw_mode();
        if !is_plain(&std::env::var("TERM").unwrap_or_default()) {
            let _ = execute!(io::stdout(), DisableMouseCapture);
        }
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure::new(Exit::Io, format!("the terminal fails: {error}; the commands of `fido help` need none"))
}
