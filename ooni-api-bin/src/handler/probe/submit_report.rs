//! `POST /report/{report_id}`.

use super::schema::Kept;
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
    summary = "Submit a measurement",
    description = "Stores a measurement. The body is not parsed: any bytes are accepted. 200 means that the measurement is on the disk.\n\nA measurement that is submitted again within an hour gets the answer of the first time. If the network or the country in the report id is unknown (0, `ZZ`), nothing is stored and the answer is `{}`.",
    params(
        ("report_id" = String, Path, description = "The id of the report: time, nettest, country, network, collector and a random part.", example = json!("20250715T100000Z_webconnectivity_IT_3269_n1_AAAAAAAAAAAAAAAA")),
        ("Content-Encoding" = Option<String>, Header, description = "How the body is encoded: `gzip`, `zstd` or `identity`.")
    ),
    request_body(content = super::schema::Submission, description = "The measurement, of any content type; up to 200 MB after it is decoded.", example = json!({"format": "json", "content": {"test_name": "web_connectivity", "probe_cc": "IT", "probe_asn": "AS3269", "measurement_start_time": "2025-07-15 10:00:01", "test_keys": {}}})),
    responses((status = 200, description = "The measurement is stored.", body = Kept))
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
