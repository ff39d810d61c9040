//! `POST /report/{report_id}/close`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use serde_json::json;
use std::sync::Arc;

/// Does nothing, for any id: probes used to close their reports.
///
/// # Errors
/// None.
#[utoipa::path(
    post,
    path = "/report/{report_id}/close",
    tag = "Probe services",
    params(("report_id" = String, Path, description = "")),
    responses((status = 200, description = ""))
)]
pub async fn close_report(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&json!({})), Cache::MaxAge(3600)))
}
