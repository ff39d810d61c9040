//! `GET /api/v1/measurement/{measurement_uid}/explanation`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Why a measurement was scored as it was.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/measurement/{measurement_uid}/explanation",
    tag = "Measurements",
    params(("measurement_uid" = String, Path, description = "")),
    responses((status = 200, description = "Why a measurement was scored as it was."))
)]
pub async fn explanation(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
