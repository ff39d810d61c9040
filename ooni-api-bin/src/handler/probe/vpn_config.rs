//! `GET /api/v2/ooniprobe/vpn-config/{provider}`.

use crate::app::App;
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// The configured file of a VPN provider.
///
/// # Errors
/// 501 until it is written.
#[utoipa::path(
    get,
    path = "/api/v2/ooniprobe/vpn-config/{provider}",
    tag = "Probe services",
    params(("provider" = String, Path, description = "")),
    responses((status = 200, description = "The configured file of a VPN provider."))
)]
pub async fn vpn_config(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not implemented"))
}
