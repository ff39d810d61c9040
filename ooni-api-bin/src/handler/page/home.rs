//! `GET /`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// The page of this server: what it holds.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/",
    tag = "Pages",
    responses((status = 200, description = "The page of this server: what it holds."))
)]
pub async fn home(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
