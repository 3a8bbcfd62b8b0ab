//! The editor that is built in: a draft on the whole screen, for whoever has chosen no other.
//!
//! `page.rs` is what is edited, `draw.rs` draws it; here is the terminal, and what keeps the text safe meanwhile: it goes
//! to Drafts at each pause, every few seconds while keys come, and when a signal ends the program.

mod draw;
mod page;
#[cfg(test)]
mod tests;

use std::{
    env,
    io::{self, IsTerminal},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    backend::{Backend, ClearType},
    crossterm::{
        event::{DisableBracketedPaste, EnableBracketedPaste},
        execute,
    },
};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Draft,
    edit::{Desk, Edit},
};
use crate::{
    Exit, Failure,
    reader::{
        look::Look,
        terminal::{is_there, next_input},
    },
};
use draw::draw;
use page::{Page, Wish};

/// How long a key is waited for before signals and the time are looked at.
const TICK: Duration = Duration::from_millis(250);
/// A pause between keys after which the text is kept.
const PAUSE: Duration = Duration::from_secs(1);
/// How old a text that is not kept becomes at most, while keys come.
const AGE: Duration = Duration::from_secs(4);

/// The editor that is built in.
#[derive(Debug, Default, Clone, Copy)]
pub struct Screen;

impl Edit for Screen {
    fn edit(&mut self, draft: &Draft, desk: &mut Desk<'_>) -> Result<Draft, Failure> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let text =
                "there is no terminal to write on; set VISUAL or EDITOR, or give the text to `fido send`";
            return Err(Failure::new(Exit::Usage, text));
        }
        let mut page = Page::new(draft)?;
        watch_signals(false)?;
        // Until the text is safe, whatever becomes of the terminal.
        let _writing = Writing::begin();
        let mut taken = Taken::take()?;
        let written = write(&mut page, draft, desk, &mut taken.0);
        drop(taken);
        let edited = page.draft(draft);
        match written {
            Ok(()) => Ok(edited),
            Err(failure) => Err(desk.rescue(&edited, failure)),
        }
    }
}

/// Lets somebody write until they leave.
fn write(
    page: &mut Page,
    before: &Draft,
    desk: &mut Desk<'_>,
    terminal: &mut DefaultTerminal,
) -> Result<(), Failure> {
    let failure = |error| Failure::new(Exit::Io, format!("the terminal fails: {error}"));
    let look = Look::of_environment();
    let mut clock = Clock::default();
    loop {
        terminal.draw(|frame| draw(page, frame, look)).map_err(failure)?;
        if !is_there(TICK) {
            return Err(Failure::new(Exit::Interrupted, "the terminal was closed"));
        }
        while let Some(input) = next_input().map_err(failure)? {
            match page.happens(&input) {
                Wish::Nothing => {}
                Wish::Leave => return Ok(()),
                Wish::Keep => {
                    desk.keep(&page.draft(before))?;
                    page.note = Some("it is in Drafts".to_owned());
                }
                Wish::Redraw => {
                    terminal.backend_mut().clear_region(ClearType::All).map_err(failure)?;
                    terminal.swap_buffers();
                }
            }
            if page.take_changed() {
                clock.changed(Instant::now());
            }
        }
        if IS_ENDED.load(Ordering::SeqCst) {
            return Err(Failure::new(Exit::Interrupted, "a signal has ended the editor"));
        }
        if clock.is_due(Instant::now()) {
            let began = Instant::now();
            // Where that fails, the text is still here, and its writer is told.
            if let Err(failure) = desk.keep(&page.draft(before)) {
                page.note = Some(format!("not kept: {failure}"));
            }
            clock.kept(began, Instant::now());
        }
    }
}

/// When the text is to be kept.
#[derive(Debug, Default)]
struct Clock {
    /// When it was changed first, and last, since it was kept.
    changed: Option<(Instant, Instant)>,
    /// Before that it is not kept again: what takes long is done less often.
    not_before: Option<Instant>,
}

impl Clock {
    fn changed(&mut self, now: Instant) {
        self.changed = Some((self.changed.map_or(now, |(first, _)| first), now));
    }

    fn kept(&mut self, began: Instant, now: Instant) {
        self.changed = None;
        self.not_before = Some(now + 10 * (now - began));
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_old = self.changed.is_some_and(|(first, last)| now >= last + PAUSE || now >= first + AGE);
        is_old && self.not_before.is_none_or(|it| now >= it)
    }
}

/// The terminal while it is the editor's; dropping it, or a panic, puts it back.
struct Taken(DefaultTerminal);

impl Taken {
    fn take() -> Result<Self, Failure> {
        let failure =
            |error| Failure::new(Exit::Io, format!("the terminal fails: {error}; set VISUAL or EDITOR"));
        let taken = ratatui::try_init().map(Self).map_err(failure)?;
        if knows_paste() {
            // Without it, what is pasted comes as keys.
            let _ = execute!(io::stdout(), EnableBracketedPaste);
        }
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Where the terminal is gone, nothing can be done.
        if knows_paste() {
            let _ = execute!(io::stdout(), DisableBracketedPaste);
        }
        let _ = ratatui::try_restore();
        let _ = self.0.show_cursor();
    }
}

/// A terminal that knows colours is young enough; whether they are wanted does not matter here.
fn knows_paste() -> bool {
    Look::of(|name| env::var(name).ok().filter(|_| name == "TERM")).colours
}

/// Whether somebody writes: then signals end the editor, and not the program.
static IS_WRITING: AtomicBool = AtomicBool::new(false);
/// Whether a signal has come meanwhile.
static IS_ENDED: AtomicBool = AtomicBool::new(false);

/// While this is there, somebody writes.
struct Writing;

impl Writing {
    fn begin() -> Self {
        IS_ENDED.store(false, Ordering::SeqCst);
        IS_WRITING.store(true, Ordering::SeqCst);
        Self
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        IS_WRITING.store(false, Ordering::SeqCst);
    }
}

/// Watches from now on for the signals that end programs, in a thread beside: while somebody writes, they end the
/// editor in order. Otherwise they end the program as ever where it `exits`, and are somebody else's where not.
pub fn watch_signals(exits: bool) -> Result<(), Failure> {
    static ONCE: OnceLock<()> = OnceLock::new();
    if ONCE.set(()).is_err() {
        return Ok(());
    }
    let failure = |error| Failure::new(Exit::Software, format!("cannot wait for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failure)?;
    let (tell, told) = mpsc::channel();
    // The runtime is entered there: `fido write` is within one here.
    thread::spawn(move || {
        runtime.block_on(async {
            let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
            let [terminate, hangup, interrupt] = kinds.map(signal);
            let watched = terminate.and_then(|terminate| Ok((terminate, hangup?, interrupt?)));
            let (mut terminate, mut hangup, mut interrupt) = match watched {
                Ok(watched) => watched,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok(())));
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if IS_WRITING.load(Ordering::SeqCst) {
                    IS_ENDED.store(true, Ordering::SeqCst);
                } else if exits {
                    std::process::exit(Exit::Temporary as i32);
                }
            }
        });
    });
    // A thread that is gone without a word watches nothing, and the signals do what they always do.
    told.recv().unwrap_or(Ok(())).map_err(failure)
}
