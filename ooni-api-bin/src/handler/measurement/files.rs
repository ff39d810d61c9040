//! `GET /api/v1/files`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Not implemented, as in the reference.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v1/files",
    tag = "Measurements",
    responses((status = 200, description = "Not implemented, as in the reference."))
)]
pub async fn files(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
