//! What was measured: each measure of each row, for each subject the value of each round.

use std::collections::BTreeMap;

use crate::servers::Subject;

/// What a figure tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) unit: &'static str,
    pub(crate) more_is_better: bool,
}

const fn more(unit: &'static str) -> Measure {
    Measure { unit, more_is_better: true }
}

const fn less(unit: &'static str) -> Measure {
    Measure { unit, more_is_better: false }
}

pub(crate) const SESSIONS: Measure = more("sessions/s");
pub(crate) const MESSAGES: Measure = more("messages/s");
/// Millions of octets.
pub(crate) const OCTETS: Measure = more("MB/s");
pub(crate) const CPU_A_THOUSAND: Measure = less("CPU s per 1,000 sessions");
pub(crate) const CPU_A_GB: Measure = less("CPU s per GB");
pub(crate) const CPU_A_THOUSAND_MESSAGES: Measure = less("CPU s per 1,000 messages");
pub(crate) const MILLISECONDS: Measure = less("ms");
pub(crate) const KIB: Measure = less("KiB a connection");

/// One value of one round.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) work: String,
    pub(crate) measure: Measure,
    pub(crate) value: f64,
}

/// A line of the report.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) work: String,
    pub(crate) measure: Measure,
    pub(crate) values: BTreeMap<Subject, Vec<f64>>,
}

/// What belongs together in the report.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) row: char,
    pub(crate) title: &'static str,
    pub(crate) figures: Vec<Figure>,
    /// Who has no figures here, and why.
    pub(crate) failures: Vec<(Subject, String)>,
}

impl Sheet {
    pub(crate) fn new(row: char, title: &'static str) -> Self {
        Self { row, title, figures: Vec::new(), failures: Vec::new() }
    }

    pub(crate) fn note(&mut self, subject: Subject, reading: Reading) {
        let Reading { work, measure, value } = reading;
        let known = self.figures.iter_mut().find(|figure| figure.work == work && figure.measure == measure);
        if let Some(figure) = known {
            figure.values.entry(subject).or_default().push(value);
        } else {
            self.figures.push(Figure { work, measure, values: BTreeMap::from([(subject, vec![value])]) });
        }
    }

    /// What somebody did before it failed is no figure: a server that is fast and wrong has none.
    pub(crate) fn fail(&mut self, subject: Subject, why: String) {
        for figure in &mut self.figures {
            figure.values.remove(&subject);
        }
        self.figures.retain(|figure| !figure.values.is_empty());
        self.failures.push((subject, why));
    }

    pub(crate) fn has_failed(&self, subject: Subject) -> bool {
        self.failures.iter().any(|(failed, _)| *failed == subject)
    }
}

/// The middle of some values, and how far they go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of no values there is none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        Some(Self { median: doghouse_bench::rank::median(values), least, most })
    }
}

impl Figure {
    pub(crate) fn spread(&self, subject: Subject) -> Option<Spread> {
        Spread::of(self.values.get(&subject)?)
    }

    /// Doghouse's value over another's, round by round, so that what the machine did meanwhile meets both.
    pub(crate) fn ratio(&self, other: Subject) -> Option<Spread> {
        let ours = self.values.get(&Subject::Doghouse).filter(|_| other != Subject::Doghouse)?;
        let ratios: Vec<f64> = ours
            .iter()
            .zip(self.values.get(&other)?)
            .filter(|(_, other)| **other > 0.0)
            .map(|(our, other)| our / other)
            .collect();
        Spread::of(&ratios)
    }
}

/// The value below which so much of all lies, from 0 to 1; the nearest one that was measured.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few values"
    )]
    let at = ((values.len() as f64 * part).ceil() as usize).saturating_sub(1);
    values.get(at.min(values.len().saturating_sub(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: f64) -> Reading {
        Reading { work: "16 clients".into(), measure: SESSIONS, value }
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.5), Some(500.0));
        assert_eq!(quantile(&mut values, 0.99), Some(990.0));
        assert_eq!(quantile(&mut values, 0.999), Some(999.0));
        assert_eq!(quantile(&mut values, 1.0), Some(1000.0));
        assert_eq!(quantile(&mut [7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn a_spread_has_the_median_and_the_ends() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of(&[1.0, 2.0]).map(|spread| spread.median), Some(1.5));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_those_of_each_round() {
        let mut sheet = Sheet::new('a', "");
        for (our, other) in [(10.0, 5.0), (30.0, 10.0), (8.0, 8.0)] {
            sheet.note(Subject::Doghouse, reading(our));
            sheet.note(Subject::Floor, reading(other));
        }
        let [figure] = sheet.figures.as_slice() else { panic!("one figure") };
        assert_eq!(figure.ratio(Subject::Floor), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(figure.ratio(Subject::Doghouse), None);
        assert_eq!(figure.ratio(Subject::Popa3d), None);
    }

    #[test]
    fn who_fails_has_no_figures() {
        let mut sheet = Sheet::new('a', "");
        sheet.note(Subject::Floor, reading(1.0));
        sheet.note(Subject::Doghouse, reading(2.0));
        sheet.fail(Subject::Floor, "other octets".into());
        assert!(sheet.has_failed(Subject::Floor));
        assert!(sheet.figures.iter().all(|figure| figure.spread(Subject::Floor).is_none()));
        assert!(sheet.figures.iter().any(|figure| figure.spread(Subject::Doghouse).is_some()));
    }
}
