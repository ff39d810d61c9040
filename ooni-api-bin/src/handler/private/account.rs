//! `GET /api/_/account_metadata`, `GET /api/_/quotas_summary`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Who is logged in: nobody.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/account_metadata",
    tag = "Private",
    responses((status = 200, description = "Who is logged in: nobody."))
)]
pub async fn account_metadata(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}

/// For administrators only.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/_/quotas_summary",
    tag = "Private",
    responses((status = 200, description = "For administrators only."))
)]
pub async fn quotas_summary(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
