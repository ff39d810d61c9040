//! `GET /api/v1/measurement_meta` (API spec §4.2).

mod embedded;

use self::embedded::Embedded;
use super::list::verification_status;
use super::lookup::{self, Wanted};
use crate::app::App;
use crate::bodies::{self, Found};
use crate::http::response::{Cache, cached, json, not_kept, of_bytes};
use crate::http::{Error, Request, Response};
use crate::params;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use ooni_core::time::DateTime;
use ooni_store::query::list::MeasurementSummary;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long an answer may be cached, in seconds.
const MAX_AGE: u32 = 60;
/// An answer with a body up to this size is one part, so that its length is known.
const AT_ONCE: usize = 256 << 10;

/// Metadata of a measurement.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeasurementMeta {
    /// Interference is suspected.
    anomaly: bool,
    /// Category of the input in a test list; empty if no list has the input, null if there is no input to look for.
    #[schema(example = "NEWS", required = true)]
    category_code: Option<String>,
    /// A blocking fingerprint matched.
    confirmed: bool,
    /// The measurement failed.
    failure: bool,
    /// What was measured, such as a URL; empty for a test without an input.
    #[schema(example = "https://www.example.com/")]
    input: String,
    /// Start of the measurement.
    #[schema(example = "2025-07-01T00:00:00Z", format = DateTime)]
    measurement_start_time: String,
    /// Id of the measurement.
    #[schema(example = "20250701000000.181572_IT_webconnectivity_7888edc7748936bf")]
    measurement_uid: String,
    /// Network of the probe, without `AS`.
    #[schema(example = 3269)]
    probe_asn: u32,
    /// Country of the probe.
    #[schema(example = "IT")]
    probe_cc: String,
    /// Id of its report.
    #[schema(example = "20250701T000000Z_webconnectivity_IT_3269_n1_8swgXi7xNuRUyO9a")]
    report_id: String,
    /// Scores, as the text of a JSON object.
    #[schema(example = "{\"blocking_general\":1.0,\"blocking_local\":0.0}")]
    scores: String,
    /// The test.
    #[schema(example = "web_connectivity")]
    test_name: String,
    /// Start of the test.
    #[schema(example = "2025-07-01T00:00:00Z", format = DateTime)]
    test_start_time: String,
    /// Whether its anonymous credential was checked: `verified`, `failed` or `unverified`.
    #[schema(example = "unverified")]
    verification_status: &'static str,
    /// With `full=true`: the body, as the text of a JSON document; empty if it cannot be read.
    // It is embedded when the answer is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_measurement: Option<String>,
}

/// The answer of `measurement_meta`.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "only describes an answer")]
enum MeasurementMetaOrMiss {
    /// The measurement.
    Found(MeasurementMeta),
    /// It is unknown or not public.
    Missing(MissingMeta),
}

/// A measurement that is unknown or not public.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MissingMeta {
    /// With `full=true`: empty, or the body of a measurement that is not scored yet.
    raw_measurement: Option<String>,
}

impl MeasurementMeta {
    /// `has_input` is whether the measurement was asked for by an input, or by its uid.
    fn new(row: MeasurementSummary, has_input: bool) -> MeasurementMeta {
        MeasurementMeta {
            anomaly: row.anomaly,
            category_code: row.category_code.filter(|_| has_input),
            confirmed: row.confirmed,
            failure: row.failure,
            input: row.input,
            measurement_start_time: seconds(row.measurement_start_time),
            measurement_uid: row.measurement_uid,
            probe_asn: row.probe_asn,
            probe_cc: row.probe_cc,
            report_id: row.report_id,
            scores: row.scores,
            test_name: row.test_name,
            test_start_time: seconds(row.test_start_time),
            verification_status: verification_status(&row.is_verified),
            raw_measurement: None,
        }
    }
}

fn seconds(time: DateTime) -> String {
    format!("{}Z", time.to_string().replace(' ', "T"))
}

/// Metadata of a measurement.
///
/// # Errors
/// 400 without a usable id, 503 and 504 if the store cannot be read.
#[utoipa::path(
    get,
    path = "/api/v1/measurement_meta",
    tag = "Measurements",
    summary = "Metadata of a measurement",
    description = "Metadata of one measurement, by its `measurement_uid`, or by its `report_id` and `input`; with `full=true`, its body as well. \
        If the measurement is unknown or from an unknown network, the response is an empty object; with `full=true` it has an empty \
        `raw_measurement`.",
    params(
        ("measurement_uid" = Option<String>, Query, description = "Id of the measurement.", min_length = 10, max_length = 100,
            example = "20250701000000.181572_IT_webconnectivity_7888edc7748936bf"),
        ("report_id" = Option<String>, Query, description = "Id of its report, used if `measurement_uid` is missing or has another length.",
            min_length = 15, max_length = 100, example = "20250701T000000Z_webconnectivity_IT_3269_n1_8swgXi7xNuRUyO9a"),
        ("input" = Option<String>, Query, description = "With `report_id`: the input of the measurement. Default: the measurement without an \
            input.", example = "https://www.example.com/"),
        ("full" = Option<bool>, Query, description = "Whether the answer has `raw_measurement`. Default: `false`.", example = true),
    ),
    responses((status = 200, description = "The metadata, or an empty object.", content(
        (inline(MeasurementMetaOrMiss) = "application/json"),
    )))
)]
pub async fn measurement_meta(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let wanted = lookup::wanted(request.query())?;
    let is_full = params::boolean(request.query(), "full")?.unwrap_or(false);
    let response = lookup::in_time(&app, meta(&app, &wanted, is_full)).await?;
    Ok(cached(response, Cache::MaxAge(MAX_AGE)))
}

async fn meta(app: &App, wanted: &Wanted, is_full: bool) -> Result<Response, Error> {
    let Some(row) = lookup::row(app, wanted).await? else { return miss(app, wanted, is_full).await };
    let body = if is_full { Some(bodies::of_row(app, &row.measurement_uid).await) } else { None };
    let has_input = !matches!(wanted, Wanted::Report { input, .. } if input.is_empty());
    let meta = MeasurementMeta::new(row, has_input);
    Ok(match body {
        None => json(&meta),
        Some(Ok(Found::Body(body))) => with_body(&meta, body),
        // The body may become available soon.
        Some(_) => not_kept(json(&MeasurementMeta { raw_measurement: Some(String::new()), ..meta })),
    })
}

/// An empty object. If the measurement is in the log and not scored yet, its body is known all the same.
async fn miss(app: &App, wanted: &Wanted, is_full: bool) -> Result<Response, Error> {
    let empty = serde_json::Map::new();
    let body = match wanted {
        _ if !is_full => return Ok(not_kept(json(&empty))),
        Wanted::Uid(uid) if app.intake.find(uid).await.is_ok_and(|record| record.is_some()) => {
            bodies::find(app, uid, lookup::is_shown).await
        }
        _ => Ok(Found::NoRow),
    };
    let body = if let Ok(Found::Body(body)) = body { body } else { Bytes::new() };
    Ok(not_kept(with_body(&empty, body)))
}

/// An object with a body as a text in it.
fn with_body(object: &impl Serialize, body: Bytes) -> Response {
    let is_small = body.len() <= AT_ONCE;
    let embedded = Embedded::new(object, "raw_measurement", body);
    if is_small {
        let parts: Vec<_> = Iterator::collect(embedded);
        return of_bytes(StatusCode::OK, "application/json", parts.concat());
    }
    let mut response = Response::new(embedded.map_err(|never| match never {}).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
