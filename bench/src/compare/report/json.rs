//! The report for programs: every value of every round.

use serde_json::{Map, Value, json};

use super::Report;
use crate::{
    figures::{Figure, Sheet, Spread},
    servers::Subject,
};

/// The report as JSON.
pub(crate) fn json(report: &Report) -> Value {
    let facts: Map<String, Value> =
        report.facts.iter().map(|(name, what)| ((*name).to_owned(), json!(what))).collect();
    json!({
        "machine": facts,
        "left_out": report.left_out.iter().map(why).collect::<Map<_, _>>(),
        "rows": report.sheets.iter().map(sheet).collect::<Vec<_>>(),
    })
}

fn why((subject, why): &(Subject, String)) -> (String, Value) {
    (subject.word().to_owned(), json!(why))
}

fn sheet(sheet: &Sheet) -> Value {
    json!({
        "row": sheet.row.to_string(),
        "title": sheet.title,
        "figures": sheet.figures.iter().map(figure).collect::<Vec<_>>(),
        "failed": sheet.failures.iter().map(why).collect::<Map<_, _>>(),
    })
}

fn figure(figure: &Figure) -> Value {
    let values: Map<String, Value> = figure
        .values
        .iter()
        .map(|(subject, values)| {
            let one = json!({
                "rounds": values,
                "spread": figure.spread(*subject).map(spread),
                "doghouse_over_it": figure.ratio(*subject).map(spread),
            });
            (subject.word().to_owned(), one)
        })
        .collect();
    json!({
        "work": figure.work,
        "unit": figure.measure.unit,
        "more_is_better": figure.measure.more_is_better,
        "values": values,
    })
}

fn spread(spread: Spread) -> Value {
    json!({ "median": spread.median, "least": spread.least, "most": spread.most })
}
