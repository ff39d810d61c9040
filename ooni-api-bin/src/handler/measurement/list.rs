//! `GET /api/v1/measurements`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Lists measurements.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/measurements",
    tag = "Measurements",
    responses((status = 200, description = "Lists measurements."))
)]
pub async fn measurements(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
