//! Responses: JSON, text and bytes, and their cache headers (API spec §1.2, §1.3).

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use serde::Serialize;
use std::io;

/// A response, with a body in memory or a stream. The length of a body in memory is known, that of a stream is not.
pub type Response = hyper::Response<BoxBody<Bytes, io::Error>>;

/// `Cache-Control` (API spec §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// `no-cache`.
    None,
    /// `max-age`, in seconds.
    MaxAge(u32),
}

/// JSON with status 200 and no cache header.
pub fn json(value: &impl Serialize) -> Response {
    // Values that are serialized here have string keys and no errors of their own.
    let mut body = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    body.push(b'\n');
    of_bytes(StatusCode::OK, "application/json", body)
}

/// Plain text.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    of_bytes(status, "text/plain; charset=utf-8", text)
}

/// No body and no content type.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}

/// Bytes of a content type.
pub fn of_bytes(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body(bytes.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body in memory.
pub(super) fn body(bytes: Bytes) -> BoxBody<Bytes, io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// The response to `HEAD`: the headers of the response to `GET`, without its body.
pub(super) fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact()
        && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|_| empty(StatusCode::OK).into_body())
}

/// Adds the headers for browsers that every response has.
pub(super) fn add_security_headers(response: &mut Response, encrypted: bool) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if encrypted {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
}

/// The response with a cache header.
pub fn cached(mut response: Response, cache: Cache) -> Response {
    let value = match cache {
        Cache::None => HeaderValue::from_static("no-cache"),
        Cache::MaxAge(seconds) => HeaderValue::from_str(&format!("max-age={seconds}"))
            .unwrap_or_else(|_| HeaderValue::from_static("no-cache")),
    };
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}

/// Marks a response that the cache of this process must not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotKept;

/// The response, not to be kept in the cache of this process, such as a miss that may become a hit at any moment.
pub fn not_kept(mut response: Response) -> Response {
    response.extensions_mut().insert(NotKept);
    response
}
