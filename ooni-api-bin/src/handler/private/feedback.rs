//! `GET /api/_/measurement_feedback/{measurement_uid}`, `POST /api/_/measurement_feedback`.

use super::account::login_required;
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// What users reported about a measurement.
#[derive(Serialize, ToSchema)]
struct FeedbackSummary {
    /// The number of users by the status that they reported last, such as `blocked.dns`, `down` or `ok`.
    summary: BTreeMap<String, u64>,
}

/// The feedback of users on a measurement.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/measurement_feedback/{measurement_uid}",
    tag = "Private",
    summary = "Feedback of users on a measurement",
    description = "The latest feedback of each user, counted by status. A measurement without feedback, or without a row, has none.",
    params(
        ("measurement_uid" = String, Path, description = "UID of the measurement",
            example = "20250710120034.300587_IR_webconnectivity_cdf2cdb7b26ede71")
    ),
    responses(
        (status = 200, description = "The number of users by status.", body = FeedbackSummary,
            example = json!({"summary": {"blocked.dns": 2, "ok": 1}}))
    )
)]
pub async fn measurement_feedback(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let store = app.stores.application()?.with_deadline(app.stores.read_deadline());
    let summary = store.feedback(request.param("measurement_uid")).await?.into_iter().collect();
    Ok(response::cached(response::json(&FeedbackSummary { summary }), Cache::MaxAge(0)))
}

/// For users with an account only, and this server has none.
///
/// # Errors
/// Always 401.
#[utoipa::path(
    post,
    path = "/api/_/measurement_feedback",
    tag = "Private",
    summary = "Submit feedback on a measurement",
    description = "Only users with an account may submit feedback. This server has no accounts, so the response is always 401.",
    request_body(content = Object, description = "The measurement and a status of it",
        example = json!({"measurement_uid": "20250710120034.300587_IR_webconnectivity_cdf2cdb7b26ede71", "status": "ok"})),
    responses((status = 401, description = "Authentication is required.", content_type = "application/json", example = json!({"error": "Authentication required"})))
)]
pub async fn submit_feedback(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Err(login_required())
}
