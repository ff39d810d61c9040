//! `POST /api/v1/sign_credential`.

use super::body;
use super::manifest::not_found;
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
    responses((status = 200, description = ""))
)]
pub async fn sign_credential(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = body(request).await.map_err(Error::into_detail)?;
    let version = body.text("manifest_version").map_err(|unusable| Error::from(unusable).into_detail())?;
    let version: String = version.unwrap_or_default().chars().take(100).collect();
    Err(not_found(&format!("No manifest with version '{version}' was found")))
}
