//! Small fixed pages: `/robots.txt`, `/invalidpath`, `/api/`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde_json::json;
use std::sync::Arc;

/// What crawlers should not load.
const ROBOTS: &str = "
User-agent: *
Disallow: /api/_
Disallow: /api/v1/aggregation
Disallow: /api/v1/measurement_meta
Disallow: /api/v1/raw_measurement
Disallow: /api/v1/test-list/urls
Disallow: /api/v1/torsf_stats
Disallow: /files
Disallow: /stats
Disallow: /201
Disallow: /202
Crawl-delay: 300
";

/// `GET /robots.txt`.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/robots.txt",
    tag = "Site",
    summary = "Rules for crawlers",
    description = "What crawlers should not load.",
    responses((status = 200, description = "The rules.", body = String, content_type = "text/plain"))
)]
pub async fn robots(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::text(StatusCode::OK, ROBOTS), Cache::MaxAge(86_400)))
}

/// `GET /invalidpath`, which monitoring expects to fail.
///
/// # Errors
/// None: the response is 404.
#[utoipa::path(
    get,
    path = "/invalidpath",
    tag = "Site",
    summary = "A path that does not exist",
    description = "Always 404: monitoring expects it.",
    responses((status = 404, description = "As expected.", body = Object, content_type = "application/json", example = json!({"error": 404})))
)]
pub async fn invalid_path(_: Arc<App>, _: Request) -> Result<Response, Error> {
    let mut response = response::cached(response::json(&json!({"error": 404})), Cache::None);
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// `GET /api/`: to the documentation.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/",
    tag = "Site",
    summary = "The documentation, at the prefix of the API",
    description = "Redirects to the documentation.",
    responses((status = 302, description = "To the documentation.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn api(_: Arc<App>, _: Request) -> Result<Response, Error> {
    let mut response = response::text(StatusCode::FOUND, "");
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/apidocs"));
    Ok(response)
}
