//! The rank test of Mann and Whitney: whether values of one kind tend to be greater than those of another. It asks
//! nothing of how they are distributed, and a few that are far off do not sway it.

/// What the test says of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How often a value of the first sample is the greater one of a pair with one of the second; a tie is half.
    pub u: f64,
    /// How far U is from what chance makes of it, in standard deviations.
    pub z: f64,
    /// How likely chance alone takes it at least so far, to either side.
    pub p: f64,
}

/// Compares two samples, of some twenty values each at least: U is taken for normally distributed, with the
/// correction for ties.
#[must_use]
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Outcome {
    let mut all: Vec<(f64, bool)> = Vec::with_capacity(first.len() + second.len());
    all.extend(first.iter().map(|value| (*value, true)));
    all.extend(second.iter().map(|value| (*value, false)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut ranks_of_first, mut ties, mut below) = (0.0, 0.0, 0);
    for equal in all.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let count = float(equal.len());
        // All that are equal have the middle one of their ranks, which begin with 1.
        let rank = float(below) + f64::midpoint(count, 1.0);
        ranks_of_first += rank * float(equal.iter().filter(|(_, is_first)| *is_first).count());
        ties += count.powi(3) - count;
        below += equal.len();
    }
    let (m, n, total) = (float(first.len()), float(second.len()), float(all.len()));
    let u = ranks_of_first - m * (m + 1.0) / 2.0;
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        // All are equal, or there are none to compare.
        return Outcome { u, z: 0.0, p: 1.0 };
    }
    let off = u - m * n / 2.0;
    // U moves in whole steps.
    let z = off.signum() * (off.abs() - 0.5).max(0.0) / variance.sqrt();
    Outcome { u, z, p: two_sided(z) }
}

/// The value in the middle; NaN where there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}

/// How likely a normally distributed value is so far from the middle, in standard deviations, or farther.
fn two_sided(z: f64) -> f64 {
    // The complementary error function by its continued fraction far out, by its series near the middle.
    let x = z.abs() / std::f64::consts::SQRT_2;
    let scale = 1.0 / std::f64::consts::PI.sqrt();
    if x > 2.0 {
        let fraction = (1..=60).rev().fold(x, |rest, k| x + f64::from(k) / 2.0 / rest);
        return scale * (-x * x).exp() / fraction;
    }
    let (mut term, mut sum) = (x, x);
    for k in 1..60 {
        let k = f64::from(k);
        term *= -x * x / k;
        sum += term / (2.0 * k + 1.0);
    }
    (1.0 - 2.0 * scale * sum).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 samples")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) {
        assert!((one - other).abs() < 1e-4, "{one} is not {other}");
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, p) in [
            (0.0, 1.0),
            (1.0, 0.317_311),
            (1.959_964, 0.05),
            (2.575_829, 0.01),
            (2.9, 0.003_732),
            (4.0, 6.334e-5),
        ] {
            near(two_sided(z), p);
            near(two_sided(-z), p);
        }
        assert!(two_sided(10.0) > 0.0 && two_sided(10.0) < 1e-22);
        // Both ways of computing it meet.
        let edge = 2.0 * std::f64::consts::SQRT_2;
        assert!((two_sided(edge - 1e-9) - two_sided(edge + 1e-9)).abs() < 1e-10);
    }

    #[test]
    fn u_counts_the_pairs_that_the_first_wins() {
        let outcome = mann_whitney(&[1.0, 4.0, 5.0], &[2.0, 3.0, 5.0]);
        // 4 beats 2 and 3; 5 beats 2 and 3 and ties with 5.
        near(outcome.u, 4.5);
        near(mann_whitney(&[2.0, 3.0, 5.0], &[1.0, 4.0, 5.0]).u, 4.5);
    }

    #[test]
    fn a_known_example_comes_out() {
        // 19 22 16 29 24 against 20 11 17 12: U is 17, its deviation sqrt(50/3).
        let outcome = mann_whitney(&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0]);
        near(outcome.u, 17.0);
        near(outcome.z, 6.5 / (50.0_f64 / 3.0).sqrt());
        near(outcome.p, 0.111_347);
    }

    #[test]
    fn what_is_equal_is_not_told_apart() {
        let outcome = mann_whitney(&[7.0; 30], &[7.0; 40]);
        assert_eq!((outcome.z, outcome.p), (0.0, 1.0));
        assert!(mann_whitney(&[], &[1.0]).p > 0.99);
    }

    #[test]
    fn a_small_shift_is_found_among_wide_values_and_chance_is_not() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31)
        };
        let mut sample = |shift: f64| (0..2000).map(|_| uniform() + shift).collect::<Vec<f64>>();
        let (one, same, shifted) = (sample(0.0), sample(0.0), sample(0.1));
        assert!(mann_whitney(&one, &same).p > 0.001);
        let found = mann_whitney(&one, &shifted);
        assert!(found.p < 1e-9 && found.z < 0.0, "{found:?}");
    }

    #[test]
    fn a_median_is_in_the_middle() {
        near(median(&[3.0, 1.0, 2.0]), 2.0);
        near(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
