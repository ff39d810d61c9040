//! `GET /api/v1/measurement/{measurement_uid}` (API spec §4.4).

use super::lookup;
use crate::app::App;
use crate::bodies::{self, Found};
use crate::http::response::{Cache, cached, of_bytes};
use crate::http::{Error, Request, Response};
use crate::params;
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use std::sync::Arc;

/// The body of a measurement, as it was sent; with `download=true` as a file.
///
/// # Errors
/// 400 for an unknown uid.
#[utoipa::path(
    get,
    path = "/api/v1/measurement/{measurement_uid}",
    tag = "Measurements",
    params(("measurement_uid" = String, Path, description = "")),
    responses((status = 200, description = ""))
)]
pub async fn measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let uid = request.param("measurement_uid");
    let unknown = || Error::bad_request("Incorrect or inexistent measurement_uid");
    if !is_uid(uid) {
        return Err(unknown());
    }
    let is_download = params::boolean(request.query(), "download")?.unwrap_or(false);
    let found = lookup::in_time(&app, bodies::find(&app, uid, |_| true)).await?;
    let Found::Body(body) = found else { return Err(unknown()) };
    let mut response = cached(of_bytes(StatusCode::OK, "application/json", body), Cache::MaxAge(3600));
    if is_download
        && let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=ooni_measurement-{uid}.json"))
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Whether a text can be a uid: 10 to 100 letters, digits, `.`, `_` and `-`.
pub(super) fn is_uid(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (10..=100).contains(&text.len()) && text.bytes().all(is_part)
}
