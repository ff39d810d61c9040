//! `GET /api/v1/collectors`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use std::sync::Arc;

/// Collectors.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/v1/collectors",
    tag = "Probe services",
    responses((status = 200, description = ""))
)]
pub async fn collectors(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&app.probe.services().collectors), Cache::MaxAge(3600)))
}
