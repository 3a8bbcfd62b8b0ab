//! What was found, for people, for programs and for the book.

mod json;
mod svg;
mod text;

pub(crate) use self::{
    json::json,
    svg::svg,
    text::{head, text},
};
use crate::{
    figures::{Sheet, Spread},
    machine::Facts,
    servers::Subject,
};

/// Everything that a run has found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) facts: Facts,
    /// Who is not in it, and why.
    pub(crate) left_out: Vec<(Subject, String)>,
    pub(crate) sheets: Vec<Sheet>,
}

impl Report {
    pub(crate) fn has_failures(&self) -> bool {
        self.sheets.iter().any(|sheet| !sheet.failures.is_empty())
    }
}

/// With as many digits as mean something.
fn plain(value: f64) -> String {
    if value.abs() >= 1000.0 {
        let digits = format!("{value:.0}");
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        format!("{sign}{out}")
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else if value.abs() >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn range(spread: Spread) -> String {
    format!("{} to {}", plain(spread.least), plain(spread.most))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        for (value, text) in [
            (1_234_567.8, "1,234,568"),
            (1000.0, "1,000"),
            (999.4, "999"),
            (-2345.0, "-2,345"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.0123, "0.0123"),
        ] {
            assert_eq!(plain(value), text);
        }
    }
}
