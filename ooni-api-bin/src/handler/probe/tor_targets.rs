//! `GET /api/v1/test-list/tor-targets`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// The configured file. No token is required (API spec §16, 27).
///
/// # Errors
/// 401 without a file.
#[utoipa::path(
    get,
    path = "/api/v1/test-list/tor-targets",
    tag = "Probe services",
    summary = "Targets of the Tor nettest",
    description = "The configured file, as it is. No token is required.",
    responses(
        (status = 200, description = "The file.", body = Object, content_type = "application/json"),
        (status = 401, description = "No file is configured.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn tor_targets(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let file = app.probe.tor_targets.value().ok_or_else(|| Error::unauthorized("Invalid tor-targets"))?;
    Ok(response::cached(response::of_bytes(StatusCode::OK, "application/json", (*file).clone()), Cache::None))
}
