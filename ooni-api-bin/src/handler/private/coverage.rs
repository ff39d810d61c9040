//! `GET /api/_/test_coverage`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Measurements of a country by day and test group.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/test_coverage",
    tag = "Private",
    responses((status = 200, description = "Measurements of a country by day and test group."))
)]
pub async fn test_coverage(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
