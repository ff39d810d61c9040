//! HTTP: connections, requests, responses and errors. Which routes there are is in `router`, and what they do in `handler`.

pub mod error;
pub mod query;
pub mod request;
pub mod response;

pub use self::error::Error;
pub use self::query::Query;
pub use self::request::Request;
pub use self::response::Response;
