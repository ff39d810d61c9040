//! [`Error`]: a response that says what was wrong (API spec §1.4).

use super::response::{self, Cache, Response};
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};

/// An error response. Its body is JSON and never has text of a database.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    body: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Error {
    /// `{"error": message}` with this status and `no-cache`.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Error {
        Error { status, body: json!({"error": message.into()}), headers: Vec::new() }
    }

    /// 400: a parameter or a body that cannot be used. The sentence names it.
    pub fn bad_request(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401.
    pub fn unauthorized(message: impl Into<String>) -> Error {
        Error::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 404: no such route or object.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(StatusCode::NOT_FOUND, message)
    }

    /// 405, with the methods that the route has.
    pub fn method_not_allowed(allowed: &str) -> Error {
        let mut error = Error::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        if let Ok(allowed) = HeaderValue::from_str(allowed) {
            error.headers.push((ALLOW, allowed));
        }
        error
    }

    /// 408: the client sent nothing for too long.
    pub fn request_timeout() -> Error {
        Error::new(StatusCode::REQUEST_TIMEOUT, "Request Timeout")
    }

    /// 413: a body beyond a limit.
    pub fn too_large(message: impl Into<String>) -> Error {
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 431: more or longer headers than the limits allow.
    pub fn headers_too_large() -> Error {
        Error::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
    }

    /// 500: a fault of the server. The cause is logged, not sent.
    pub fn internal() -> Error {
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    /// 503: try again after some seconds.
    pub fn unavailable(message: impl Into<String>, retry_after: u64) -> Error {
        let mut error = Error::new(StatusCode::SERVICE_UNAVAILABLE, message);
        error.headers.push((RETRY_AFTER, HeaderValue::from(retry_after)));
        error
    }

    /// 504: a query took too long.
    pub fn timeout() -> Error {
        Error::new(StatusCode::GATEWAY_TIMEOUT, "The database query timed out. Try changing the query parameters.")
    }

    /// `{"detail": detail}`, for routes that only the newer services of the reference have (API spec §1.4).
    pub fn detail(status: StatusCode, detail: impl Into<Value>) -> Error {
        Error { status, body: json!({"detail": detail.into()}), headers: Vec::new() }
    }

    /// The same error with its body as `detail`, if it has none yet.
    #[must_use]
    pub fn into_detail(mut self) -> Error {
        if self.body.get("detail").is_none() {
            self.body = json!({"detail": self.body});
        }
        self
    }

    /// The same error with another key in its body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Error {
        if let Some(body) = self.body.as_object_mut() {
            body.insert(key.to_owned(), value.into());
        }
        self
    }

    /// The same error with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Error {
        self.headers.push((name, value));
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What was wrong, as a sentence; empty if its body has none.
    pub fn message(&self) -> &str {
        self.body["error"].as_str().or_else(|| self.body["detail"].as_str()).unwrap_or_default()
    }

    /// Its body.
    pub(super) fn text(&self) -> String {
        format!("{}\n", self.body)
    }

    /// As a response.
    pub fn into_response(self) -> Response {
        let mut response = response::json(&self.body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response::cached(response, Cache::None)
    }
}

impl From<ooni_store::Error> for Error {
    /// 504 for a timeout, 503 for a store that is busy or cannot be reached, 400 for a result beyond a limit, else 500.
    fn from(error: ooni_store::Error) -> Error {
        use ooni_store::ErrorKind;
        tracing::warn!(%error, "the store failed");
        match error.kind() {
            ErrorKind::Timeout => Error::timeout(),
            ErrorKind::Busy | ErrorKind::Unavailable => Error::unavailable(error.public_message(), 10),
            ErrorKind::TooLarge => Error::bad_request(error.public_message()),
            _ => Error::internal(),
        }
    }
}

impl From<crate::intake::Error> for Error {
    /// What was not acknowledged can be sent again: 503, except for what cannot be kept at all.
    fn from(error: crate::intake::Error) -> Error {
        use crate::intake::Error as Intake;
        match error {
            Intake::TooLarge { .. } => Error::too_large(error.to_string()),
            Intake::Invalid(_) => Error::bad_request(error.to_string()),
            Intake::Conflict(_) => Error::new(StatusCode::CONFLICT, error.to_string()),
            Intake::Busy => Error::unavailable("too many submissions at the same time", 5),
            _ => {
                tracing::error!(%error, "a submission cannot be stored");
                Error::unavailable("submissions cannot be stored", 60)
            }
        }
    }
}

impl From<crate::intake::LowDisk> for Error {
    fn from(_: crate::intake::LowDisk) -> Error {
        Error::unavailable("there is not enough free disk space", 300)
    }
}
