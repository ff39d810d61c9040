//! `GET /api/_/check_report_id`.

use super::schema::Found;
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
    summary = "Whether a report exists",
    description = "Returns that the report exists, for any id. Old probes call this before they upload a report again.",
    params(("report_id" = Option<String>, Query, description = "The id of the report. It is not used.", example = json!("20250715T100000Z_webconnectivity_IT_3269_n1_AAAAAAAAAAAAAAAA"))),
    responses((status = 200, description = "It exists.", body = Found))
)]
pub async fn check_report_id(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&json!({"found": true, "v": 0})), Cache::MaxAge(1)))
}
