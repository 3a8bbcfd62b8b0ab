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
