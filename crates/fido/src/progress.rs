//! How far a fetch has come, shown while it runs where standard error is a terminal.

use std::{io::IsTerminal, sync::mpsc::Sender};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Where it is shown.
#[derive(Debug, Clone)]
pub enum Show {
    /// As a bar, if standard error is a terminal.
    Bar,
    /// Nowhere.
    Nothing,
    /// To another thread, which may have ended.
    Told(Sender<Step>),
}

/// How far a fetch has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The folder; the server for the default mailbox.
    pub folder: String,
    /// The message whose turn it is.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

/// A bar with messages, octets and rate, a way to another thread, or nothing.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    octets: u64,
    told: Option<(Sender<Step>, String, u32)>,
}

impl Progress {
    /// The bar of a folder with `count` messages. It takes itself away when it is dropped.
    #[must_use]
    pub fn new(folder: &str, count: u32, show: &Show) -> Self {
        let is_bar = matches!(show, Show::Bar) && std::io::stderr().is_terminal();
        let bar = if is_bar { ProgressBar::new(count.into()) } else { ProgressBar::hidden() };
        let template = "{prefix} {bar:30} {pos}/{len} messages, {msg}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(folder.to_owned());
        let told = match show {
            Show::Told(sender) => Some((sender.clone(), folder.to_owned(), count)),
            Show::Bar | Show::Nothing => None,
        };
        let mut progress = Self { bar, octets: 0, told };
        progress.octets(0);
        progress
    }

    /// So many octets of a message came.
    pub fn octets(&mut self, count: usize) {
        if self.bar.is_hidden() {
            return;
        }
        self.octets += count as u64;
        let milliseconds = self.bar.elapsed().as_millis().max(1);
        let rate = u128::from(self.octets) * 1000 / milliseconds;
        let rate = HumanBytes(u64::try_from(rate).unwrap_or(u64::MAX));
        self.bar.set_message(format!("{}, {rate}/s", HumanBytes(self.octets)));
    }

    /// It is this message's turn.
    pub fn at(&self, number: u32) {
        self.bar.set_position(u64::from(number).saturating_sub(1));
        if let Some((sender, folder, count)) = &self.told {
            let _ = sender.send(Step { folder: folder.clone(), number, count: *count });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
