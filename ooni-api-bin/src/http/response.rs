//! Responses: JSON, text and bytes, and their cache headers (API spec §1.2, §1.3).

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use std::io;

/// A response, with a body in memory or a stream.
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

/// Bytes of a content type.
pub fn of_bytes(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(bytes.into()).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
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
