//! `GET /api/_/account_metadata`, `GET /api/_/quotas_summary`. There are no accounts.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Who is logged in.
#[derive(Serialize, ToSchema)]
struct AccountMetadata {
    /// Always false.
    logged_in: bool,
    /// Always empty.
    role: &'static str,
}

/// 401, as for every route that needs an account.
pub(super) fn login_required() -> Error {
    Error::unauthorized("Authentication required")
}

/// The account of the client. There are no accounts.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/_/account_metadata",
    tag = "Private",
    summary = "The account of the caller",
    description = "This server has no accounts, so the client is never logged in.",
    responses(
        (status = 200, description = "The client is not logged in.", body = AccountMetadata,
            example = json!({"logged_in": false, "role": ""}))
    )
)]
pub async fn account_metadata(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(response::cached(response::json(&AccountMetadata { logged_in: false, role: "" }), Cache::None))
}

/// For administrators only, and this server has none.
///
/// # Errors
/// Always 401.
#[utoipa::path(
    get,
    path = "/api/_/quotas_summary",
    tag = "Private",
    summary = "The clients closest to their rate limits",
    description = "Only administrators may see them. This server has no accounts, so the response is always 401.",
    responses((status = 401, description = "Authentication is required.", content_type = "application/json", example = json!({"error": "Authentication required"})))
)]
pub async fn quotas_summary(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(login_required())
}
