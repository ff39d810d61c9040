//! [`Request`]: what a handler sees of a request.

use super::body::{Bodies, InMemory};
use super::decode::Coding;
use super::error::Error;
use super::incoming::Body;
use super::query::Query;
use crate::payload::Payload;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;

/// Maximum size of a body that is not a measurement, in bytes.
pub const SMALL_BODY: usize = 1 << 20;

/// A request, with the address of its client and the parameters in its path.
#[derive(Debug)]
pub struct Request {
    parts: Parts,
    query: Query,
    origin: Origin,
    /// Parameters of the path, percent-decoded.
    params: Vec<(String, String)>,
    body: Body,
    bodies: Arc<Bodies>,
}

/// Who sent a request.
#[derive(Debug)]
pub(super) struct Origin {
    /// The address of the other end of the connection.
    pub(super) peer: IpAddr,
    /// The address of the client: the peer, or what a trusted proxy says.
    pub(super) client: IpAddr,
    /// The id of the request, visible ASCII.
    pub(super) id: HeaderValue,
}

impl Request {
    /// A request of a connection.
    pub(super) fn new(
        parts: Parts,
        origin: Origin,
        params: Vec<(String, String)>,
        body: Body,
        bodies: Arc<Bodies>,
    ) -> Request {
        let query = Query::parse(parts.uri.query());
        Request { parts, query, origin, params, body, bodies }
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Its path, as it was sent.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Its path and query, as they were sent.
    pub(super) fn target(&self) -> &str {
        self.parts.uri.path_and_query().map_or("/", |target| target.as_str())
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
        self.origin.client
    }

    /// The address of the other end of the connection, which is that of a proxy if there is one.
    pub fn peer(&self) -> IpAddr {
        self.origin.peer
    }

    /// Its id: that of a trusted proxy, else a random one. It is in the response, the log and the span.
    pub fn id(&self) -> &str {
        self.origin.id.to_str().unwrap_or_default()
    }

    /// A parameter of the path, percent-decoded; empty if the route has none of this name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The body of a request that is not a measurement, decoded (gzip, zstd); at most [`SMALL_BODY`].
    ///
    /// # Errors
    /// 413 for a larger one, 400 for one that is cut off or cannot be decoded, 408 for one that makes no progress, 503 when
    /// too many bytes are in flight.
    pub async fn small_body(self) -> Result<Bytes, Error> {
        let coding = Coding::of(&self.parts.headers)?;
        self.bodies.small(self.body, coding).await
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

    /// The body of a submission that must not be written to a disk as it is, in memory. If it is large, it is not decoded yet.
    ///
    /// # Errors
    /// Those of [`Request::small_body`], with the limits of the configuration.
    pub async fn in_memory(self) -> Result<InMemory, Error> {
        let coding = Coding::of(&self.parts.headers)?;
        self.bodies.in_memory(self.body, coding).await
    }

    /// Reads the body and keeps nothing of it. It is neither decoded nor written to a disk.
    ///
    /// # Errors
    /// 413 and 408, and 400 for one that is cut off.
    pub async fn discard(self) -> Result<(), Error> {
        self.bodies.discard(self.body).await
    }

    /// The body of a submission, decoded (gzip, zstd): a large one is written to a temporary file.
    ///
    /// # Errors
    /// Those of [`Request::small_body`], with the limits of the configuration; 503 if there is not enough space.
    pub async fn payload(self) -> Result<Payload, Error> {
        let coding = Coding::of(&self.parts.headers)?;
        self.bodies.payload(self.body, coding).await
    }
}
