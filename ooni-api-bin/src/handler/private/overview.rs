//! `GET /api/_/global_overview`, `GET /api/_/countries`, `GET /api/_/country_overview`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Countries, networks and measurements.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/global_overview",
    tag = "Private",
    responses((status = 200, description = "Countries, networks and measurements."))
)]
pub async fn global_overview(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Measurements by country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/countries",
    tag = "Private",
    responses((status = 200, description = "Measurements by country."))
)]
pub async fn countries(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// What there is of a country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/country_overview",
    tag = "Private",
    responses((status = 200, description = "What there is of a country."))
)]
pub async fn country_overview(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
