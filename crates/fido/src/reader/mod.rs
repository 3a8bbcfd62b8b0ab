//! `fido` without a command: a full-screen reader of the mail that is here.
//!
//! - [`Model`] is what is shown; [`update`] makes of it and an [`Event`] the next one, and says which [`Effect`]s are
//!   wanted; [`draw`] draws it. These three do nothing else, and are tested as such;
//! - [`keys`] is the table of keys;
//! - `work.rs` does what is wanted: it marks and saves; `opening.rs` opens folders, `sync.rs` fetches and `search.rs`
//!   looks through texts, each in a thread beside;
//! - [`terminal`] takes the terminal and puts it back, [`look`] tells what it can show;
//! - [`compose`] is where writing mail comes in.
//!
//! Every text from mail comes through [`message`](crate::message), folders' names are escaped, and whatever is said on
//! the last line is made one safe line: nothing from outside acts on the terminal.

pub mod compose;
mod cursor;
mod draw;
mod event;
mod files;
pub mod keys;
pub mod look;
mod model;
mod opening;
mod place;
mod search;
mod signals;
mod sync;
pub mod terminal;
mod text;
mod update;
mod work;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use jiff::tz::TimeZone;
use ratatui::crossterm::event::Event as Input;

pub use draw::draw;
pub use event::{Effect, Event};
pub use model::{Ask, Model, Screen, Sync};
pub use place::open;
pub use update::update;

use crate::{Exit, Failure, args::Reader, config::Config, local::Name, password::Source};
use place::Place;
use terminal::Terminal;
use work::{Next, Work};

/// How long a key is waited for before threads beside this one are heard, while there are none that work.
const REST: Duration = Duration::from_millis(250);
/// And while some do.
const SHORT_REST: Duration = Duration::from_millis(50);

/// Reads mail until the user leaves.
pub fn run(config: &Config, reader: &Reader) -> Result<(), Failure> {
    let place = Place::chosen(config, reader.account.as_deref(), reader.mail.as_deref())?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let text = "without a command fido reads mail on a terminal, and this is none; `fido help` lists the commands";
        return Err(Failure::new(Exit::Usage, text));
    }
    let local = open(&place.path)?;
    let mut terminal = Terminal::take()?;
    let sync = place.account.as_ref().map(|profile| Sync {
        question: (profile.password == Source::Person).then(|| sync::question(profile)),
        progress: None,
    });
    let (look, zone) = (look::Look::of_environment(), TimeZone::system());
    let model = Model::new(&place.title(), sync, look, zone, terminal.size()?);
    let work = Work::new(local, place)?;
    read(model, work, &mut terminal)
}

fn read(mut model: Model, mut work: Work, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut wanted = vec![Effect::OpenFolder(Name::inbox()), Effect::ListFolders];
    loop {
        // What takes long is announced before it is done.
        terminal.draw(&model)?;
        for effect in std::mem::take(&mut wanted) {
            if work.act(effect, terminal)? == Next::Leave {
                return Ok(());
            }
        }
        let mut is_quiet = true;
        while let Some(event) = work.event() {
            is_quiet = false;
            wanted.extend(update(&mut model, event));
        }
        match work.signalled() {
            // At once: the terminal may be gone.
            Some(Effect::Quit) => return Ok(()),
            signalled => wanted.extend(signalled),
        }
        if is_quiet {
            let is_fetching = model.sync.as_ref().is_some_and(|it| it.progress.is_some());
            let is_busy = model.opening.is_some() || model.search.is_some() || is_fetching;
            let rest = if is_busy { SHORT_REST } else { REST };
            wait(&mut model, rest, &mut wanted)?;
        }
    }
}

/// Waits for keys, and takes in all that have come.
fn wait(model: &mut Model, rest: Duration, wanted: &mut Vec<Effect>) -> Result<(), Failure> {
    let failure = |error| Failure::new(Exit::Io, format!("cannot read from the terminal: {error}"));
    if !terminal::is_there(rest) {
        wanted.push(Effect::Quit);
    }
    while wanted.is_empty()
        && let Some(input) = terminal::next_input().map_err(failure)?
    {
        let event = match input {
            Input::Key(key) => Event::Key(key),
            Input::Mouse(mouse) => Event::Mouse(mouse),
            Input::Resize(width, height) => Event::Resize(width, height),
            _ => continue,
        };
        wanted.extend(update(model, event));
    }
    Ok(())
}
