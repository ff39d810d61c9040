//! Medians, minima and ratios of repetitions.
//!
//! Noise only ever adds time: the minimum is closest to the cost of the code, the median to what users get.

/// The middle value; for an even number of values, the mean of the two in the middle. `None` without values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*sorted.get(middle - 1)?, upper)) }
}

/// The smallest value. `None` without values.
#[must_use]
pub fn min(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

/// How many times as long one measurement takes as another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median of the ratios within each repetition: this compares what ran side by side.
    pub median: f64,
    /// The ratio of the fastest repetitions.
    pub of_minima: f64,
}

/// Compares repetitions pairwise. `None` if their numbers differ.
#[must_use]
pub fn ratio(times: &[f64], base: &[f64]) -> Option<Ratio> {
    if times.len() != base.len() {
        return None;
    }
    let each: Vec<f64> = times.iter().zip(base).map(|(time, base)| time / base).collect();
    Some(Ratio { median: median(&each)?, of_minima: min(times)? / min(base)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(min(&[2.0, 1.0, 3.0]), Some(1.0));
        assert_eq!(min(&[]), None);
    }

    #[test]
    fn ratios_are_of_the_same_repetition() {
        // A machine that slows down to a third: the ratio does not change.
        let both = ratio(&[2.0, 6.0, 2.2], &[1.0, 3.0, 1.0]).unwrap();
        assert_eq!(both, Ratio { median: 2.0, of_minima: 2.0 });
        assert_eq!(ratio(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(ratio(&[], &[]), None);
    }
}
