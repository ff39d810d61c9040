//! `GET /health`.

use crate::app::App;
use crate::health::{Health, Status};
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use std::sync::Arc;

/// Whether submissions are accepted, and what is missing or fails. The status is 503 when they are not.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/health",
    tag = "Site",
    summary = "Health",
    description = "Whether submissions are accepted, what is missing or fails, and what each part of the server reports. `status` is `ok`, `degraded` if submissions are accepted but something else does not work, or `fail`.",
    responses(
        (status = 200, description = "Submissions are accepted.", body = Object, content_type = "application/json"),
        (status = 503, description = "Submissions are not accepted; the body is the same.", body = Object, content_type = "application/json")
    )
)]
pub async fn health(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let health = Health::of(&app).await;
    let mut response = response::cached(response::json(&health), Cache::None);
    if health.status == Status::Fail {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}
