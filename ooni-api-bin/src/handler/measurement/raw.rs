//! `GET /api/v1/raw_measurement` (API spec §4.3).

use super::lookup::{self, Wanted};
use crate::app::App;
use crate::bodies::{self, Found};
use crate::http::response::{Cache, cached, json, of_bytes};
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use ooni_store::query::list::MeasurementSummary;
use serde_json::json;
use std::sync::Arc;

/// How long an answer may be cached, in seconds.
const MAX_AGE: u32 = 86_400;
/// The same for a measurement that may get a row soon.
const MAX_AGE_FRESH: u32 = 60;
/// The age of a uid or report in seconds up to which that is so.
const FRESH: f64 = 3600.0;

/// The body of a measurement, as it was sent.
///
/// # Errors
/// 400 without a usable id, 404 for a measurement without a body.
#[utoipa::path(
    get,
    path = "/api/v1/raw_measurement",
    tag = "Measurements",
    responses((status = 200, description = ""))
)]
pub async fn raw_measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let wanted = lookup::wanted(request.query())?;
    let found = match &wanted {
        Wanted::Uid(uid) => bodies::find(&app, uid, is_shown).await?,
        Wanted::Report { report_id, input } => {
            match app.stores.measurements()?.find_in_report(report_id, input).await?.filter(is_shown) {
                Some(row) => bodies::of_row(&app, &row.measurement_uid).await?,
                None => Found::NoRow,
            }
        }
    };
    match found {
        Found::Body(body) => Ok(cached(of_bytes(StatusCode::OK, "application/json", body), Cache::MaxAge(MAX_AGE))),
        Found::NoBody => Err(Error::not_found("Measurement not found")),
        Found::NoRow => {
            let is_fresh = wanted.time().is_some_and(|time| app.clock.now().seconds_since(time) < FRESH);
            Ok(cached(json(&json!({})), Cache::MaxAge(if is_fresh { MAX_AGE_FRESH } else { MAX_AGE })))
        }
    }
}

/// Whether the measurement of a row is public.
fn is_shown(row: &MeasurementSummary) -> bool {
    row.probe_asn != 0
}
