//! `GET /api/_/vanilla_tor_stats`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Results of vanilla_tor in a country.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/vanilla_tor_stats",
    tag = "Private",
    responses((status = 200, description = "Results of vanilla_tor in a country."))
)]
pub async fn vanilla_tor_stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
