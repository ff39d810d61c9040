//! `GET /api/_/website_networks`, `GET /api/_/website_stats`, `GET /api/_/website_urls`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Networks of a country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/website_networks",
    tag = "Private",
    responses((status = 200, description = "Networks of a country."))
)]
pub async fn website_networks(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Measurements of an input in a network, by day.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/website_stats",
    tag = "Private",
    responses((status = 200, description = "Measurements of an input in a network, by day."))
)]
pub async fn website_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Inputs that were measured in a network.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/website_urls",
    tag = "Private",
    responses((status = 200, description = "Inputs that were measured in a network."))
)]
pub async fn website_urls(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
