//! How far a fetch has come, shown while it runs where standard error is a terminal.

use std::io::IsTerminal;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// A bar with messages, octets and rate, or nothing.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    octets: u64,
}

impl Progress {
    /// The bar of a folder with `count` messages. It takes itself away when it is dropped.
    #[must_use]
    pub fn new(folder: &str, count: u32, verbose: bool) -> Self {
        let bar = if verbose || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(count.into())
        };
        let template = "{prefix} {bar:30} {pos}/{len} messages, {msg}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(folder.to_owned());
        let mut progress = Self { bar, octets: 0 };
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
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
