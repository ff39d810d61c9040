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
    summary = "Close a report",
    description = "Does nothing, for any id. Probes used to close their reports.",
    params(("report_id" = String, Path, description = "The id of the report. It is not used.", example = json!("20250715T100000Z_webconnectivity_IT_3269_n1_AAAAAAAAAAAAAAAA"))),
    responses((status = 200, description = "An empty object.", body = Object, content_type = "application/json"))
)]
pub async fn close_report(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&json!({})), Cache::MaxAge(3600)))
}
