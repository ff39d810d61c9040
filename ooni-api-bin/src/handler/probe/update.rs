//! `PUT /api/v1/update/{client_id}`.

use super::schema::{Done, UpdateRequest};
use crate::app::App;
use crate::http::{Error, Request, Response, response};
use crate::probe::body::Body;
use serde_json::json;
use std::sync::Arc;

/// Accepts what an old probe says about itself. Nothing is stored.
///
/// # Errors
/// 400 for a body that cannot be used.
#[utoipa::path(
    put,
    path = "/api/v1/update/{client_id}",
    tag = "Probe services",
    summary = "Update a probe",
    description = "Accepts what an old probe says about itself. Nothing is stored.",
    params(("client_id" = String, Path, description = "The client id. It is not used.", example = json!("client"))),
    request_body(content = UpdateRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"probe_cc": "IT", "probe_asn": "AS3269"})),
    responses((status = 200, description = "It was accepted.", body = Done))
)]
pub async fn update(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let mut object = request.json_object().await?;
    object.retain(|_, value| !value.is_null()); // as if it were missing
    let body = Body::from(object);
    for key in ["probe_cc", "probe_asn", "platform", "software_name", "software_version", "network_type", "language"] {
        body.text(key)?;
    }
    body.list("supported_tests")?;
    app.probe.metrics.updates.inc();
    Ok(response::json(&json!({"status": "ok"})))
}
