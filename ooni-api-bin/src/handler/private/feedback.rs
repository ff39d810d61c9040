//! `GET /api/_/measurement_feedback/{measurement_uid}`, `POST /api/_/measurement_feedback`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// What users said of a measurement.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/measurement_feedback/{measurement_uid}",
    tag = "Private",
    params(("measurement_uid" = String, Path, description = "")),
    responses((status = 200, description = "What users said of a measurement."))
)]
pub async fn measurement_feedback(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// For users only.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    post,
    path = "/api/_/measurement_feedback",
    tag = "Private",
    responses((status = 200, description = "For users only."))
)]
pub async fn submit_feedback(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
