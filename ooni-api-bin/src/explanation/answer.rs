//! The answer of the route, whose texts and lists are bounded.

use super::compare::{ScoredBody, summary};
use crate::bodies::Stored;
use crate::clock::Timestamp;
use ooni_core::explain::Explanation;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::measurement::SideRecord;
use ooni_core::process::Outcome;
use ooni_core::rules::Rules;
use ooni_core::trace;
use ooni_store::query::list::MeasurementSummary;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// Rules that fired, and fingerprints, of a result. Further ones are counted only.
const MOST_RECORDS: usize = 100;
/// Values of a rule that fired, and further offsets of a fingerprint.
const MOST_VALUES: usize = 20;
/// Bytes of a text.
const LONGEST_TEXT: usize = 2000;
/// Bytes of the text of scores.
const LONGEST_SCORES: usize = 64 << 10;

/// How a server scores.
#[derive(Clone, Debug)]
pub struct Server {
    /// The rules of its settings.
    pub rules: Rules,
    /// Its fingerprint lists.
    pub fingerprints: Arc<Fingerprints>,
}

/// Why a measurement has its row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// Id of the measurement.
    pub measurement_uid: String,
    /// The state of the measurement.
    pub status: Status,
    /// Why there is no row, or no result of scoring, in a sentence.
    pub reason: Option<String>,
    /// The row in the store. Texts of more than 2,000 bytes are cut, with `…` at the end.
    pub row: Option<Row>,
    /// The body as it is kept.
    pub body: Option<Body>,
    /// The rules with which this server scores, such as `fixed/1`.
    pub ruleset: String,
    /// SHA-256 of the fingerprint lists of this server: of the DNS list followed by the HTTP list.
    pub fingerprints_sha256: String,
    /// The rules with whose result the row is compared, `fixed` or `compat`: those that the row names.
    pub compared_with: String,
    /// The result of scoring the body with the rules `fixed`.
    pub fixed: Option<Scored>,
    /// The result of scoring the body with the rules `compat`, those of OONI's Python backend.
    pub compat: Option<Scored>,
    /// Where `fixed` and `compat` differ, by repair.
    pub differences: Vec<Difference>,
    /// Whether the row is what this server computes.
    pub agrees: Agrees,
}

/// The state of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It has a row.
    Stored,
    /// It is not scored yet.
    Pending,
    /// It was discarded on purpose.
    Discarded,
    /// It cannot be parsed or scored.
    Rejected,
    /// It was scored, but the store does not accept its row.
    Refused,
}

/// The row of a measurement in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// Id of the report.
    pub report_id: String,
    /// What was tested; empty for tests without an input.
    pub input: String,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// The test.
    pub test_name: String,
    /// Start of the test, by the probe's clock.
    pub test_start_time: String,
    /// Start of the measurement, by the probe's clock.
    pub measurement_start_time: String,
    /// Signs of interference.
    pub anomaly: bool,
    /// A fingerprint of blocking was found.
    pub confirmed: bool,
    /// The measurement failed.
    pub failure: bool,
    /// Whether the probe's credentials were verified: `t`, `f` or `u` for unknown.
    pub is_verified: String,
    /// The scores. Scores of more than 64 KiB are replaced by a sentence.
    pub scores: Value,
    /// The rules that made the row, such as `fixed/1`; `reference` for rows of OONI's Python backend.
    pub ruleset: String,
    /// SHA-256 of the fingerprint lists that made the row; empty if it is unknown.
    pub fingerprints_sha256: String,
    /// SHA-256 of the body that made the row; empty if it is unknown.
    pub body_sha256: String,
}

/// The body of a measurement as it is kept, which `raw_measurement` returns with `body=stored`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Body {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Number of its bytes.
    pub bytes: u64,
    /// Whether these are the bytes that made the row. Not so if only the line of a submission is left in the archive, or if it
    /// comes from a report in YAML.
    pub is_original: bool,
    /// The report id that the collector added; it replaces that of the body.
    pub report_id: Option<String>,
    /// The result of verifying credentials that the collector added; it replaces that of the body.
    pub is_verified: Option<String>,
}

/// The result of scoring a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// `stored` for a row, `refused` for a row that no store accepts, `discarded` or `rejected`.
    pub outcome: Status,
    /// Why there is no row.
    pub reason: Option<String>,
    /// Signs of interference.
    pub anomaly: Option<bool>,
    /// A fingerprint of blocking was found.
    pub confirmed: Option<bool>,
    /// The measurement failed.
    pub failure: Option<bool>,
    /// The scores. Scores of more than 64 KiB are replaced by a sentence.
    pub scores: Option<Value>,
    /// The rules that fired, in order; at most 100.
    pub fired: Vec<Fired>,
    /// Rules that fired beyond those in `fired`.
    pub fired_omitted: usize,
    /// The fingerprints that were found, in order; at most 100.
    pub fingerprints: Vec<Fingerprint>,
    /// Fingerprints beyond those in `fingerprints`.
    pub fingerprints_omitted: usize,
}

/// A rule that fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fired {
    /// The rule, in a few words.
    pub rule: String,
    /// The key of the scores that it set, or another result.
    pub sets: String,
    /// The values that it read; at most 20.
    pub reads: Vec<Reading>,
    /// Values beyond those in `reads`.
    pub reads_omitted: usize,
}

/// A value that a rule read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// JSON pointer into the body as it is kept.
    pub path: String,
    /// The value; without it, the value is missing. A value of more than 200 bytes is replaced by a description.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "null_or_value")]
    pub value: Option<Value>,
    /// Whether `value` is only a description.
    pub is_cut: bool,
}

/// A fingerprint that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fingerprint {
    /// Its name.
    pub name: String,
    /// Its scope, such as `nat` or `isp`.
    pub scope: String,
    /// Where it is looked for: `dns`, `body` or `header.<name>`.
    pub location_found: String,
    /// How the pattern is compared: `full`, `prefix`, `contains` or `regexp`.
    pub pattern_type: String,
    /// The pattern.
    pub pattern: String,
    /// JSON pointer to the text in which it was found, in the body as it is kept.
    pub path: String,
    /// Byte offset of the match in that text, after decoding the JSON string, and its base64 if it is an object with `data`.
    pub offset: usize,
    /// Further offsets in the same text; at most 20.
    pub also_at: Vec<usize>,
    /// Further offsets beyond those in `also_at`.
    pub also_at_omitted: usize,
    /// Whether it confirms that the measurement was blocked.
    pub confirmed: bool,
    /// Why it does or does not.
    pub why: String,
}

/// The effect of one repair, which `fixed` has and `compat` does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The repair.
    pub repair: String,
    /// The outcome without it, in a few words.
    pub without: String,
    /// The outcome with it.
    pub with: String,
}

/// Whether the row in the store is what this server computes from the body. `null` if that is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agrees {
    /// Whether the row has the values that scoring the body gives.
    pub row: Option<bool>,
    /// Whether the row was made by the rules with which this server scores.
    pub ruleset: Option<bool>,
    /// Whether the row was made with the fingerprint lists that this server has.
    pub fingerprints: Option<bool>,
    /// Whether the SHA-256 of the body is that in the row.
    pub hash: Option<bool>,
    /// Columns in which the row differs from the result.
    pub differing: Vec<String>,
    /// The same in words.
    pub sentence: String,
}

impl Explained {
    /// Without a row and a body.
    pub(super) fn of_server(uid: &str, server: &Server) -> Explained {
        Explained {
            measurement_uid: uid.to_owned(),
            status: Status::Pending,
            reason: None,
            row: None,
            body: None,
            ruleset: server.rules.version().to_owned(),
            fingerprints_sha256: server.fingerprints.list_sha256().to_owned(),
            compared_with: server.rules.name().to_owned(),
            fixed: None,
            compat: None,
            differences: Vec::new(),
            agrees: Agrees { sentence: "There is no row to compare with.".to_owned(), ..Agrees::default() },
        }
    }

    /// Without a row, with the results of scoring, if there are any.
    pub(super) fn of_scored(uid: &str, scored: Option<&ScoredBody>, rules: Rules, server: &Server) -> Explained {
        let differences = scored.map_or(&[][..], |scored| &scored.fixed.differences);
        let differences = differences.iter().map(|difference| Difference {
            repair: difference.repair.to_string(),
            without: cut(&difference.without),
            with: cut(&difference.with),
        });
        Explained {
            compared_with: rules.name().to_owned(),
            fixed: scored.map(|scored| Scored::new(&scored.fixed)),
            compat: scored.map(|scored| Scored::new(&scored.compat)),
            differences: differences.collect(),
            ..Explained::of_server(uid, server)
        }
    }

    /// With a row that is not checked, for the reason in a sentence.
    pub(super) fn of_row(uid: &str, row: &MeasurementSummary, server: &Server, sentence: &str) -> Explained {
        let rules = super::rules_of(&row.ruleset).unwrap_or(server.rules);
        let mut agrees = Agrees::new(row, rules, server, None, None);
        agrees.sentence = sentence.to_owned();
        Explained {
            status: Status::Stored,
            row: Some(Row::new(row)),
            compared_with: rules.name().to_owned(),
            agrees,
            ..Explained::of_server(uid, server)
        }
    }

    /// The result with which the row is compared.
    pub fn compared(&self) -> Option<&Scored> {
        match self.rules() {
            Rules::Fixed => self.fixed.as_ref(),
            Rules::Compat => self.compat.as_ref(),
        }
    }

    /// The rules with whose result the row is compared.
    pub fn rules(&self) -> Rules {
        Rules::named(&self.compared_with).unwrap_or(Rules::Fixed)
    }
}

impl Row {
    /// A row of the store, with its long texts cut.
    pub fn new(row: &MeasurementSummary) -> Row {
        let time = |time| Timestamp::from_date_time(time).iso_text();
        Row {
            report_id: cut(&row.report_id),
            input: cut(&row.input),
            probe_cc: cut(&row.probe_cc),
            probe_asn: row.probe_asn,
            test_name: cut(&row.test_name),
            test_start_time: time(row.test_start_time),
            measurement_start_time: time(row.measurement_start_time),
            anomaly: row.anomaly,
            confirmed: row.confirmed,
            failure: row.failure,
            is_verified: row.is_verified.clone(),
            scores: scores(&row.scores),
            ruleset: row.ruleset.clone(),
            fingerprints_sha256: row.fingerprints_sha256.clone(),
            body_sha256: row.body_sha256.clone(),
        }
    }
}

impl Body {
    pub(super) fn new(stored: &Stored, sha256: String) -> Body {
        let SideRecord { report_id, is_verified } = &stored.side;
        Body {
            sha256,
            bytes: stored.bytes.len() as u64,
            is_original: stored.is_original,
            report_id: report_id.as_deref().map(str::to_owned),
            is_verified: is_verified.map(|is_verified| is_verified.as_str().to_owned()),
        }
    }

    /// What the collector added.
    pub fn side(&self) -> SideRecord<'_> {
        let is_verified = self.is_verified.as_deref().and_then(ooni_core::measurement::IsVerified::of_letter);
        SideRecord { report_id: self.report_id.as_deref().map(Into::into), is_verified }
    }
}

impl Scored {
    /// What scoring gave.
    pub fn new(explanation: &Explanation) -> Scored {
        let mut scored = Scored {
            outcome: Status::Stored,
            reason: None,
            anomaly: None,
            confirmed: None,
            failure: None,
            scores: None,
            fired: explanation.fired.iter().take(MOST_RECORDS).map(Fired::new).collect(),
            fired_omitted: explanation.fired.len().saturating_sub(MOST_RECORDS),
            fingerprints: explanation.fingerprints.iter().take(MOST_RECORDS).map(Fingerprint::new).collect(),
            fingerprints_omitted: explanation.fingerprints.len().saturating_sub(MOST_RECORDS),
        };
        match &explanation.outcome {
            Outcome::Stored { row, .. } => match (row.acceptance(), summary("", row)) {
                (Ok(()), Some(row)) => {
                    (scored.anomaly, scored.confirmed) = (Some(row.anomaly), Some(row.confirmed));
                    (scored.failure, scored.scores) = (Some(row.failure), Some(scores(&row.scores)));
                }
                (refused, _) => {
                    scored.outcome = Status::Refused;
                    scored.reason = refused.err().map(|refused| cut(&refused.to_string()));
                }
            },
            Outcome::Discarded { reason } => {
                scored.outcome = Status::Discarded;
                scored.reason = Some(super::in_words(*reason).to_owned());
            }
            Outcome::Rejected { error } => {
                scored.outcome = Status::Rejected;
                scored.reason = Some(cut(&error.to_string()));
            }
        }
        scored
    }
}

impl Fired {
    fn new(fired: &trace::Fired) -> Fired {
        let reading = |reading: &trace::Reading| Reading {
            path: cut(&reading.path),
            value: reading.value.as_ref().map(|value| serde_json::to_value(value).unwrap_or_default()),
            is_cut: reading.described,
        };
        Fired {
            rule: fired.rule.to_owned(),
            sets: fired.sets.to_owned(),
            reads: fired.reads.iter().take(MOST_VALUES).map(reading).collect(),
            reads_omitted: fired.reads.len().saturating_sub(MOST_VALUES),
        }
    }
}

impl Fingerprint {
    fn new(found: &trace::Found) -> Fingerprint {
        Fingerprint {
            name: found.name.clone(),
            scope: found.scope.clone(),
            location_found: found.location_found.clone(),
            pattern_type: found.pattern_type.clone(),
            pattern: cut(&found.pattern),
            path: cut(&found.path),
            offset: found.offset,
            also_at: found.also_at.iter().copied().take(MOST_VALUES).collect(),
            also_at_omitted: found.also_at.len().saturating_sub(MOST_VALUES),
            confirmed: found.confirmed,
            why: cut(&found.why),
        }
    }
}

impl Agrees {
    /// Compares a row with what this server computes: `differing` columns, unless it does not score the body. `sha256` is that of the body, if it is the one that made the row.
    pub(super) fn new(
        row: &MeasurementSummary,
        rules: Rules,
        server: &Server,
        differing: Option<Vec<&'static str>>,
        sha256: Option<&str>,
    ) -> Agrees {
        let known = |text: &str| !text.is_empty();
        let lists = server.fingerprints.list_sha256();
        let mut agrees = Agrees {
            row: differing.as_ref().map(Vec::is_empty),
            ruleset: known(&row.ruleset).then_some(row.ruleset == server.rules.version()),
            fingerprints: known(&row.fingerprints_sha256).then_some(row.fingerprints_sha256 == lists),
            hash: sha256.filter(|_| known(&row.body_sha256)).map(|sha256| row.body_sha256 == sha256),
            differing: differing.into_iter().flatten().map(str::to_owned).collect(),
            sentence: String::new(),
        };
        agrees.sentence = agrees.in_words(row, rules, server);
        agrees
    }

    fn in_words(&self, row: &MeasurementSummary, rules: Rules, server: &Server) -> String {
        let name = rules.name();
        let mut sentences = Vec::new();
        sentences.push(match self.row {
            None => "The body is too large to be scored again here.".to_owned(),
            Some(true) => format!("The row is what the rules {name} give for the stored body."),
            Some(false) => format!(
                "The row is not what the rules {name} give for the stored body: it differs in {}.",
                self.differing.join(", ")
            ),
        });
        match self.ruleset {
            Some(true) => {}
            Some(false) if row.ruleset == "reference" => sentences
                .push(format!("OONI's Python backend made it; this server scores with {}.", server.rules.version())),
            Some(false) => sentences.push(format!(
                "It was made with the rules {}; this server scores with {}.",
                row.ruleset,
                server.rules.version()
            )),
            None => sentences.push("It does not say by which rules it was made.".to_owned()),
        }
        match self.fingerprints {
            Some(true) => {}
            Some(false) => {
                sentences.push("It was made with other fingerprint lists than those of this server.".to_owned())
            }
            None => sentences.push("It does not say with which fingerprint lists it was made.".to_owned()),
        }
        match self.hash {
            Some(true) => sentences.push("The body is the one that was scored.".to_owned()),
            Some(false) => sentences.push("The body is not the one that was scored: its SHA-256 differs.".to_owned()),
            None if row.body_sha256.is_empty() => {
                sentences.push("It does not say which body was scored, so its SHA-256 cannot be compared.".to_owned());
            }
            None => {
                sentences.push("The body is not kept as it was scored, so its SHA-256 cannot be compared.".to_owned())
            }
        }
        sentences.join(" ")
    }
}

/// A value that is present, which may be null.
fn null_or_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A text, or its beginning.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST_TEXT)])
}

/// Scores as JSON, or as text if they are not JSON, such as NaN.
fn scores(text: &str) -> Value {
    if text.len() > LONGEST_SCORES {
        return Value::String(format!("scores of {} bytes, which are not shown", text.len()));
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
