//! `GET /static/{file}`.

use crate::app::App;
use crate::http::response::{Cache, cached, of_bytes};
use crate::http::{Error, Request, Response};
use crate::page::style::STYLE;
use hyper::StatusCode;
use std::sync::Arc;

/// How long the style sheet may be cached, in seconds. Pages name its version, so a new one is requested at once.
const MAX_AGE: u32 = 30 * 86_400;

/// Files of the pages.
///
/// # Errors
/// 404 for an unknown file.
#[utoipa::path(
    get,
    path = "/static/{file}",
    tag = "Pages",
    summary = "Files of the pages",
    description = "The style sheet of the web pages.",
    params(("file" = String, Path, description = "The name of the file.", example = "style.css")),
    responses(
        (status = 200, description = "The file.", content_type = "text/css", body = String),
        (status = 304, description = "The file has not changed since it was requested with its `ETag`."),
        (status = 404, description = "There is no such file.")
    )
)]
pub async fn asset(_: Arc<App>, request: Request) -> Result<Response, Error> {
    if request.param("file") != "style.css" {
        return Err(Error::not_found("Not Found"));
    }
    Ok(cached(of_bytes(StatusCode::OK, "text/css; charset=utf-8", STYLE), Cache::MaxAge(MAX_AGE)))
}
