//! `GET /version`.

use crate::app::App;
use crate::http::{Error, Request, Response, response};
use crate::version::{BUILD_LABEL, VERSION};
use serde_json::json;
use std::sync::Arc;

/// The version of the program.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/version",
    tag = "Site",
    responses((status = 200, description = ""))
)]
pub async fn version(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::json(&json!({"version": VERSION, "build_label": BUILD_LABEL})))
}
