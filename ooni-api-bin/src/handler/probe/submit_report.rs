//! `POST /report/{report_id}`.

use super::{accept, fresh};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::intake::{Route, Submission};
use crate::probe::report_id::{Discard, ReportId};
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Keeps a measurement. The body is not looked at: whatever it is, it is kept (API spec §16, 22).
///
/// # Errors
/// 400 `Incorrect format` for a report id of another form, or a body that cannot be decoded; 413 and 503.
#[utoipa::path(
    post,
    path = "/report/{report_id}",
    tag = "Probe services",
    params(("report_id" = String, Path, description = "")),
    responses((status = 200, description = ""))
)]
pub async fn submit_report(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let metrics = &app.probe.metrics;
    metrics.received.inc();
    let refused = |reason: &str| {
        metrics.bad.with_label_values(&[reason]).inc();
        Error::bad_request("Incorrect format")
    };
    let report_id = request.param("report_id").to_owned();
    let report = ReportId::parse(&report_id).ok_or_else(|| refused("bad_report_id"))?;
    if let Some(discard) = report.discard() {
        let (counter, reason) = match discard {
            Discard::UnknownNetwork => (&metrics.discarded_asn, "asn_0"),
            Discard::UnknownCountry => (&metrics.discarded_cc, "cc_zz"),
        };
        counter.inc();
        metrics.bad.with_label_values(&[reason]).inc();
        // Read to its end, or a client that is still sending would not get the answer.
        let _ = request.discard().await;
        return Ok(fresh(&json!({})));
    }
    app.intake.has_room()?;
    let found = app.geo.look_up(request.client());
    let headers = accept::kept_headers(request.headers());
    let body = request.payload().await.map_err(|error| match error.status() {
        StatusCode::BAD_REQUEST => refused("zstd_fail"),
        _ => error,
    })?;
    let submission = Submission {
        route: Route::Report,
        key_report_id: report_id,
        probe_cc: report.probe_cc.clone(),
        test_name: report.test_name.clone(),
        uid: None,
        headers,
        // Not verified, whatever the body says.
        side: accept::side(None, Some('u'), &found),
        body,
    };
    let accepted = app.intake.accept(submission).await?;
    accept::count_location(&app, &report, &found);
    Ok(fresh(&json!({"measurement_uid": accepted.uid})))
}
