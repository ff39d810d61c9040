//! Scores a body again, by both sets of rules, and compares the outcome with a row.

use ooni_core::explain::{Explanation, explain_with};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::measurement::SideRecord;
use ooni_core::process::Outcome;
use ooni_core::row::FastpathRow;
use ooni_core::row::schema::fastpath;
use ooni_core::rules::Rules;
use ooni_store::query::list::MeasurementSummary;
use ooni_store::value::{self, Value};

/// A body that was scored, and why it has these scores.
#[derive(Clone, Debug)]
pub struct ScoredBody {
    /// By the rules `fixed`.
    pub fixed: Explanation,
    /// By the rules `compat`.
    pub compat: Explanation,
}

impl ScoredBody {
    /// The outcome by these rules.
    pub fn outcome(&self, rules: Rules) -> &Outcome {
        &self.of(rules).outcome
    }

    /// The outcome by these rules, and why.
    pub fn of(&self, rules: Rules) -> &Explanation {
        match rules {
            Rules::Fixed => &self.fixed,
            Rules::Compat => &self.compat,
        }
    }
}

/// Scores a body by both sets of rules. Blocks.
pub fn score(bytes: &[u8], uid: &str, side: &SideRecord<'_>, fingerprints: &Fingerprints) -> ScoredBody {
    let explain = |rules| explain_with(bytes, uid, side, fingerprints, rules);
    ScoredBody { fixed: explain(Rules::Fixed), compat: explain(Rules::Compat) }
}

/// The columns in which a stored row differs from an outcome; all if the outcome has no row that a store accepts.
pub fn differing(row: &MeasurementSummary, outcome: &Outcome) -> Vec<&'static str> {
    let computed = match outcome {
        Outcome::Stored { row: computed, .. } => summary(&row.measurement_uid, computed),
        Outcome::Discarded { .. } | Outcome::Rejected { .. } => None,
    };
    let differs = |name: &'static str, of: fn(&MeasurementSummary) -> Cell<'_>| {
        let differs = computed.as_ref().is_none_or(|computed| of(computed) != of(row));
        differs.then_some(name)
    };
    let columns = [
        differs("report_id", |row| Cell::Text(&row.report_id)),
        differs("input", |row| Cell::Text(&row.input)),
        differs("probe_cc", |row| Cell::Text(&row.probe_cc)),
        differs("probe_asn", |row| Cell::Number(row.probe_asn)),
        differs("test_name", |row| Cell::Text(&row.test_name)),
        differs("test_start_time", |row| Cell::Time(row.test_start_time)),
        differs("measurement_start_time", |row| Cell::Time(row.measurement_start_time)),
        differs("scores", |row| Cell::Text(&row.scores)),
        differs("anomaly", |row| Cell::Flag(row.anomaly)),
        differs("confirmed", |row| Cell::Flag(row.confirmed)),
        differs("failure", |row| Cell::Flag(row.failure)),
        differs("is_verified", |row| Cell::Text(&row.is_verified)),
    ];
    columns.into_iter().flatten().collect()
}

/// A value of a column.
#[derive(PartialEq)]
enum Cell<'r> {
    Text(&'r str),
    Number(u32),
    Time(ooni_core::time::DateTime),
    Flag(bool),
}

/// A row as a store gives it back; `None` if no store accepts it.
pub fn summary(uid: &str, row: &FastpathRow) -> Option<MeasurementSummary> {
    let cells = value::fastpath(row).ok()?;
    let text = |at: usize| match &cells[at] {
        Value::Text(text) => Some(text.clone().into_owned()),
        _ => None,
    };
    let Value::Int(asn) = cells[fastpath::probe_asn] else { return None };
    Some(MeasurementSummary {
        measurement_uid: uid.to_owned(),
        report_id: text(fastpath::report_id)?,
        input: text(fastpath::input)?,
        probe_cc: text(fastpath::probe_cc)?,
        probe_asn: u32::try_from(asn).ok()?,
        test_name: text(fastpath::test_name)?,
        test_start_time: row.test_start_time,
        measurement_start_time: row.measurement_start_time,
        scores: text(fastpath::scores)?,
        anomaly: row.anomaly,
        confirmed: row.confirmed,
        failure: row.msm_failure,
        is_verified: row.is_verified.as_str().to_owned(),
        ruleset: row.ruleset.rules.clone(),
        fingerprints_sha256: row.ruleset.fingerprints.clone(),
        body_sha256: String::new(),
        category_code: None,
    })
}
