//! `GET /api/_/im_networks`, `GET /api/_/im_stats`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Networks in which instant messaging was tested.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/im_networks",
    tag = "Private",
    responses((status = 200, description = "Networks in which instant messaging was tested."))
)]
pub async fn im_networks(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// Measurements of an instant messaging test, by day.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/im_stats",
    tag = "Private",
    responses((status = 200, description = "Measurements of an instant messaging test, by day."))
)]
pub async fn im_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
