//! `GET /api/v1/measurement/{measurement_uid}/explanation`.

use super::by_uid::is_uid;
use super::lookup;
use crate::app::App;
use crate::explanation::answer::Status;
use crate::explanation::{self, Explained};
use crate::http::response::{Cache, cached, json, not_kept};
use crate::http::{Error, Request, Response};
use std::sync::Arc;

/// How long an answer may be cached, in seconds. The row and the fingerprint lists may be replaced.
const MAX_AGE: u32 = 60;

/// Why a measurement was scored as it was.
///
/// # Errors
/// 400 for a malformed uid, 404 for a measurement that is unknown or not public.
#[utoipa::path(
    get,
    path = "/api/v1/measurement/{measurement_uid}/explanation",
    tag = "Measurements",
    summary = "Why a measurement was scored as it was",
    description = "Scores the stored body of a measurement again, and compares the result with the stored row.\n\n\
        The response has the row, the rules that fired with the JSON pointers and values that they read, the fingerprints that were \
        found with their byte offsets, the results of both sets of rules (`fixed`, and `compat`, which gives exactly the results of \
        OONI's Python backend) and where they differ, and whether row, ruleset, fingerprint lists and SHA-256 of the body agree.\n\n\
        The SHA-256 covers the body exactly as it is kept, with its envelope: `raw_measurement` returns these bytes with \
        `body=stored`. `ooni-api verify UID` runs this check on another machine.\n\n\
        For a measurement that was discarded, rejected or refused, the response has only the reason.",
    params(("measurement_uid" = String, Path, description = "Id of the measurement.",
        example = "20210614000004.560509_US_signal_6e1b0ebf9b1cf9e9")),
    responses(
        (status = 200, description = "The explanation.", body = Explained, content_type = "application/json"),
        (status = 400, description = "The id is malformed."),
        (status = 404, description = "The measurement is unknown, or not public."),
        (status = 504, description = "The explanation took too long."),
        (status = 503, description = "The store or the archive is not available, or too many measurements are being explained."),
    )
)]
pub async fn explanation(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let uid = request.param("measurement_uid");
    if !is_uid(uid) {
        return Err(Error::bad_request("Invalid measurement_uid"));
    }
    let Some(explained) = lookup::in_time(&app, explanation::of(&app, uid)).await? else {
        return Err(Error::not_found("Measurement not found"));
    };
    let response = json(&explained);
    Ok(match explained.status {
        Status::Pending => not_kept(cached(response, Cache::None)),
        _ => cached(response, Cache::MaxAge(MAX_AGE)),
    })
}
