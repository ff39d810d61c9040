//! `POST /api/v1/submit_measurement`, where probes from 3.30 submit.

use super::accept::{self, Route, Side, Submission, accept, check_room};
use super::{fresh, report_id};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::payload::Payload;
use crate::probe::submit::{self, Refusal, Submitted};
use hyper::StatusCode;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

/// The version of the protocol of anonymous credentials that answers name.
const PROTOCOL_VERSION: &str = "0.1.0";

/// Keeps a measurement. Credentials are not verified: it is accepted without.
///
/// # Errors
/// 400 with `detail` for a measurement that cannot be used; 413 and 503.
pub async fn submit_measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let metrics = &app.probe.metrics;
    metrics.received.inc();
    check_room(&app)?;
    let found = app.geo.look_up(request.client());
    let headers = accept::kept_headers(request.headers());
    let refused = |refusal: Refusal| {
        let reason = if refusal.message.is_some() { &refusal.error } else { "bad_json" };
        metrics.bad.with_label_values(&[reason]).inc();
        Error::detail(StatusCode::BAD_REQUEST, refusal.detail())
    };
    let body = request.payload().await.map_err(|error| match error.status() {
        StatusCode::BAD_REQUEST => refused(Refusal::sentence("the body cannot be decoded")),
        _ => error,
    })?;
    let (submitted, body) = read(&app, body).await?.map_err(refused)?;
    let report = submitted.report;
    let submission = Submission {
        route: Route::SubmitMeasurement,
        key_report_id: submitted.probe_report_id,
        probe_cc: report.probe_cc.clone(),
        test_name: report.test_name.clone(),
        headers,
        side: Side {
            report_id: Some(report_id(&app, &report.test_name, &report.probe_cc, report.probe_asn)?),
            is_verified: Some('u'),
        },
        body,
    };
    let accepted = accept(&app, submission).await?;
    accept::compare_location(&app, &accepted.uid, &report, &found, || submitted.software);
    Ok(fresh(&json!({
        "measurement_uid": accepted.uid,
        "verification_status": "unverified",
        "submit_response": null,
        "protocol_version": PROTOCOL_VERSION,
        "error": submitted.has_credentials.then_some("manifest_not_found"),
        "report_id": accepted.report_id,
    })))
}

/// Reads a request, and returns the bytes to keep.
///
/// A large request is in a file, and so are the bytes to keep then. In between it is in memory together with its
/// measurement, at most twice 200 MB, so large ones are read one after the other.
async fn read(app: &App, body: Payload) -> Result<Result<(Submitted, Payload), Refusal>, Error> {
    let (file, length) = match body {
        Payload::Memory(bytes) => {
            return Ok(submit::read(&bytes).map(|mut submitted| {
                let envelope = std::mem::take(&mut submitted.envelope);
                (submitted, Payload::Memory(envelope.into()))
            }));
        }
        Payload::File { file, length } => (file, length),
    };
    let permit = Arc::clone(&app.probe.large_submissions).acquire_owned().await;
    let dir = app.config.state_dir.clone();
    let result = tokio::task::spawn_blocking(move || {
        let result = read_large(file, length, &dir);
        drop(permit);
        result
    });
    match result.await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => {
            tracing::error!(%error, "a temporary file cannot be read or written");
            Err(Error::unavailable("the server has a problem with its disk", 60))
        }
        Err(error) => {
            tracing::error!(%error, "a large submission cannot be read");
            Err(Error::internal())
        }
    }
}

fn read_large(mut file: File, length: u64, dir: &Path) -> io::Result<Result<(Submitted, Payload), Refusal>> {
    let mut body = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.rewind()?;
    file.take(length).read_to_end(&mut body)?;
    let mut submitted = match submit::read(&body) {
        Ok(submitted) => submitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    drop(body);
    let envelope = std::mem::take(&mut submitted.envelope);
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&envelope)?;
    let length = envelope.len() as u64;
    Ok(Ok((submitted, Payload::File { file, length })))
}
