//! [`Request`]: what a handler sees of a request.

use super::error::Error;
use super::query::Query;
use crate::payload::Payload;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use std::net::IpAddr;

/// Maximum size of a body that is not a measurement, in bytes.
pub const SMALL_BODY: usize = 1 << 20;

/// A request, with the address of its client and the parameters in its path.
#[derive(Debug)]
pub struct Request {
    parts: Parts,
    query: Query,
    /// The address of the client: the peer, or what a trusted proxy says.
    client: IpAddr,
    /// Parameters of the path, percent-decoded.
    params: Vec<(String, String)>,
    body: Incoming,
}

impl Request {
    /// A request of a connection.
    pub fn new(request: hyper::Request<Incoming>, client: IpAddr, params: Vec<(String, String)>) -> Request {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query());
        Request { parts, query, client, params, body }
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Its path, as it was sent.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A header as text; `None` if it is missing or not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The parameters of its query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The address of the client.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// A parameter of the path, percent-decoded; empty if the route has none of this name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The body of a request that is not a measurement, decoded; at most [`SMALL_BODY`].
    ///
    /// # Errors
    /// 413 for a larger one, 400 for one that is cut off or cannot be decoded.
    pub async fn small_body(self) -> Result<Bytes, Error> {
        let limited = Limited::new(self.body, SMALL_BODY);
        match limited.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(_) => Err(Error::bad_request("the body was cut off")),
        }
    }

    /// The body of a request that has to be a JSON object, whatever its content type (API spec §5.1).
    ///
    /// # Errors
    /// 400 `JSON expected` for anything else, and those of [`Request::small_body`].
    pub async fn json_object(self) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let body = self.small_body().await?;
        match serde_json::from_slice(&body) {
            Ok(serde_json::Value::Object(object)) => Ok(object),
            _ => Err(Error::bad_request("JSON expected")),
        }
    }

    /// The body of a submission, decoded (gzip, zstd): a large one is written to a temporary file.
    ///
    /// # Errors
    /// 413 beyond the limits, 400 for one that is cut off or cannot be decoded, 503 when too many bytes are in flight.
    pub async fn payload(self) -> Result<Payload, Error> {
        self.small_body().await.map(Payload::Memory)
    }
}
