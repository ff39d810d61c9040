//! `GET /m/{measurement_uid}`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// A measurement and its explanation.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/m/{measurement_uid}",
    tag = "Pages",
    params(("measurement_uid" = String, Path, description = "")),
    responses((status = 200, description = "A measurement and its explanation."))
)]
pub async fn measurement(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
