//! `POST /api/v1/submit_measurement`, where probes from 3.30 submit.

use super::schema::{SubmitMeasurementRequest, SubmitMeasurementResponse};
use super::{accept, fresh, report_id};
use crate::app::App;

use crate::http::{Encoded, Error, InMemory, Request, Response};
use crate::intake::{Route, Submission};
use crate::payload::Payload;
use crate::probe::submit::{self, Refusal, Submitted};
use hyper::StatusCode;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

/// The version of the protocol of anonymous credentials that answers name.
const PROTOCOL_VERSION: &str = "0.1.0";

/// Keeps a measurement. Credentials are not verified: it is accepted without.
///
/// # Errors
/// 400 for a measurement that cannot be used; 413 and 503. All have `detail`.
#[utoipa::path(
    post,
    path = "/api/v1/submit_measurement",
    tag = "Probe services",
    summary = "Submit a measurement, with or without credentials",
    description = "Stores a measurement under a new report id. Anonymous credentials are neither verified nor stored, and are not required. 200 means that the measurement is on the disk.",
    params(("Content-Encoding" = Option<String>, Header, description = "How the body is encoded: `gzip`, `zstd` or `identity`.")),
    request_body(content = SubmitMeasurementRequest, description = "The measurement as a JSON text; up to 200 MB after it is decoded.", example = json!({"format": "json", "content": "{\"test_name\": \"web_connectivity\", \"probe_cc\": \"IT\", \"probe_asn\": \"AS3269\", \"test_keys\": {}}", "nym": null, "zkp_request": null, "manifest_version": null, "protocol_version": null})),
    responses((status = 200, description = "The measurement is stored.", body = SubmitMeasurementResponse))
)]
pub async fn submit_measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    keep(app, request).await.map_err(Error::into_detail)
}

async fn keep(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let metrics = &app.probe.metrics;
    metrics.received.inc();
    app.intake.has_room()?;
    let found = app.geo.look_up(request.client());
    let headers = accept::kept_headers(request.headers());
    let refused = |refusal: Refusal| {
        let reason = if refusal.message.is_some() { &refusal.error } else { "bad_json" };
        metrics.bad.with_label_values(&[reason]).inc();
        Error::detail(StatusCode::BAD_REQUEST, refusal.detail())
    };
    let (submitted, body) = match request.in_memory().await {
        Ok(body) => read(&app, body).await,
        Err(error) => Err(error.into()),
    }
    .map_err(|unread| match unread {
        Unread::Refused(refusal) => refused(refusal),
        Unread::Failed(error) if error.status() == StatusCode::BAD_REQUEST => {
            refused(Refusal::sentence("the body cannot be decoded"))
        }
        Unread::Failed(error) => error,
    })?;
    let report = submitted.report;
    let report_id = report_id(&app, &report.test_name, &report.probe_cc, report.probe_asn)?;
    let submission = Submission {
        route: Route::SubmitMeasurement,
        key_report_id: submitted.probe_report_id,
        probe_cc: report.probe_cc.clone(),
        test_name: report.test_name.clone(),
        uid: None,
        headers,
        side: accept::side(Some(report_id), Some('u'), &found),
        body,
    };
    let accepted = app.intake.accept(submission).await?;
    accept::count_location(&app, &report, &found);
    Ok(fresh(&json!({
        "measurement_uid": accepted.uid,
        "verification_status": "unverified",
        "submit_response": null,
        "protocol_version": PROTOCOL_VERSION,
        "error": submitted.has_credentials.then_some("manifest_not_found"),
        "report_id": accepted.report_id,
    })))
}

/// Why a request was not read.
enum Unread {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Unread {
        Unread::Refused(refusal)
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Unread {
        Unread::Failed(error)
    }
}

/// Reads a request, and returns the bytes to keep.
///
/// Its body has credentials and must not be written to a disk, so a large one is in memory. Large ones are decoded and read
/// one after the other, since each takes memory for the body, for the measurement in it, and for its values.
async fn read(app: &App, body: InMemory) -> Result<(Submitted, Payload), Unread> {
    let body = match body {
        InMemory::Small(body) => {
            let mut submitted = submit::read(&body)?;
            let envelope = std::mem::take(&mut submitted.envelope);
            return Ok((submitted, Payload::Memory(envelope.into())));
        }
        InMemory::Large(body) => body,
    };
    let permit = Arc::clone(&app.probe.large_submissions).acquire_owned().await;
    let folder = app.config.state_dir.join("tmp");
    let read = tokio::task::spawn_blocking(move || {
        let result = read_large(body, &folder);
        drop(permit);
        result
    });
    read.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a large submission cannot be read");
        Err(Error::internal().into())
    })
}

fn read_large(body: Encoded, folder: &Path) -> Result<(Submitted, Payload), Unread> {
    let mut submitted = submit::read(&body.decode()?)?;
    let envelope = std::mem::take(&mut submitted.envelope);
    let write = || {
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(&envelope)?;
        Ok(file)
    };
    let file = write().map_err(|error: io::Error| {
        tracing::error!(%error, "a temporary file cannot be written");
        Error::unavailable("the server cannot write to its disk", 60)
    })?;
    Ok((submitted, Payload::File { file, length: envelope.len() as u64, space: None }))
}
