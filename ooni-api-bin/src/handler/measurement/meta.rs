//! `GET /api/v1/measurement_meta`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Metadata of a measurement.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/measurement_meta",
    tag = "Measurements",
    responses((status = 200, description = "Metadata of a measurement."))
)]
pub async fn measurement_meta(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
