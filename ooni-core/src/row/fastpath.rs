//! [`FastpathRow`]: the row of the table `fastpath` (scoring spec §10).

use super::column::write_object;
use super::{Column, date, or_empty, probe_asn};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Kind, MAX_DEPTH, Value};
use crate::measurement::{IsVerified, Measurement};
use crate::number::Int;
use crate::python::is_truthy;
use crate::python_text;
use crate::rules::Ruleset;
use crate::scores::Scores;
use crate::time::DateTime;
use crate::url::netloc;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One scored measurement. Columns of type [`Json`] hold what the probe sent, a string in every sound measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FastpathRow {
    /// Id of the measurement, given by the collector or derived from its bytes.
    pub measurement_uid: String,
    /// Id of the report that the measurement belongs to.
    pub report_id: Json,
    /// What was tested, mostly a URL; `""` for tests without one.
    pub input: Json,
    /// Country of the probe, two letters as the probe sent them.
    pub probe_cc: Json,
    /// Number of the probe's network.
    pub probe_asn: Int,
    /// Name of the test.
    pub test_name: Json,
    /// When the report was begun, UTC by the probe's clock.
    pub test_start_time: DateTime,
    /// When the measurement was begun, UTC by the probe's clock.
    pub measurement_start_time: DateTime,
    /// What the rule made of it.
    pub scores: Scores,
    /// Operating system of the probe; `unset` when not said.
    pub platform: Json,
    /// More than 0.5 of general blocking.
    #[serde(with = "flag")]
    pub anomaly: bool,
    /// A fingerprint of blocking was found that counts for this country, or for any.
    #[serde(with = "flag")]
    pub confirmed: bool,
    /// The measurement itself failed: its scores say nothing.
    #[serde(with = "flag")]
    pub msm_failure: bool,
    /// How it was blocked, of `web_connectivity`: `dns`, `tcp_ip`, `http-diff`, `http-failure` or `""`.
    pub blocking_type: Json,
    /// Host of a URL in `input`, with port and user as written; else `""`.
    pub domain: Json,
    /// Program that measured.
    pub software_name: Json,
    /// Version of the program.
    pub software_version: Json,
    /// Version of the test.
    pub test_version: Json,
    /// Time that the test took, seconds.
    pub test_runtime: Json,
    /// Processor of the probe.
    pub architecture: Json,
    /// Name of the measurement engine.
    pub engine_name: Json,
    /// Version of the measurement engine.
    pub engine_version: Json,
    /// Address of the test helper.
    pub test_helper_address: Json,
    /// Type of the test helper, such as `https`.
    pub test_helper_type: Json,
    /// Id of the OONI Run link that started the test.
    pub ooni_run_link_id: Option<Int>,
    /// Whether the probe's credentials were verified.
    pub is_verified: IsVerified,
    /// What the row was made by.
    #[serde(default)]
    pub ruleset: Arc<Ruleset>,
}

impl FastpathRow {
    /// Derives the row of a measurement that has been scored (scoring spec §10).
    ///
    /// # Errors
    /// `E-KEY`, `E-TYPE`, `E-VALUE` and `E-ASSERT` for fields that a row cannot be made of, at their place.
    pub(crate) fn derive(
        measurement: &Measurement<'_>,
        measurement_uid: &str,
        scores: Scores,
        ruleset: &Arc<Ruleset>,
    ) -> Result<FastpathRow, Error> {
        check_depth(&scores)?;
        let annotations = measurement.annotations();
        // In this order: it decides which of several errors is told.
        let ooni_run_link_id = run_link_id(annotations.field("ooni_run_link_id"))?;
        let test_name = measurement.field("test_name").value();
        let (input, domain) = input_and_domain(measurement.field("input").value(), test_name)?;
        let probe_asn = probe_asn(measurement)?;
        let measurement_start_time = date(measurement, "measurement_start_time")?;
        let test_start_time = date(measurement, "test_start_time")?;
        let (test_helper_address, test_helper_type) = test_helper(measurement);
        Ok(FastpathRow {
            measurement_uid: measurement_uid.to_owned(),
            report_id: or_empty(measurement.field("report_id")),
            input,
            probe_cc: or_empty(measurement.field("probe_cc")),
            probe_asn,
            test_name: if is_truthy(test_name) { test_name.to_json() } else { Json::from("") },
            test_start_time,
            measurement_start_time,
            platform: match annotations.field("platform") {
                platform if platform.is_null() => Json::from("unset"),
                platform => platform.value().to_json(),
            },
            anomaly: scores.is_anomaly(),
            confirmed: scores.is_confirmed(),
            msm_failure: scores.is_failure(),
            blocking_type: scores.blocking_type().cloned().unwrap_or(Json::from("")),
            scores,
            domain,
            software_name: or_empty(measurement.field("software_name")),
            software_version: or_empty(measurement.field("software_version")),
            test_version: or_empty(measurement.field("test_version")),
            test_runtime: match measurement.field("test_runtime") {
                runtime if runtime.is_null() => Json::Float(0.0),
                runtime => runtime.value().to_json(),
            },
            architecture: or_empty(annotations.field("architecture")),
            engine_name: or_empty(annotations.field("engine_name")),
            engine_version: or_empty(annotations.field("engine_version")),
            test_helper_address,
            test_helper_type,
            ooni_run_link_id,
            is_verified: measurement.is_verified(),
            ruleset: Arc::clone(ruleset),
        })
    }

    /// The 26 columns of the table in its order.
    pub fn columns(&self) -> [(&'static str, Column<'_>); 26] {
        [
            ("measurement_uid", Column::Text(&self.measurement_uid)),
            ("report_id", Column::Json(&self.report_id)),
            ("input", Column::Json(&self.input)),
            ("probe_cc", Column::Json(&self.probe_cc)),
            ("probe_asn", Column::Int(&self.probe_asn)),
            ("test_name", Column::Json(&self.test_name)),
            ("test_start_time", Column::Time(self.test_start_time)),
            ("measurement_start_time", Column::Time(self.measurement_start_time)),
            ("scores", Column::Scores(&self.scores)),
            ("platform", Column::Json(&self.platform)),
            ("anomaly", Column::flag(self.anomaly)),
            ("confirmed", Column::flag(self.confirmed)),
            ("msm_failure", Column::flag(self.msm_failure)),
            ("blocking_type", Column::Json(&self.blocking_type)),
            ("domain", Column::Json(&self.domain)),
            ("software_name", Column::Json(&self.software_name)),
            ("software_version", Column::Json(&self.software_version)),
            ("test_version", Column::Json(&self.test_version)),
            ("test_runtime", Column::Json(&self.test_runtime)),
            ("architecture", Column::Json(&self.architecture)),
            ("engine_name", Column::Json(&self.engine_name)),
            ("engine_version", Column::Json(&self.engine_version)),
            ("test_helper_address", Column::Json(&self.test_helper_address)),
            ("test_helper_type", Column::Json(&self.test_helper_type)),
            ("ooni_run_link_id", self.ooni_run_link_id.as_ref().map_or(Column::Null, Column::Int)),
            ("is_verified", Column::Text(self.is_verified.as_str())),
        ]
    }

    /// Appends the columns as a JSON object in the reference's form (scoring spec §14).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_object(&self.columns(), out);
    }
}

/// The reference cannot write scores that nest deeper than it reads (scoring spec §14), which copied values can.
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
                Err(Error::new(Code::Value, value.path(), "an infinite number where a whole one is needed"))
            }
            float => Ok(float.and_then(Int::from_f64_truncated)),
        },
        Kind::Null | Kind::Array | Kind::Object | Kind::Foreign => Err(value.wrong_kind("a number or string")),
    }
}

/// `input` as it is stored and the host in it (scoring spec §10.1).
fn input_and_domain(input: Value<'_>, test_name: Value<'_>) -> Result<(Json, Json), Error> {
    if !is_truthy(input) {
        return Ok((Json::from(""), Json::from("")));
    }
    if input.is_array() && test_name.is_text("meek_fronted_requests_test") {
        return joined(input);
    }
    let Some(text) = input.text() else {
        return Err(Error::new(Code::Assert, input.path(), format!("the input is {}", input.kind().name())));
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

/// Address and type of the test helper; both empty unless all is in order (scoring spec §10.4).
fn test_helper(measurement: &Measurement<'_>) -> (Json, Json) {
    let helpers = measurement.field("test_helpers").value();
    let backend = helpers.field("backend").value();
    (or_empty(backend.field("address")), or_empty(backend.field("type")))
}

/// Flags are `"t"` and `"f"`.
mod flag {
    use serde::de::{Deserialize, Deserializer, Error, Unexpected};
    use serde::ser::Serializer;

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(super) fn serialize<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if *value { "t" } else { "f" })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match &*String::deserialize(deserializer)? {
            "t" => Ok(true),
            "f" => Ok(false),
            other => Err(D::Error::invalid_value(Unexpected::Str(other), &"t or f")),
        }
    }
}
