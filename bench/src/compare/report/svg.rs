//! Pictures for the book: for each row bars of the medians, and on each a line from the least to the most.

use std::fmt::Write as _;

use super::plain;
use crate::{
    figures::{Figure, Sheet},
    servers::Subject,
};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 190.0;
const NUMBERS: f64 = 90.0;
const BAR: f64 = 16.0;
const GAP: f64 = 4.0;
const TITLE: f64 = 24.0;

/// A picture of a row; it reads on a light page and on a dark one.
pub(crate) fn svg(sheet: &Sheet) -> String {
    let mut body = String::new();
    let mut top = 34.0;
    for figure in &sheet.figures {
        draw(figure, &mut top, &mut body);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">({row}) {title}</text>\n{body}</svg>\n",
        height = top + 6.0,
        row = sheet.row,
        title = escape(sheet.title),
    )
}

fn draw(figure: &Figure, top: &mut f64, body: &mut String) {
    let better = if figure.measure.more_is_better { "" } else { ", less is better" };
    *top += TITLE;
    let title = escape(&format!("{}: {}{better}", figure.work, figure.measure.unit));
    let _ = writeln!(body, "<text x=\"10\" y=\"{:.0}\">{title}</text>", *top - 8.0);
    let spreads: Vec<_> =
        figure.values.keys().filter_map(|subject| Some((*subject, figure.spread(*subject)?))).collect();
    let largest = spreads.iter().map(|(_, spread)| spread.most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABELS - NUMBERS) / largest;
    for (subject, spread) in spreads {
        let middle = *top + BAR / 2.0;
        let base = middle + 4.0;
        let (bar, least, most) = (spread.median * scale, spread.least * scale, spread.most * scale);
        let colour = if subject == Subject::Doghouse { "#2b6cb0" } else { "#a0aec0" };
        let _ = writeln!(
            body,
            "<text x=\"{label:.0}\" y=\"{base:.1}\" text-anchor=\"end\">{subject}</text>\
             <rect x=\"{LABELS}\" y=\"{top:.1}\" width=\"{bar:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
             <path d=\"M{from:.1} {middle:.1}H{to:.1}\" stroke=\"#1a202c\"/>\
             <text x=\"{number:.1}\" y=\"{base:.1}\">{value}</text>",
            label = LABELS - 6.0,
            top = *top,
            bar = bar.max(0.0),
            from = LABELS + least.max(0.0),
            to = LABELS + most.max(0.0),
            number = LABELS + most.max(0.0) + 6.0,
            value = plain(spread.median),
        );
        *top += BAR + GAP;
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Reading, SESSIONS};

    #[test]
    fn a_picture_has_a_bar_for_each_and_no_markup_of_others() {
        let mut sheet = Sheet::new('a', "log in & <out>");
        for (subject, value) in [(Subject::Doghouse, 3000.0), (Subject::Floor, 6000.0)] {
            sheet.note(subject, Reading { work: "16 clients".into(), measure: SESSIONS, value });
        }
        let picture = svg(&sheet);
        assert!(picture.contains("(a) log in &amp; &lt;out&gt;"));
        assert_eq!(picture.matches("<rect x=").count(), 2);
        assert!(picture.contains("width=\"240.0\"") && picture.contains("width=\"480.0\""), "{picture}");
    }
}
