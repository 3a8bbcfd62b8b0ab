//! Tables of text.

use std::fmt::Write as _;

use super::{Report, plain, range};
use crate::figures::Sheet;

/// What stands above the rows, for a person in front of a terminal.
pub(crate) fn head(report: &Report) -> String {
    let mut out = String::new();
    for (name, what) in &report.facts {
        let _ = writeln!(out, "{name:<16} {what}");
    }
    for (subject, why) in &report.left_out {
        let _ = writeln!(out, "left out: {subject}: {why}");
    }
    out
}

/// A row.
pub(crate) fn text(sheet: &Sheet) -> String {
    let mut out = format!("\n({}) {}\n", sheet.row, sheet.title);
    for figure in &sheet.figures {
        let better = if figure.measure.more_is_better { "" } else { " (less is better)" };
        let _ = writeln!(out, "\n  {}: {}{better}", figure.work, figure.measure.unit);
        let _ = writeln!(out, "    {:<28}{:>12}  {:<24}Doghouse / it", "", "median", "least to most");
        for subject in figure.values.keys() {
            let Some(spread) = figure.spread(*subject) else { continue };
            let ratio = figure
                .ratio(*subject)
                .map_or_else(String::new, |ratio| format!("{} ({})", plain(ratio.median), range(ratio)));
            let line = format!("    {subject:<28}{:>12}  {:<24}{ratio}", plain(spread.median), range(spread));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    for (subject, why) in &sheet.failures {
        let _ = writeln!(out, "\n  FAILED: {subject}: {why}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::{Reading, SESSIONS},
        servers::Subject,
    };

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let mut sheet = Sheet::new('a', "log in");
        for (subject, value) in [(Subject::Doghouse, 3000.0), (Subject::DovecotBest, 1500.0)] {
            sheet.note(subject, Reading { work: "16 clients".into(), measure: SESSIONS, value });
        }
        sheet.fail(Subject::Popa3d, "other octets".into());
        let report = Report {
            facts: vec![("kernel", "Linux".into())],
            left_out: vec![(Subject::Floor, "not asked for".into())],
            sheets: vec![sheet],
        };
        let text = report.sheets.iter().map(text).fold(head(&report), |all, row| all + &row);
        for part in [
            "kernel           Linux\n",
            "left out: floor (POP2 from memory): not asked for\n",
            "(a) log in\n",
            "  16 clients: sessions/s\n",
            "    Doghouse                           3,000  3,000 to 3,000\n",
            "    Dovecot, at its best               1,500  1,500 to 1,500          2.00 (2.00 to 2.00)\n",
            "  FAILED: popa3d: other octets\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }
}
