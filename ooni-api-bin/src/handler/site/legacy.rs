//! Routes that are not written yet.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// The name of this host.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/whoami",
    tag = "Site",
    responses((status = 200, description = "The name of this host."))
)]
pub async fn whoami(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/stats",
    tag = "Site",
    responses((status = 200, description = "To Explorer."))
)]
pub async fn stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the search page of Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files",
    tag = "Site",
    responses((status = 200, description = "To the search page of Explorer."))
)]
pub async fn files(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the search page of Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files/by_date",
    tag = "Site",
    responses((status = 200, description = "To the search page of Explorer."))
)]
pub async fn files_by_date(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the measurements of a day in Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files/by_date/{date}",
    tag = "Site",
    params(("date" = String, Path, description = "")),
    responses((status = 200, description = "To the measurements of a day in Explorer."))
)]
pub async fn files_of_date(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the search page of Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files/by_country",
    tag = "Site",
    responses((status = 200, description = "To the search page of Explorer."))
)]
pub async fn files_by_country(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the measurements of a country in Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files/by_country/{country_code}",
    tag = "Site",
    params(("country_code" = String, Path, description = "")),
    responses((status = 200, description = "To the measurements of a country in Explorer."))
)]
pub async fn files_of_country(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/files/download/{path}",
    tag = "Site",
    params(("path" = String, Path, description = "")),
    responses((status = 200, description = "To Explorer."))
)]
pub async fn files_download(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the measurements of a day in Explorer.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/{date}",
    tag = "Site",
    params(("date" = String, Path, description = "")),
    responses((status = 200, description = "To the measurements of a day in Explorer."))
)]
pub async fn date(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the file of a report.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/{date}/{report_file}",
    tag = "Site",
    params(("date" = String, Path, description = "")),
    params(("report_file" = String, Path, description = "")),
    responses((status = 200, description = "To the file of a report."))
)]
pub async fn report_file(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
