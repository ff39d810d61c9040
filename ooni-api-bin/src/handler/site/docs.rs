//! `GET /openapi.json`, `GET /apispec_1.json`, `GET /apidocs/`, `GET /apidocs`.

use super::legacy::redirect;
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::page::layout;
use hyper::StatusCode;
use maud::PreEscaped;
use std::sync::Arc;

/// For how long the documentation may be kept, in seconds.
const MAX_AGE: u32 = 3600;

/// The description of all routes.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Site",
    summary = "This document",
    description = "The description of all routes, as an OpenAPI 3.1 document.",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object))
)]
pub async fn openapi(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let document = response::of_bytes(StatusCode::OK, "application/json", app.documentation.json());
    Ok(response::cached(document, Cache::MaxAge(MAX_AGE)))
}

/// To the description of all routes.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/apispec_1.json",
    tag = "Redirects",
    summary = "The document, at its former address",
    description = "Redirects to `/openapi.json`.",
    responses((status = 302, description = "To the document.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn apispec(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::FOUND, "/openapi.json"))
}

/// The documentation of all routes.
///
/// # Errors
/// 403 for `url` or `urls`.
#[utoipa::path(
    get,
    path = "/apidocs/",
    tag = "Site",
    summary = "This documentation",
    description = "The description of all routes, as a page.",
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 403, description = "The query has `url` or `urls`, with which other viewers can be made to show documents of other servers.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn apidocs(app: Arc<App>, request: Request) -> Result<Response, Error> {
    refuse_other_documents(&request)?;
    let page = layout::response(StatusCode::OK, PreEscaped(app.documentation.page().to_owned()));
    Ok(response::cached(page, Cache::MaxAge(MAX_AGE)))
}

/// To the documentation.
///
/// # Errors
/// 403 for `url` or `urls`.
#[utoipa::path(
    get,
    path = "/apidocs",
    tag = "Redirects",
    summary = "The documentation, without the slash",
    description = "Redirects to `/apidocs/`.",
    responses(
        (status = 302, description = "To the documentation.", headers(("Location" = String, description = "The new address."))),
        (status = 403, description = "The query has `url` or `urls`.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn apidocs_redirect(_: Arc<App>, request: Request) -> Result<Response, Error> {
    refuse_other_documents(&request)?;
    Ok(redirect(StatusCode::FOUND, "/apidocs/"))
}

/// The page of the reference loads the document that `url` or `urls` names, so its front end refuses these (API spec §12).
fn refuse_other_documents(request: &Request) -> Result<(), Error> {
    match ["url", "urls"].iter().any(|name| request.query().get(name).is_some()) {
        true => Err(Error::new(StatusCode::FORBIDDEN, "url and urls are not allowed")),
        false => Ok(()),
    }
}
