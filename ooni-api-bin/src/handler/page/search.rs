//! `GET /search`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Searches for measurements.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/search",
    tag = "Pages",
    responses((status = 200, description = "Searches for measurements."))
)]
pub async fn search(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
