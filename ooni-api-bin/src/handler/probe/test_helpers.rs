//! `GET /api/v1/test-helpers`.

use super::fresh;
use super::schema::ServiceEndpoint;
use crate::app::App;
use crate::http::{Error, Request, Response};
use std::sync::Arc;

/// Test helpers by name.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/v1/test-helpers",
    tag = "Probe services",
    summary = "Test helpers",
    description = "The addresses of test helpers by name. Their order is random.",
    responses((status = 200, description = "The test helpers.", body = BTreeMap<String, Vec<ServiceEndpoint>>))
)]
pub async fn test_helpers(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(fresh(&app.probe.services().shuffled_test_helpers()))
}
