//! `GET /api/v1/aggregation`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Counts of measurements.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation",
    tag = "Measurements",
    responses((status = 200, description = "Counts of measurements."))
)]
pub async fn aggregation(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
