//! Routes over observations, which this server does not have (API spec §4.9). They answer 501 and name the table that is
//! missing.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The body of the response. Its key is that of errors of these routes in the reference.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotImplemented {
    /// What is missing.
    #[schema(example = "This server has no observations: the table obs_web is missing.")]
    detail: String,
}

fn without(table: &str) -> Error {
    let body = NotImplemented { detail: format!("This server has no observations: the table {table} is missing.") };
    Error::detail(StatusCode::NOT_IMPLEMENTED, body.detail)
}

/// Single DNS, TCP, TLS and HTTP operations of web measurements.
///
/// # Errors
/// Always 501: the table `obs_web` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/observations",
    tag = "Measurements",
    summary = "List observations",
    description = "Single DNS, TCP, TLS and HTTP operations of web measurements. Not implemented: this server does not store observations, so it lacks the table `obs_web`.",
    responses((status = 501, description = "The table `obs_web` is missing.", body = NotImplemented))
)]
pub async fn observations(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("obs_web"))
}

/// How likely each measurement shows blocking, by protocol.
///
/// # Errors
/// Always 501: the table `analysis_web_measurement` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/analysis",
    tag = "Measurements",
    summary = "List analyses of observations",
    description = "How likely each measurement shows blocking, by protocol. Not implemented: this server does not store observations, so it lacks the table `analysis_web_measurement`.",
    responses((status = 501, description = "The table `analysis_web_measurement` is missing.", body = NotImplemented))
)]
pub async fn analysis(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("analysis_web_measurement"))
}

/// Observations by failure, host, address, country, network or test.
///
/// # Errors
/// Always 501: the table `obs_web` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/observations",
    tag = "Measurements",
    summary = "Count observations",
    description = "Observations by failure, host, address, country, network or test. Not implemented: this server does not store observations, so it lacks the table `obs_web`.",
    responses((status = 501, description = "The table `obs_web` is missing.", body = NotImplemented))
)]
pub async fn aggregation_observations(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("obs_web"))
}

/// What test helpers observed of hosts and their addresses.
///
/// # Errors
/// Always 501: the table `obs_web_ctrl` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/observations/ctrl",
    tag = "Measurements",
    summary = "Count observations of test helpers",
    description = "What test helpers observed of hosts and their addresses. Not implemented: this server does not store observations, so it lacks the table `obs_web_ctrl`.",
    responses((status = 501, description = "The table `obs_web_ctrl` is missing.", body = NotImplemented))
)]
pub async fn aggregation_observations_ctrl(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("obs_web_ctrl"))
}

/// How likely blocking is along one or two axes.
///
/// # Errors
/// Always 501: the table `analysis_web_measurement` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation/analysis",
    tag = "Measurements",
    summary = "Count analyses of observations",
    description = "How likely blocking is along one or two axes. Not implemented: this server does not store observations, so it lacks the table `analysis_web_measurement`.",
    responses((status = 501, description = "The table `analysis_web_measurement` is missing.", body = NotImplemented))
)]
pub async fn aggregation_analysis(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("analysis_web_measurement"))
}

/// When blocking of a domain began or ended in a network.
///
/// # Errors
/// Always 501: the table `event_detector_changepoints` is missing.
#[utoipa::path(
    get,
    path = "/api/v1/detector/changepoints",
    tag = "Measurements",
    summary = "List changes of blocking",
    description = "When blocking of a domain began or ended in a network. Not implemented: this server does not store observations, so it lacks the table `event_detector_changepoints`.",
    responses((status = 501, description = "The table `event_detector_changepoints` is missing.", body = NotImplemented))
)]
pub async fn changepoints(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(without("event_detector_changepoints"))
}
