//! HTTP: connections, requests, responses and errors. Which routes there are is in `router`, and what they do in `handler`.

// What handlers use.
pub mod error;
pub mod query;
pub mod request;
pub mod response;

// Connections, from the socket to a handler.
mod connection;
mod exchange;
mod framing;
mod incoming;
pub mod server;
mod state;
mod stream;
pub mod tls;

// What stands between reads and their handlers.
mod cache;
mod gate;
pub mod limits;
mod lru;
mod reads;
mod unsent;

// Parts of requests and responses.
pub mod anonymize;
mod body;
mod compress;
mod cors;
mod decode;
mod etag;
mod metrics;
pub mod network;
pub mod proxies;

pub use self::body::{Encoded, InMemory};
pub use self::error::Error;
pub use self::query::Query;
pub use self::request::Request;
pub use self::response::Response;
pub use self::server::HttpServer;
