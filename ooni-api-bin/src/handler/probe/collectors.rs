//! `GET /api/v1/collectors`.

use super::schema::ServiceEndpoint;
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
    summary = "Collectors",
    description = "The addresses to which old probes submit measurements.",
    responses((status = 200, description = "The collectors.", body = Vec<ServiceEndpoint>))
)]
pub async fn collectors(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&app.probe.services().collectors), Cache::MaxAge(3600)))
}
