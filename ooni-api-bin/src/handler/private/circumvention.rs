//! `GET /api/_/circumvention_stats_by_country`, `GET /api/_/circumvention_runtime_stats`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Measurements of circumvention tools by country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/circumvention_stats_by_country",
    tag = "Private",
    responses((status = 200, description = "Measurements of circumvention tools by country."))
)]
pub async fn circumvention_stats_by_country(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Runtimes of circumvention tools.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/circumvention_runtime_stats",
    tag = "Private",
    responses((status = 200, description = "Runtimes of circumvention tools."))
)]
pub async fn circumvention_runtime_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
