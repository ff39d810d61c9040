//! `GET /api/v1/raw_measurement` (API spec §4.3).

use super::lookup;
use crate::app::App;
use crate::bodies;
use crate::http::response::{Cache, cached, json, of_bytes};
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// How long an answer may be cached, in seconds.
const MAX_AGE: Cache = Cache::MaxAge(86_400);

/// The body of a measurement, as it was sent.
///
/// # Errors
/// 400 without a usable id, 404 for a row without a body.
pub async fn raw_measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let wanted = lookup::wanted(request.query())?;
    let store = app.stores.measurements();
    let row = match (&wanted, store) {
        (lookup::Wanted::Uid(uid), Ok(store)) => store.find(uid).await?,
        (lookup::Wanted::Report { report_id, input }, Ok(store)) => store.find_in_report(report_id, input).await?,
        // A measurement that is still in the log can be returned without the store.
        (lookup::Wanted::Uid(_), Err(_)) => None,
        (lookup::Wanted::Report { .. }, Err(error)) => return Err(error),
    };
    let (uid, has_row) = match (&row, &wanted) {
        (Some(row), _) if row.probe_asn == 0 => return Ok(nothing()),
        (Some(row), _) => (&row.measurement_uid, true),
        (None, lookup::Wanted::Uid(uid)) => (uid, false),
        (None, lookup::Wanted::Report { .. }) => return Ok(nothing()),
    };
    match bodies::measurement(&app, uid, has_row).await {
        Ok(Some(body)) => Ok(cached(of_bytes(StatusCode::OK, "application/json", body), MAX_AGE)),
        Ok(None) if has_row => Err(Error::not_found("Measurement not found")),
        Ok(None) => Ok(nothing()),
        Err(error) => Err(error),
    }
}

/// The answer for a measurement that has no row.
fn nothing() -> Response {
    cached(json(&json!({})), MAX_AGE)
}
