//! `GET /static/{file}`.

use crate::app::App;
use crate::http::response::{self, Cache, cached, of_bytes};
use crate::http::{Error, Request, Response};
use crate::page::style::{STYLE, VERSION};
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
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
    let tag = format!("\"{VERSION:016x}\"");
    let is_known = request.header(IF_NONE_MATCH.as_str()).is_some_and(|tags| tags.contains(&tag));
    let mut response = match is_known {
        true => response::empty(StatusCode::NOT_MODIFIED),
        false => of_bytes(StatusCode::OK, "text/css; charset=utf-8", STYLE),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(cached(response, Cache::MaxAge(MAX_AGE)))
}
