//! `GET /metrics`, on the main listener and on that for metrics.

use crate::app::App;
use crate::health::Parts;
use crate::http::{Error, Request, Response, response};
use crate::metrics::TEXT_FORMAT;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// The user whose password is in `metrics.password_file`.
const USER: &str = "prom";

/// Headers of a proxy. A request that has one comes from elsewhere, whatever its peer is.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// The metrics, for the user `prom`, or without a password for clients on this machine.
///
/// # Errors
/// 401 without the password, 403 for other clients, 404 if metrics have a listener of their own.
pub async fn metrics(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let settings = &app.config.metrics;
    if !settings.listen.is_empty() {
        return Err(Error::not_found("Not Found"));
    }
    if settings.password_file.as_os_str().is_empty() && !is_local(request.client(), request.headers()) {
        return Err(Error::new(StatusCode::FORBIDDEN, "metrics are for clients on the machine of the server"));
    }
    answer(&app, &request).await
}

/// The metrics on their own listener. Without a password, everyone who can connect to it gets them.
///
/// # Errors
/// 401 without the password.
pub async fn own_listener(app: Arc<App>, request: Request) -> Result<Response, Error> {
    answer(&app, &request).await
}

async fn answer(app: &App, request: &Request) -> Result<Response, Error> {
    let file = &app.config.metrics.password_file;
    if !file.as_os_str().is_empty() && !is_allowed(request.header(AUTHORIZATION.as_str()), &password(file).await?) {
        let mut response = response::json(&json!({"error": "Unauthorized"}));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"metrics\""));
        return Ok(response);
    }
    let text = app.metrics.text(&Parts::of(app).await).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written as text");
        Error::internal()
    })?;
    Ok(response::of_bytes(StatusCode::OK, TEXT_FORMAT, text))
}

/// The password, read each time so that it can be changed.
async fn password(file: &Path) -> Result<String, Error> {
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
        password => Ok(password.to_owned()),
    }
}

fn is_local(client: IpAddr, headers: &HeaderMap) -> bool {
    client.to_canonical().is_loopback()
        && !FORWARDED.map(HeaderName::from_static).iter().any(|name| headers.contains_key(name))
}

/// Whether the credentials (RFC 7617) are those of the user with this password. Hashes are compared, so that the time does not
/// depend on how much of the password is right.
fn is_allowed(credentials: Option<&str>, password: &str) -> bool {
    let given = credentials.and_then(|text| {
        let (scheme, value) = text.split_once(' ')?;
        let given = ooni_core::base64::decode(value.trim().as_bytes()).ok()?;
        scheme.eq_ignore_ascii_case("basic").then_some(given)
    });
    given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(format!("{USER}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        for good in ["Basic cHJvbTpodW50ZXIy", "basic  cHJvbTpodW50ZXIy"] {
            assert!(is_allowed(Some(good), "hunter2"), "{good}");
        }
        for bad in [
            "cHJvbTpodW50ZXIy",
            "Bearer cHJvbTpodW50ZXIy",
            "Basic cHJvbTpodW50ZXI=",
            "Basic cm9vdDpodW50ZXIy",
            "Basic",
            "Basic ",
        ] {
            assert!(!is_allowed(Some(bad), "hunter2"), "{bad}");
        }
        assert!(!is_allowed(None, ""));
    }

    #[test]
    fn local_clients() {
        let headers = |name: Option<&'static str>| -> HeaderMap {
            name.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("192.0.2.1")))
                .into_iter()
                .collect()
        };
        for (address, header, expected) in [
            ("127.0.0.1", None, true),
            ("::1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("192.0.2.1", None, false),
            ("127.0.0.1", Some("x-forwarded-for"), false),
            ("127.0.0.1", Some("forwarded"), false),
        ] {
            assert_eq!(is_local(address.parse().unwrap(), &headers(header)), expected, "{address} {header:?}");
        }
    }
}
