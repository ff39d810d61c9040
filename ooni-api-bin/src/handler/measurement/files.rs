//! `GET /api/v1/files` (API spec §4.7).

use crate::app::App;
use crate::http::response::{Cache, cached, json};
use crate::http::{Error, Request, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Seconds for which the response may be kept.
const MAX_AGE: u32 = 86_400;

/// The response, which never changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Files)]
pub struct Body {
    /// Always `not implemented`.
    #[schema(example = "not implemented")]
    msg: &'static str,
}

/// A message that there is no list of files, as in the reference.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/v1/files",
    tag = "Measurements",
    summary = "Files of reports",
    description = "Kept for old clients. There is no list of files: the body always says `not implemented`. \
        Use `/api/v1/measurements` instead.",
    responses((status = 200, description = "A message that there is no list of files.", body = Body))
)]
pub async fn files(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(cached(json(&Body { msg: "not implemented" }), Cache::MaxAge(MAX_AGE)))
}
