//! `GET /api/_/networks`, `GET /api/_/asnmeta`, `GET /api/_/network_stats`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Measurements by network.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/networks",
    tag = "Private",
    responses((status = 200, description = "Measurements by network."))
)]
pub async fn networks(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// The name of a network.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/asnmeta",
    tag = "Private",
    responses((status = 200, description = "The name of a network."))
)]
pub async fn asnmeta(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// An empty list, as in the reference.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/network_stats",
    tag = "Private",
    responses((status = 200, description = "An empty list, as in the reference."))
)]
pub async fn network_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
