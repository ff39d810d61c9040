//! `POST /api/v1/register`.

use super::schema::Registered;
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
    summary = "Register a probe",
    description = "Returns a new client id. It is a token with the time at which it was created; nothing is stored.",
    request_body(content = Object, description = "What the probe says about itself: a JSON object, whatever `Content-Type` says. It is not used.", example = json!({"platform": "android", "probe_asn": "AS3269", "probe_cc": "IT", "software_name": "ooniprobe-android", "software_version": "5.1.0", "supported_tests": ["web_connectivity"], "password": "secret"})),
    responses((status = 200, description = "The client id.", body = Registered))
)]
pub async fn register(app: Arc<App>, request: Request) -> Result<Response, Error> {
    body(request).await?;
    app.probe.metrics.registrations.inc();
    let claims = json!({"iat": app.clock.now().seconds(), "aud": token::LOGIN});
    Ok(fresh(&json!({"client_id": token::sign(&app.secrets.probe_token, &claims)})))
}
