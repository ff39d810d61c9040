//! `GET /api/v1/torsf_stats`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Counts of measurements of torsf, by day and country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/torsf_stats",
    tag = "Measurements",
    responses((status = 200, description = "Counts of measurements of torsf, by day and country."))
)]
pub async fn torsf_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
