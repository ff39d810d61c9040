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
    summary = "Version",
    description = "The version of the program, and the name of the build or null.",
    responses((status = 200, description = "The version.", body = Object, content_type = "application/json", example = json!({"version": "0.1.0", "build_label": null})))
)]
pub async fn version(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::json(&json!({"version": VERSION, "build_label": BUILD_LABEL})))
}
