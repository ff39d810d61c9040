//! `GET /api/_/test_names`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::names::TEST_NAMES;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Tests and their names.
#[derive(Serialize, ToSchema)]
struct TestNames {
    test_names: Vec<TestName>,
}

/// A test.
#[derive(Serialize, ToSchema)]
struct TestName {
    /// The test, as in measurements.
    id: &'static str,
    /// Its display name.
    name: &'static str,
}

/// Tests and their names.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/api/_/test_names",
    tag = "Private",
    summary = "Names of tests",
    description = "The tests that pages show, ordered by id, with their display names.",
    responses(
        (status = 200, description = "24 tests.", body = TestNames,
            example = json!({"test_names": [{"id": "bridge_reachability", "name": "Bridge Reachability"}, {"id": "dash", "name": "DASH"}]}))
    )
)]
pub async fn test_names(_: Arc<App>, _: Request) -> Result<Response, Error> {
    let test_names = TEST_NAMES.iter().map(|&(id, name)| TestName { id, name }).collect();
    Ok(response::cached(response::json(&TestNames { test_names }), Cache::MaxAge(3600)))
}
