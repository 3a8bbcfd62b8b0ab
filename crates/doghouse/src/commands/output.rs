//! What commands write on standard output.

use std::io::Write;

use serde::Serialize;

use crate::exit::{self, Failure, OrExit, printable};

pub(super) fn say(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).or_exit(exit::IO)
}

pub(super) fn say_json(value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).or_exit(exit::SOFTWARE)?;
    say(&(text + "\n"))
}

/// A list in JSON, of which one thing at a time is held. It looks as [`say_json`] has it.
#[derive(Debug, Default)]
pub(super) struct JsonList {
    is_begun: bool,
}

impl JsonList {
    pub(super) fn add(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).or_exit(exit::SOFTWARE)?;
        let begin = if std::mem::replace(&mut self.is_begun, true) { ",\n  " } else { "[\n  " };
        // A line end within a text is escaped.
        say(&(begin.to_owned() + &text.replace('\n', "\n  ")))
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        say(if self.is_begun { "\n]\n" } else { "[]\n" })
    }
}

/// Rows under a head, each column as wide as it has to be.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| printable(&cell)));
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = [["fido".to_owned(), "a\u{1b}".to_owned()], ["x".to_owned(), String::new()]];
        assert_eq!(table(["WHO", "WHAT"], rows), "WHO   WHAT\nfido  a\\u{1b}\nx\n");
    }
}
