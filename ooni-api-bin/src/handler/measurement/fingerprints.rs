//! `GET /api/v1/fingerprints/{file}`.

use crate::app::App;
use crate::http::response::{Cache, cached, of_bytes};
use crate::http::{Error, Request, Response};
use crate::job;
use hyper::StatusCode;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// How long an answer may be cached, in seconds. The job `fingerprints` may replace the lists.
const MAX_AGE: u32 = 60;
/// How long a client should wait while the lists are replaced, in seconds.
const RETRY_AFTER: u64 = 60;

/// A list of fingerprints with which this server scores.
///
/// # Errors
/// 404 for another file, 503 while the lists are replaced.
#[utoipa::path(
    get,
    path = "/api/v1/fingerprints/{file}",
    tag = "Measurements",
    summary = "The fingerprint lists with which this server scores",
    description = "The lists of <https://github.com/ooni/blocking-fingerprints>, by OONI, licensed CC BY-SA 4.0, as this server uses \
        them. `fingerprints_sha256` of rows and explanations is the SHA-256 of `fingerprints_dns.csv` followed by \
        `fingerprints_http.csv`.",
    params(("file" = String, Path, description = "`fingerprints_dns.csv` or `fingerprints_http.csv`.",
        example = "fingerprints_dns.csv")),
    responses(
        (status = 200, description = "The list.", content_type = "text/csv"),
        (status = 404, description = "There is no such list."),
        (status = 503, description = "The lists are being replaced."),
    )
)]
pub async fn fingerprints(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let at = match request.param("file") {
        "fingerprints_dns.csv" => 0,
        "fingerprints_http.csv" => 1,
        _ => return Err(Error::not_found("Not Found")),
    };
    let (state, sha256) = (app.config.state_dir.clone(), app.fingerprints.borrow().list_sha256().to_owned());
    let texts = spawn_blocking(move || job::fingerprints::texts(&state, &sha256)).await.unwrap_or_default();
    let list = texts.and_then(|texts| texts.into_iter().nth(at));
    let list = list.ok_or_else(|| Error::unavailable("the fingerprint lists are being replaced", RETRY_AFTER))?;
    Ok(cached(of_bytes(StatusCode::OK, "text/csv; charset=utf-8", list), Cache::MaxAge(MAX_AGE)))
}
