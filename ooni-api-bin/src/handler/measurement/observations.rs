//! Routes that are not written yet.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/observations",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn observations(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/analysis",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn analysis(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/observations",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn aggregation_observations(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/observations/ctrl",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn aggregation_observations_ctrl(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/analysis",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn aggregation_analysis(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Needs observations, which this server does not have.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/detector/changepoints",
    tag = "Measurements",
    responses((status = 200, description = "Needs observations, which this server does not have."))
)]
pub async fn changepoints(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
