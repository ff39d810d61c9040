//! `GET /api/_/check_report_id`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use serde_json::json;
use std::sync::Arc;

/// Says that any report exists: old probes ask before they upload again.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/_/check_report_id",
    tag = "Probe services",
    responses((status = 200, description = ""))
)]
pub async fn check_report_id(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&json!({"found": true, "v": 0})), Cache::MaxAge(1)))
}
