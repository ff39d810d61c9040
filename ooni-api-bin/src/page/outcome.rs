//! [`Outcome`]: what a measurement found, in one word.

use maud::{Markup, html};
use ooni_store::query::aggregate::Counts;
use ooni_store::query::list::MeasurementSummary;

/// What a measurement found: the first that applies of failure, confirmed and anomaly, else ok.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Blocking that is confirmed by a fingerprint.
    Confirmed,
    /// Signs of interference.
    Anomaly,
    /// The measurement failed.
    Failure,
    /// None of these.
    Ok,
}

impl Outcome {
    /// All of them, in the order of charts, from the bottom up.
    pub const ALL: [Outcome; 4] = [Outcome::Confirmed, Outcome::Anomaly, Outcome::Failure, Outcome::Ok];

    /// The outcome of a row.
    pub fn of(row: &MeasurementSummary) -> Outcome {
        match row {
            MeasurementSummary { failure: true, .. } => Outcome::Failure,
            MeasurementSummary { confirmed: true, .. } => Outcome::Confirmed,
            MeasurementSummary { anomaly: true, .. } => Outcome::Anomaly,
            _ => Outcome::Ok,
        }
    }

    /// The outcome with this name.
    pub fn named(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Its name, in parameters and in classes of the style sheet.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Confirmed => "confirmed",
            Outcome::Anomaly => "anomaly",
            Outcome::Failure => "failure",
            Outcome::Ok => "ok",
        }
    }

    /// Its display name.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Confirmed => "Confirmed",
            Outcome::Anomaly => "Anomaly",
            Outcome::Failure => "Failure",
            Outcome::Ok => "OK",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Outcome::Confirmed => "a fingerprint of blocking was found",
            Outcome::Anomaly => "signs of interference",
            Outcome::Failure => "the measurement itself failed",
            Outcome::Ok => "nothing unusual",
        }
    }

    /// The flags that select it: `anomaly`, `confirmed`, `msm_failure`; `None` for any.
    pub fn flags(self) -> [(&'static str, Option<bool>); 3] {
        let (anomaly, confirmed, failure) = match self {
            Outcome::Confirmed => (None, Some(true), Some(false)),
            Outcome::Anomaly => (Some(true), Some(false), Some(false)),
            Outcome::Failure => (None, None, Some(true)),
            Outcome::Ok => (Some(false), Some(false), Some(false)),
        };
        [("anomaly", anomaly), ("confirmed", confirmed), ("failure", failure)]
    }

    /// How many measurements have it.
    pub fn count(self, counts: &Counts) -> u64 {
        match self {
            Outcome::Confirmed => counts.confirmed,
            Outcome::Anomaly => counts.anomaly,
            Outcome::Failure => counts.failure,
            Outcome::Ok => counts.ok(),
        }
    }

    /// Its name with its colour.
    pub fn badge(self) -> Markup {
        html! { span class={ "outcome " (self.name()) } { (self.label()) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::named(outcome.name()), Some(outcome));
        }
        assert_eq!(Outcome::named("any"), None);
    }

    #[test]
    fn counts_add_up() {
        let counts = Counts { measurements: 10, failure: 1, confirmed: 2, anomaly: 3, ..Counts::default() };
        assert_eq!(Outcome::ALL.map(|outcome| outcome.count(&counts)), [2, 3, 1, 4]);
        assert_eq!(Outcome::ALL.iter().map(|outcome| outcome.count(&counts)).sum::<u64>(), counts.measurements);
    }
}
