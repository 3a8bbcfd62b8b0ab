//! How far a long command has come, shown where standard error is a terminal; and whether to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};
use postbox::FolderName;

use crate::transfer::Watcher;

/// A bar for one folder after the other. It takes itself away when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    folder: String,
    stopped: Arc<AtomicBool>,
}

impl Progress {
    /// From now on an interrupt ends the work after the message at hand.
    pub(super) fn new() -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        tokio::spawn(async move {
            // Where the signal cannot be had, it ends the program, which does no harm.
            if tokio::signal::ctrl_c().await.is_ok() {
                told.store(true, Ordering::Relaxed);
            }
        });
        Self { bar: ProgressBar::hidden(), folder: String::new(), stopped }
    }

    /// It is this folder's turn.
    pub(super) fn of(&mut self, folder: &FolderName) -> &mut Self {
        self.folder = folder.to_string();
        self
    }
}

impl Watcher for Progress {
    fn begin(&mut self, what: &'static str, messages: u32) {
        // It draws on standard error, and nothing where that is no terminal.
        self.bar.finish_and_clear();
        self.bar = ProgressBar::new(messages.into());
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} messages, {eta} left");
        if let Ok(style) = style {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_prefix(format!("{}: {what}", self.folder));
    }

    fn next(&mut self) -> bool {
        self.bar.inc(1);
        if self.bar.position() == self.bar.length().unwrap_or_default() {
            self.bar.finish_and_clear();
        }
        !self.stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
