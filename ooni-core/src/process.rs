//! Processes one measurement, from bytes to an outcome (scoring spec §3).
//!
//! [`process`] runs all steps. [`Scorer`] does the same for many measurements, reuses its buffers, and accepts values that
//! have already been parsed, so that container readers need not parse them twice.

use crate::error::{Code, Error};
use crate::fingerprint::{Fingerprints, Scratch};
use crate::json::{Document, Reader, SingleText, Value};
use crate::measurement::{Measurement, Replaced, SideRecord};
use crate::nettest::{self, Context};
use crate::python::is_truthy;
use crate::row::{FastpathRow, OpenvpnRow};
use crate::rules::{Repairs, Rules, Ruleset};
use crate::scores::Scores;
use crate::text::upper;
use crate::time::DateTime;
use crate::trace::Trace;
use crate::uid;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// The result of processing a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum Outcome {
    /// It has a row. [`FastpathRow::acceptance`] checks whether a typed store accepts it.
    Stored {
        /// The row of `fastpath`.
        row: Box<FastpathRow>,
        /// The row of `obs_openvpn`, for measurements of that test.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        openvpn: Option<Box<OpenvpnRow>>,
    },
    /// It is discarded on purpose.
    Discarded {
        /// Why.
        reason: Discard,
    },
    /// It is invalid.
    Rejected {
        /// The error and its position.
        error: Error,
    },
}

/// Why a measurement is discarded on purpose (scoring spec §3, steps 5 to 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// It has no report ID.
    NoReportId,
    /// The country of the probe is unknown: `ZZ`.
    UnknownCountry,
    /// The network of the probe is unknown: `AS0`.
    UnknownNetwork,
}

impl Discard {
    /// Every reason.
    pub const ALL: [Discard; 3] = [Discard::NoReportId, Discard::UnknownCountry, Discard::UnknownNetwork];

    /// The reason in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Discard::NoReportId => "no_report_id",
            Discard::UnknownCountry => "unknown_country",
            Discard::UnknownNetwork => "unknown_network",
        }
    }

    /// The field that is checked.
    pub const fn field(self) -> &'static str {
        match self {
            Discard::NoReportId => "report_id",
            Discard::UnknownCountry => "probe_cc",
            Discard::UnknownNetwork => "probe_asn",
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Processes one measurement or POST body: parse, open the envelope, discard, score, derive the row.
///
/// `uid` is the measurement's UID. If it contains a receive time, the start of the measurement is compared with it.
pub fn process(bytes: &[u8], uid: &str, fingerprints: &Fingerprints, rules: Rules) -> Outcome {
    process_with(bytes, uid, &SideRecord::EMPTY, fingerprints, rules)
}

/// Processes one measurement or POST body that has a side record; see [`process`].
pub fn process_with(
    bytes: &[u8],
    uid: &str,
    side: &SideRecord<'_>,
    fingerprints: &Fingerprints,
    rules: Rules,
) -> Outcome {
    let mut reader = Reader::new();
    let scorer = Scorer::new(fingerprints, rules);
    match reader.read(bytes) {
        Ok(document) => scorer.process_with(document.root(), uid, side),
        Err(error) => Outcome::Rejected { error: error.into() },
    }
}

/// Scores a measurement by the rule of its test (scoring spec §7), without checking dates, discarding or deriving a row.
///
/// # Errors
/// A value that the rule cannot handle, with its path.
pub fn score_measurement(
    measurement: &Measurement<'_>,
    fingerprints: &Fingerprints,
    rules: Rules,
) -> Result<Scores, Error> {
    nettest::score(&Context::new(*measurement, fingerprints, rules.repairs(), Scratch::default(), None))
}

/// Processes measurements and reuses its buffers.
#[derive(Debug)]
pub struct Scorer<'f> {
    fingerprints: &'f Fingerprints,
    repairs: Repairs,
    ruleset: Arc<Ruleset>,
    scratch: RefCell<Scratch>,
}

impl<'f> Scorer<'f> {
    /// A scorer with these lists and rules.
    pub fn new(fingerprints: &'f Fingerprints, rules: Rules) -> Scorer<'f> {
        Scorer {
            fingerprints,
            repairs: rules.repairs(),
            ruleset: Arc::new(Ruleset::new(rules, fingerprints.list_sha256())),
            scratch: RefCell::default(),
        }
    }

    /// The ruleset of its rows.
    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.ruleset
    }

    /// Processes a value that has been parsed: a measurement, with or without an envelope.
    pub fn process(&self, value: Value<'_>, uid: &str) -> Outcome {
        self.process_with(value, uid, &SideRecord::EMPTY)
    }

    /// Processes a value that has been parsed, and that has a side record.
    ///
    /// The record's `report_id` replaces the measurement's before anything is checked, so a measurement that has none is
    /// not discarded.
    pub fn process_with(&self, value: Value<'_>, uid: &str, side: &SideRecord<'_>) -> Outcome {
        self.process_traced(value, uid, side, None)
    }

    /// The same scorer with other repairs.
    pub(crate) fn with_repairs(&self, repairs: Repairs) -> Scorer<'f> {
        Scorer { repairs, ruleset: Arc::clone(&self.ruleset), scratch: RefCell::default(), ..*self }
    }

    pub(crate) fn process_traced(
        &self,
        value: Value<'_>,
        uid: &str,
        side: &SideRecord<'_>,
        trace: Option<&Trace>,
    ) -> Outcome {
        let text = side.report_id.as_deref().map(SingleText::new);
        let document = text.as_ref().map(|text| text.document("/report_id"));
        let with = Replaced { report_id: document.as_ref().map(Document::root), is_verified: side.is_verified };
        self.outcome(value, uid, with, trace).unwrap_or_else(|error| Outcome::Rejected { error })
    }

    /// Steps 1, 3 and 4 of scoring spec §3, then the others.
    fn outcome(
        &self,
        value: Value<'_>,
        uid: &str,
        with: Replaced<'_>,
        trace: Option<&Trace>,
    ) -> Result<Outcome, Error> {
        if uid.is_empty() {
            return Err(Error::new(Code::Assert, "", "the measurement has an empty uid"));
        }
        match Measurement::new(value) {
            Err(error) if error.code == Code::Value => self.process_yaml(value, error, uid, with, trace),
            measurement => self.process_measurement(measurement?.replace(with), uid, trace),
        }
    }

    /// Processes an envelope whose content is YAML.
    #[cfg(feature = "legacy-yaml")]
    fn process_yaml(
        &self,
        value: Value<'_>,
        _: Error,
        uid: &str,
        with: Replaced<'_>,
        trace: Option<&Trace>,
    ) -> Result<Outcome, Error> {
        let content = value.field("content").value();
        let yaml = content.text().ok_or_else(|| content.wrong_kind("a string"))?;
        let limits = crate::json::Limits::default();
        let text = crate::normalize::document(&yaml, limits).map_err(|error| match error.code {
            Code::Limit => Error { path: content.path(), ..error },
            _ => Error::new(Code::Value, content.path(), error.message),
        })?;
        let mut reader = Reader::with_limits(limits);
        let document = reader.read_normalized(&text)?.at("/content");
        let is_verified = value.field("is_verified").value();
        let measurement = Measurement::of_content(document.root(), is_verified)?;
        self.process_measurement(measurement.replace(with), uid, trace)
    }

    #[cfg(not(feature = "legacy-yaml"))]
    fn process_yaml(
        &self,
        _: Value<'_>,
        error: Error,
        _: &str,
        _: Replaced<'_>,
        _: Option<&Trace>,
    ) -> Result<Outcome, Error> {
        Err(error)
    }

    fn process_measurement(
        &self,
        measurement: Measurement<'_>,
        uid: &str,
        trace: Option<&Trace>,
    ) -> Result<Outcome, Error> {
        let context = Context::new(measurement, self.fingerprints, self.repairs, self.scratch.take(), trace);
        let outcome = self.score(&context, uid);
        self.scratch.replace(context.into_scratch());
        outcome
    }

    /// Steps 5 to 13.
    fn score(&self, context: &Context<'_>, uid: &str) -> Result<Outcome, Error> {
        let measurement = context.measurement();
        if let Some(reason) = discard(measurement)? {
            context.fired(
                "measurements with this value are discarded",
                "outcome",
                &[&measurement.field(reason.field())],
            );
            return Ok(Outcome::Discarded { reason });
        }
        let mut scores = nettest::score(context)?;
        flag_wrong_date(context, uid, &mut scores)?;
        if measurement.content().document_has_foreign() && scores.has_foreign() {
            return Err(Error::new(Code::Type, "", "the scores contain a value that JSON cannot represent"));
        }
        let row = FastpathRow::derive(measurement, uid, scores, &self.ruleset)?;
        let openvpn = row.test_name.as_str() == Some("openvpn");
        let openvpn = openvpn.then(|| Box::new(OpenvpnRow::derive(measurement, &row)));
        Ok(Outcome::Stored { row: Box::new(row), openvpn })
    }
}

/// Whether the measurement is discarded on purpose (scoring spec §3, steps 5 to 7).
///
/// # Errors
/// The country or the network is not a string.
pub fn discard(measurement: &Measurement<'_>) -> Result<Option<Discard>, Error> {
    if measurement.field("report_id").is_null() {
        return Ok(Some(Discard::NoReportId));
    }
    let reads = |key, wanted: &[u8]| {
        let value = measurement.field(key).if_missing(Value::EMPTY_TEXT);
        match value.text() {
            Some(text) => Ok(&*upper(&text) == wanted),
            None => Err(value.wrong_kind("a string")),
        }
    };
    Ok(if reads("probe_cc", b"ZZ")? {
        Some(Discard::UnknownCountry)
    } else if reads("probe_asn", b"AS0")? {
        Some(Discard::UnknownNetwork)
    } else {
        None
    })
}

/// Flags a measurement whose start contradicts its receive time (scoring spec §8).
fn flag_wrong_date(context: &Context<'_>, uid: &str, scores: &mut Scores) -> Result<(), Error> {
    let Some(received) = uid::received_at(uid) else { return Ok(()) };
    let field = context.field("measurement_start_time");
    let value = field.value();
    if !is_truthy(value) {
        return Ok(());
    }
    let text = value.text().ok_or_else(|| value.wrong_kind("a string"))?;
    let wrong = DateTime::parse(&text).and_then(|start| uid::wrong_start(received, start));
    if let Some(wrong) = wrong {
        context.fired(wrong.message(), "accuracy", &[&field]);
        scores.inaccurate();
        scores.set("msg", wrong.message());
    }
    Ok(())
}
