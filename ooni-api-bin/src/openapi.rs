//! The description of all routes, OpenAPI 3.1, from the attributes of their handlers.

use crate::router::Handlers;
use utoipa::OpenApi;

/// The description of all routes.
pub fn document() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
