//! `GET /metrics`, on the main listener and on that for metrics.

use crate::app::App;
use crate::health::Parts;
use crate::http::{Error, Request, Response, response};
use crate::metrics::TEXT_FORMAT;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;

/// The user who has the password, with the scheme Basic.
const USER: &str = "prom";

/// The metrics, for those who have the password.
///
/// # Errors
/// 401 without the password, 404 if metrics have a listener of their own.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Site",
    summary = "Metrics",
    description = "Metrics of the server for Prometheus. A setting moves them to a listener of their own.",
    security(("password" = [])),
    responses(
        (status = 200, description = "The metrics.", body = String, content_type = "text/plain"),
        (status = 401, description = "The password is missing or wrong.", body = crate::openapi::ErrorBody),
        (status = 404, description = "Metrics are on another listener.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn metrics(app: Arc<App>, request: Request) -> Result<Response, Error> {
    if !app.config.metrics.listen.is_empty() {
        return Err(Error::not_found("Not Found"));
    }
    answer(&app, &request, true).await
}

/// The metrics on their own listener. On a loopback address it asks for a password only if one is configured.
///
/// # Errors
/// 401 without the password.
pub async fn own_listener(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let settings = &app.config.metrics;
    let is_local = settings.listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    answer(&app, &request, !is_local || !settings.password_file.as_os_str().is_empty()).await
}

async fn answer(app: &App, request: &Request, needs_password: bool) -> Result<Response, Error> {
    if needs_password && !is_allowed(request.header(AUTHORIZATION.as_str()), &password(app).await?) {
        let challenge = HeaderValue::from_static("Basic realm=\"metrics\"");
        return Err(Error::unauthorized("Unauthorized").with_header(WWW_AUTHENTICATE, challenge));
    }
    let text = app.metrics.text(&Parts::of(app).await).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written as text");
        Error::internal()
    })?;
    Ok(response::of_bytes(StatusCode::OK, TEXT_FORMAT, text))
}

/// The password. A configured one is read each time so that it can be changed.
async fn password(app: &App) -> Result<Vec<u8>, Error> {
    let file = &app.config.metrics.password_file;
    if file.as_os_str().is_empty() {
        return Ok(app.secrets.metrics_password.bytes().to_owned());
    }
    let read = tokio::fs::read_to_string(file).await;
    let text = read.map_err(|error| {
        tracing::error!(path = %file.display(), %error, "the password for metrics cannot be read");
        Error::internal()
    })?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => {
            tracing::error!(path = %file.display(), "the password for metrics is empty");
            Err(Error::internal())
        }
        password => Ok(password.as_bytes().to_owned()),
    }
}

/// Whether the credentials are the password: that of the user (Basic, RFC 7617), or as a token (Bearer, RFC 6750). Hashes are
/// compared, so that the time does not depend on how much of the password is right.
fn is_allowed(credentials: Option<&str>, password: &[u8]) -> bool {
    let Some((scheme, value)) = credentials.and_then(|text| text.split_once(' ')) else { return false };
    let (given, expected) = match &*scheme.to_ascii_lowercase() {
        "basic" => {
            let Ok(given) = ooni_core::base64::decode(value.trim().as_bytes()) else { return false };
            (given, [USER.as_bytes(), b":", password].concat())
        }
        "bearer" => (value.trim().as_bytes().to_owned(), password.to_owned()),
        _ => return false,
    };
    Sha256::digest(given) == Sha256::digest(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        for good in ["Basic cHJvbTpodW50ZXIy", "basic  cHJvbTpodW50ZXIy", "Bearer hunter2", "bearer hunter2"] {
            assert!(is_allowed(Some(good), b"hunter2"), "{good}");
        }
        for bad in [
            "cHJvbTpodW50ZXIy",
            "Bearer cHJvbTpodW50ZXIy",
            "Bearer prom:hunter2",
            "Bearer ",
            "Digest hunter2",
            "Basic cHJvbTpodW50ZXI=",
            "Basic cm9vdDpodW50ZXIy",
            "Basic",
            "Basic ",
        ] {
            assert!(!is_allowed(Some(bad), b"hunter2"), "{bad}");
        }
        assert!(!is_allowed(None, b""));
    }
}
