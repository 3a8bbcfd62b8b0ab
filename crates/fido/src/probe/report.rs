//! What the probe has found, as text or as JSON.

use std::{fmt, io};

use serde::Serialize;

use super::{finding::Verdict, guess::Guess};

/// Where a cell of the last column is wrapped, in characters, so that a row has at most 80.
const WRAP: usize = 35;

/// All that was found. Its field names are stable.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// HOST as on the command line.
    pub(super) host: String,
    /// The messages in the default mailbox, if there was a login.
    pub(super) messages: Option<u32>,
    pub(super) cases: Vec<Row>,
    pub(super) summary: Summary,
    pub(super) guess: Guess,
}

/// A case and what was found.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) rests_on: &'static str,
    pub(super) finding: Verdict,
    /// What the server does, or why it was not tried.
    pub(super) does: String,
    /// `C:` and `S:` lines.
    pub(super) dialogue: Vec<String>,
}

/// How many cases have which finding.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    keeps: usize,
    differs: usize,
    silent: usize,
    not_tried: usize,
}

impl Summary {
    pub(super) fn of(rows: &[Row]) -> Self {
        let [keeps, differs, silent, not_tried] =
            Verdict::ALL.map(|verdict| rows.iter().filter(|row| row.finding == verdict).count());
        Self { keeps, differs, silent, not_tried }
    }
}

impl Report {
    pub(super) fn write_json(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "case", "rests on", "finding", "what the server does")?;
        for Row { name, rests_on, finding, does, .. } in &self.cases {
            row(f, name, rests_on, finding.name(), does)?;
        }
        for Row { name, dialogue, .. } in self.cases.iter().filter(|row| row.finding == Verdict::Differs) {
            if !dialogue.is_empty() {
                writeln!(f, "\n{name}:")?;
            }
            dialogue.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        writeln!(f)?;
        if let Some(count) = self.messages {
            writeln!(f, "Messages in the default mailbox: {count}.")?;
        }
        writeln!(f, "{}", self.guess.text())?;
        let Summary { keeps, differs, silent, not_tried } = self.summary;
        writeln!(
            f,
            "{keeps} keep the RFC, {differs} differ, {silent} where it is silent, {not_tried} not tried."
        )
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, rests_on: &str, finding: &str, does: &str) -> fmt::Result {
    let mut cells = (name, rests_on, finding);
    for part in wrapped(does) {
        writeln!(f, "{:<17} {:<14} {:<9}  {part}", cells.0, cells.1, cells.2)?;
        cells = ("", "", "");
    }
    Ok(())
}

/// The parts of a text of ASCII, broken at blanks where there are some.
fn wrapped(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while let (Some(start), true) = (text.get(..=WRAP), text.len() > WRAP) {
        let at = start.rfind(' ').filter(|&at| at > 0).unwrap_or(WRAP);
        let (part, rest) = text.split_at_checked(at).unwrap_or((text, ""));
        parts.push(part.trim_end());
        text = rest.trim_start();
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_wrapped_is_narrow_and_whole(text in "[ a-z]{0,200}") {
            let parts = wrapped(&text);
            prop_assert!(parts.iter().all(|part| part.len() <= WRAP));
            prop_assert_eq!(parts.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
