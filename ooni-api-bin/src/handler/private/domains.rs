//! `GET /api/_/domains`, `GET /api/_/domain_metadata`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Domains of test lists, and their measurements.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/domains",
    tag = "Private",
    responses((status = 200, description = "Domains of test lists, and their measurements."))
)]
pub async fn domains(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// The category of a domain.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/domain_metadata",
    tag = "Private",
    responses((status = 200, description = "The category of a domain."))
)]
pub async fn domain_metadata(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
