//! `GET /static/{file}`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Style sheets of the pages.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/static/{file}",
    tag = "Pages",
    params(("file" = String, Path, description = "")),
    responses((status = 200, description = "Style sheets of the pages."))
)]
pub async fn asset(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
