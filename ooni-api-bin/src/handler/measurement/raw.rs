//! `GET /api/v1/raw_measurement` (API spec §4.3).

use super::lookup::{self, Wanted};
use crate::app::App;
use crate::bodies::{self, Found};
use crate::http::response::{Cache, cached, json, not_kept, of_bytes};
use crate::http::{Error, Request, Response};
use crate::params::invalid;
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// How long an answer may be cached, in seconds.
const MAX_AGE: u32 = 86_400;
/// The same for a measurement that may get a row soon.
const MAX_AGE_FRESH: u32 = 60;

/// The body of a measurement, as it was sent.
///
/// # Errors
/// 400 without a usable id, 404 for a measurement without a body.
#[utoipa::path(
    get,
    path = "/api/v1/raw_measurement",
    tag = "Measurements",
    summary = "Body of a measurement",
    description = "The measurement as the probe sent it, by its `measurement_uid`, or by its `report_id` and `input`. If the measurement \
        is unknown or from an unknown network, the response is an empty object.",
    params(
        ("measurement_uid" = Option<String>, Query, description = "Id of the measurement.", min_length = 10, max_length = 100,
            example = "20250701000000.181572_IT_webconnectivity_7888edc7748936bf"),
        ("report_id" = Option<String>, Query, description = "Id of its report, used if `measurement_uid` is missing or has another length.",
            min_length = 15, max_length = 100, example = "20250701T000000Z_webconnectivity_IT_3269_n1_8swgXi7xNuRUyO9a"),
        ("input" = Option<String>, Query, description = "With `report_id`: the input of the measurement. Default: the measurement without an \
            input.", example = "https://www.example.com/"),
        ("body" = Option<String>, Query, description = "`content` (the default) is the measurement as the probe sent it. `stored` is the body \
            exactly as it is kept, with its envelope: the bytes that the SHA-256 of the row and of the explanation covers.", example = "stored"),
    ),
    responses(
        (status = 200, description = "The measurement, or an empty object. Its keys depend on the test.", content_type = "application/json",
            body = Object, example = json!({"test_name": "web_connectivity", "probe_cc": "IT", "input": "https://www.example.com/",
            "test_keys": {"accessible": true}})),
        (status = 404, description = "The measurement is known, but its body cannot be found.", body = crate::openapi::ErrorBody),
    )
)]
pub async fn raw_measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let wanted = lookup::wanted(request.query())?;
    let is_stored = match request.query().given("body") {
        None | Some("content") => false,
        Some("stored") => true,
        Some(_) => return Err(invalid("body", "content or stored")),
    };
    match lookup::in_time(&app, find(&app, &wanted, is_stored)).await? {
        Found::Body(body) => Ok(cached(of_bytes(StatusCode::OK, "application/json", body), Cache::MaxAge(MAX_AGE))),
        Found::NoBody => Err(Error::not_found("Measurement not found")),
        Found::NoRow => {
            let max_age = if lookup::is_fresh(&app, &wanted) { MAX_AGE_FRESH } else { MAX_AGE };
            Ok(not_kept(cached(json(&json!({})), Cache::MaxAge(max_age))))
        }
    }
}

async fn find(app: &App, wanted: &Wanted, is_stored: bool) -> Result<Found, Error> {
    let (uid, found) = match wanted {
        Wanted::Uid(uid) => (uid.clone(), bodies::find(app, uid, lookup::is_shown).await?),
        Wanted::Report { .. } => match lookup::row(app, wanted).await? {
            Some(row) => {
                let found = bodies::of_row(app, &row.measurement_uid).await?;
                (row.measurement_uid, found)
            }
            None => return Ok(Found::NoRow),
        },
    };
    if !is_stored || !matches!(found, Found::Body(_)) {
        return Ok(found);
    }
    let record = bodies::record(app, &uid).await?;
    Ok(bodies::stored(app, &uid, record).await?.map_or(Found::NoBody, |stored| Found::Body(stored.bytes)))
}
