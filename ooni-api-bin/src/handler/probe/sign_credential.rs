//! `POST /api/v1/sign_credential`.

use super::body;
use super::manifest::not_found;
use super::schema::SignCredentialRequest;
use crate::app::App;
use crate::http::{Error, Request, Response};
use std::sync::Arc;

/// Always 404: anonymous credentials are not supported, so there is no manifest of any version.
///
/// # Errors
/// 404 `manifest_not_found`; 400 for a body that cannot be used.
#[utoipa::path(
    post,
    path = "/api/v1/sign_credential",
    tag = "Probe services",
    summary = "Sign an anonymous credential",
    description = "Always 404: this server has no anonymous credentials. Probes then submit without credentials.",
    request_body(content = SignCredentialRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"manifest_version": "1", "credential_sign_request": "AAAA"})),
    responses((status = 404, description = "There is no manifest of this version: `manifest_not_found`.", body = crate::openapi::DetailBody))
)]
pub async fn sign_credential(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = body(request).await.map_err(Error::into_detail)?;
    let version = body.text("manifest_version").map_err(|unusable| Error::from(unusable).into_detail())?;
    let version: String = version.unwrap_or_default().chars().take(100).collect();
    Err(not_found(&format!("No manifest with version '{version}' was found")))
}
