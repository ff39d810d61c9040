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
    summary = "Body of a measurement, by its id",
    description = "The measurement as the probe sent it. An unknown `measurement_uid` is an error.",
    params(
        ("measurement_uid" = String, Path, description = "Id of the measurement.", min_length = 10, max_length = 100,
            example = "20250701000000.181572_IT_webconnectivity_7888edc7748936bf"),
        ("download" = Option<bool>, Query, description = "Whether browsers save the response as a file. Default: `false`.", example = true),
    ),
    responses((status = 200, description = "The measurement. Its keys depend on the test.", content_type = "application/json", body = Object,
        example = json!({"test_name": "web_connectivity", "probe_cc": "IT", "input": "https://www.example.com/",
        "test_keys": {"accessible": true}})))
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
pub fn is_uid(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    params::has_length_of_uid(text) && text.bytes().all(is_part)
}
