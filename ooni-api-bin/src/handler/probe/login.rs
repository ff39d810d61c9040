//! `POST /api/v1/login`.

use super::schema::{LoggedIn, LoginRequest};
use super::{body, fresh};
use crate::app::App;
use crate::clock::Timestamp;
use crate::http::{Error, Request, Response};
use crate::probe::token::{self, TokenError};
use ooni_core::time::SECONDS_PER_DAY;
use serde_json::{Value, json};
use std::sync::Arc;

/// For how long a login is said to be valid, in microseconds. The token itself does not expire.
const LIFETIME: u64 = 7 * SECONDS_PER_DAY as u64 * 1_000_000;

/// A token for the client id of a registration, or for whatever clients older than 2022 have.
///
/// # Errors
/// 401 without credentials, or with a token that is not one of registration; 400 for a body that cannot be used.
#[utoipa::path(
    post,
    path = "/api/v1/login",
    tag = "Probe services",
    summary = "Log a probe in",
    description = "A token for a client id. Client ids from before 2022 are accepted as they are.",
    request_body(content = LoginRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"username": "client", "password": "secret"})),
    responses(
        (status = 200, description = "The token.", body = LoggedIn),
        (status = 401, description = "There is no username or password, or the username is a token for another purpose.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn login(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = body(request).await?;
    let (Some(username), Some(_)) = (body.text("username")?, body.text("password")?) else {
        return Err(Error::unauthorized("Missing credentials"));
    };
    let count = |labels: [&str; 3]| app.probe.metrics.logins.with_label_values(&labels).inc();
    let registered = match token::verify(&app.secrets.probe_token, username, token::LOGIN) {
        Ok(claims) => {
            count(["successful", "ok", "standard"]);
            claims.get("iat").cloned().unwrap_or(Value::Null)
        }
        Err(TokenError::Malformed) => {
            count(["successful", "ok", "legacy"]);
            Value::Null
        }
        Err(error) => {
            let is_signature = error == TokenError::Signature;
            count(["failed", if is_signature { "invalid_signature" } else { "invalid_or_missing_claim" }, "standard"]);
            return Err(Error::unauthorized("Invalid credentials"));
        }
    };
    let claims = json!({"registration_time": registered, "aud": token::PROBE});
    let expire = Timestamp::from_micros(app.clock.now().micros() + LIFETIME).iso_text();
    Ok(fresh(&json!({"token": token::sign(&app.secrets.probe_token, &claims), "expire": expire})))
}
