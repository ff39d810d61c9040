//! `GET /api/_/asn_by_month`, `GET /api/_/countries_by_month`, `GET /api/_/global_overview_by_month`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Networks of each month.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/asn_by_month",
    tag = "Private",
    responses((status = 200, description = "Networks of each month."))
)]
pub async fn asn_by_month(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Countries of each month.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/countries_by_month",
    tag = "Private",
    responses((status = 200, description = "Countries of each month."))
)]
pub async fn countries_by_month(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Countries, networks and measurements of each month.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/global_overview_by_month",
    tag = "Private",
    responses((status = 200, description = "Countries, networks and measurements of each month."))
)]
pub async fn global_overview_by_month(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
