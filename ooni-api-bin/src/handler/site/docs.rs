//! `GET /openapi.json`, `GET /apispec_1.json`, `GET /apidocs/`, `GET /apidocs`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// This description of all routes.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Site",
    responses((status = 200, description = "This description of all routes."))
)]
pub async fn openapi(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the description of all routes.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/apispec_1.json",
    tag = "Site",
    responses((status = 200, description = "To the description of all routes."))
)]
pub async fn apispec(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// The documentation of all routes.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/apidocs/",
    tag = "Site",
    responses((status = 200, description = "The documentation of all routes."))
)]
pub async fn apidocs(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// To the documentation.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/apidocs",
    tag = "Site",
    responses((status = 200, description = "To the documentation."))
)]
pub async fn apidocs_redirect(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
