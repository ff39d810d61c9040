//! CORS: pages of every origin may call the public routes, without credentials (API spec §1.5).

use super::response::{self, Response};
use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// How long a browser may remember the answer to a preflight request, in seconds.
const MAX_AGE: &str = "600";
/// Headers that scripts may read, besides those that they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-ratelimit-remaining, retry-after, etag");

/// The answer to `OPTIONS`: 204 for a preflight request, else 200; with the methods of the route.
pub(super) fn options(headers: &HeaderMap, allowed: &str) -> Response {
    let mut response = response::empty(StatusCode::OK);
    let Ok(allowed) = HeaderValue::from_str(allowed) else { return response };
    if headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, allowed.clone());
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        if let Some(requested) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
            answer.append(VARY, HeaderValue::from_name(ACCESS_CONTROL_REQUEST_HEADERS));
        }
    }
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// Allows the origin of a request to read its response.
pub(super) fn allow(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    match origin.filter(|origin| origin.to_str().is_ok()) {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.append(VARY, HeaderValue::from_name(ORIGIN));
        }
        None => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))),
    }
}
