//! `GET /api/v1/manifest`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Always 404: anonymous credentials are not supported, and probes then submit without.
///
/// # Errors
/// 404 `manifest_not_found`.
#[utoipa::path(
    get,
    path = "/api/v1/manifest",
    tag = "Probe services",
    summary = "Manifest of anonymous credentials",
    description = "Always 404: this server has no anonymous credentials. Probes then submit without credentials.",
    responses((status = 404, description = "There is no manifest: `manifest_not_found`.", body = crate::openapi::DetailBody))
)]
pub async fn manifest(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(not_found("No manifest was found"))
}

/// 404 `manifest_not_found`.
pub(super) fn not_found(message: &str) -> Error {
    Error::detail(StatusCode::NOT_FOUND, json!({"error": "manifest_not_found", "message": message}))
}
