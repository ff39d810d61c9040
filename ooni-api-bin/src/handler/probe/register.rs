//! `POST /api/v1/register`.

use super::{body, fresh};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::probe::token;
use serde_json::json;
use std::sync::Arc;

/// A new client id, a token that logs in. Nothing is stored.
///
/// # Errors
/// 400 for a body that is not an object.
#[utoipa::path(
    post,
    path = "/api/v1/register",
    tag = "Probe services",
    responses((status = 200, description = ""))
)]
pub async fn register(app: Arc<App>, request: Request) -> Result<Response, Error> {
    body(request).await?;
    app.probe.metrics.registrations.inc();
    let claims = json!({"iat": app.clock.now().seconds(), "aud": token::LOGIN});
    Ok(fresh(&json!({"client_id": token::sign(&app.secrets.probe_token, &claims)})))
}
