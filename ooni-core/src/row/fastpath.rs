//! The parts that the columns of `fastpath` are derived from (scoring spec §10).

use super::field::{date, probe_asn};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Kind, MAX_DEPTH, Value};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python::is_truthy;
use crate::python_text;
use crate::rules::Ruleset;
use crate::scores::Scores;
use crate::time::DateTime;
use crate::url::netloc;
use std::sync::Arc;

/// The parts that the columns of a row are derived from, including every value whose derivation can fail.
pub(super) struct FastpathParts<'m, 'a> {
    pub(super) measurement: &'m Measurement<'a>,
    /// Of the annotations.
    pub(super) platform: Field<'a>,
    pub(super) architecture: Field<'a>,
    pub(super) engine_name: Field<'a>,
    pub(super) engine_version: Field<'a>,
    /// Of `test_helpers.backend`.
    pub(super) test_helper_address: Field<'a>,
    pub(super) test_helper_type: Field<'a>,
    pub(super) measurement_uid: &'m str,
    pub(super) test_name: Value<'a>,
    pub(super) input: Json,
    pub(super) domain: Json,
    pub(super) probe_asn: Int,
    pub(super) test_start_time: DateTime,
    pub(super) measurement_start_time: DateTime,
    pub(super) anomaly: bool,
    pub(super) confirmed: bool,
    pub(super) msm_failure: bool,
    pub(super) blocking_type: Json,
    pub(super) scores: Scores,
    pub(super) ooni_run_link_id: Option<Int>,
    pub(super) ruleset: &'m Arc<Ruleset>,
}

impl<'m, 'a> FastpathParts<'m, 'a> {
    /// Derives the parts of the row of a scored measurement.
    ///
    /// # Errors
    /// `E-KEY`, `E-TYPE`, `E-VALUE` and `E-ASSERT` for a field from which a column cannot be derived, with its path.
    pub(super) fn new(
        measurement: &'m Measurement<'a>,
        measurement_uid: &'m str,
        scores: Scores,
        ruleset: &'m Arc<Ruleset>,
    ) -> Result<FastpathParts<'m, 'a>, Error> {
        check_depth(&scores)?;
        let [platform, architecture, engine_name, engine_version, ooni_run_link_id] = measurement
            .annotations()
            .fields(["platform", "architecture", "engine_name", "engine_version", "ooni_run_link_id"]);
        let test_helper = measurement.field("test_helpers").value().field("backend").value();
        let [test_helper_address, test_helper_type] = test_helper.fields(["address", "type"]);
        // The order decides which of several errors is reported.
        let ooni_run_link_id = run_link_id(ooni_run_link_id)?;
        let test_name = measurement.field("test_name").value();
        let (input, domain) = input_and_domain(measurement.field("input").value(), test_name)?;
        let probe_asn = probe_asn(measurement)?;
        let measurement_start_time = date(measurement, "measurement_start_time")?;
        let test_start_time = date(measurement, "test_start_time")?;
        Ok(FastpathParts {
            measurement,
            platform,
            architecture,
            engine_name,
            engine_version,
            test_helper_address,
            test_helper_type,
            measurement_uid,
            test_name,
            input,
            domain,
            probe_asn,
            test_start_time,
            measurement_start_time,
            anomaly: scores.is_anomaly(),
            confirmed: scores.is_confirmed(),
            msm_failure: scores.is_failure(),
            blocking_type: scores.blocking_type().cloned().unwrap_or(Json::from("")),
            scores,
            ooni_run_link_id,
            ruleset,
        })
    }
}

/// The reference cannot write scores that are nested deeper than it reads (scoring spec §14). Copied values may be.
fn check_depth(scores: &Scores) -> Result<(), Error> {
    match scores.entries().any(|(_, value)| value.depth() >= MAX_DEPTH) {
        true => Err(Error::new(Code::Value, "", format!("scores nested deeper than {MAX_DEPTH} levels"))),
        false => Ok(()),
    }
}

/// `ooni_run_link_id` of the annotations (scoring spec §10.5).
fn run_link_id(field: Field<'_>) -> Result<Option<Int>, Error> {
    let value = field.if_null(Value::EMPTY_TEXT);
    match value.kind() {
        Kind::Text => Ok(value.text().and_then(|text| python_text::to_int(&text))),
        Kind::Int => Ok(value.int()),
        Kind::Bool => Ok(Some(Int::from(i64::from(value.is_true())))),
        Kind::Float => match value.float() {
            Some(float) if float.is_infinite() => {
                Err(Error::new(Code::Value, value.path(), "expected an integer, found an infinite number"))
            }
            float => Ok(float.and_then(Int::from_f64_truncated)),
        },
        Kind::Null | Kind::Array | Kind::Object | Kind::Foreign => Err(value.wrong_kind("a number or string")),
    }
}

/// The stored form of `input` and its host (scoring spec §10.1).
fn input_and_domain(input: Value<'_>, test_name: Value<'_>) -> Result<(Json, Json), Error> {
    if !is_truthy(input) {
        return Ok((Json::from(""), Json::from("")));
    }
    if input.is_array() && test_name.is_text("meek_fronted_requests_test") {
        return joined(input);
    }
    let Some(text) = input.text() else {
        return Err(Error::new(
            Code::Assert,
            input.path(),
            format!("expected a string, found {}", input.kind().name()),
        ));
    };
    let domain = netloc(&text).map_err(|error| Error::new(Code::Value, input.path(), error.to_string()))?;
    let domain = Json::Text(domain.into_owned());
    Ok((Json::Text(text.into_owned()), domain))
}

/// The two inputs of `meek_fronted_requests_test` as one text; the first is the domain.
fn joined(input: Value<'_>) -> Result<(Json, Json), Error> {
    let items = input
        .elements()
        .map(|item| item.text().ok_or_else(|| item.wrong_kind("a string")))
        .collect::<Result<Vec<_>, _>>()?;
    let domain = items.first().map(|first| first.to_vec()).unwrap_or_default();
    Ok((Json::Text([b"{", &*items.join(&b','), b"}"].concat()), Json::Text(domain)))
}
