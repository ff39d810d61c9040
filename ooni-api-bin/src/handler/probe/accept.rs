//! What the two submission routes have in common: room in the intake log, the log itself, and the comparison of where a
//! probe is with where it says it is.

use crate::app::App;
use crate::geo::Geolocation;
use crate::http::Error;
use crate::intake::{self, Accepted, Geo, Side, Submission};
use crate::payload::Payload;
use crate::probe::report_id::ReportId;
use crate::probe::software::Software;
use hyper::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};

/// Header values are cut at this length.
const MAX_HEADER: usize = 200;

/// How long a client should wait when the log cannot take a submission, in seconds: the disk is full, or it is slow.
const RETRY_LOW_DISK: u64 = 60;
const RETRY_BUSY: u64 = 5;

/// Checks that the intake log can take a submission, before its body is read.
///
/// # Errors
/// 503.
pub(super) fn check_room(app: &App) -> Result<(), Error> {
    app.intake.has_room().map_err(|_| Error::unavailable("the disk of the server is full", RETRY_LOW_DISK))
}

/// Keeps a submission. When this returns, it is durable.
///
/// # Errors
/// 503 if the log does not take it now; a retry is safe.
pub(super) async fn accept(app: &App, submission: Submission) -> Result<Accepted, Error> {
    app.intake.accept(submission).await.map_err(|error| match error {
        intake::Error::Busy => Error::unavailable("too many submissions at the same time", RETRY_BUSY),
        intake::Error::TooLarge { limit, .. } => Error::too_large(format!("the body is larger than {limit} bytes")),
        intake::Error::Closed => Error::unavailable("the server is stopping", RETRY_BUSY),
        error => {
            tracing::error!(%error, "a submission cannot be kept");
            Error::unavailable("the server cannot store submissions", RETRY_LOW_DISK)
        }
    })
}

/// What the server adds to a submission.
pub(super) fn side(report_id: Option<String>, is_verified: Option<char>, found: &Geolocation) -> Side {
    let mut side = Side::default();
    side.report_id = report_id;
    side.is_verified = is_verified;
    if !found.is_unknown() {
        side.geo = Some(Geo { cc: found.cc_or_zz().to_owned(), asn: found.asn_or_0() });
    }
    side
}

/// A body as the log takes it.
pub(super) fn body(payload: Payload) -> intake::Payload {
    match payload {
        Payload::Memory(bytes) => intake::Payload::Memory(bytes),
        Payload::File { file, length } => intake::Payload::File { file, length },
    }
}

/// The headers that are kept with a submission.
pub(super) fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = [USER_AGENT, CONTENT_TYPE].into_iter().filter_map(|name| {
        let value = headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.chars().take(MAX_HEADER).collect()))
    });
    kept.collect()
}

/// Counts whether a submission comes from where it says, and records it if not.
pub(super) fn compare_location(
    app: &App,
    uid: &str,
    report: &ReportId,
    found: &Geolocation,
    software: impl FnOnce() -> Software,
) {
    let has_other_cc = found.cc.as_ref().is_some_and(|cc| !cc.eq_ignore_ascii_case(&report.probe_cc));
    let has_other_asn = found.asn.is_some_and(|asn| asn != report.probe_asn);
    let metrics = &app.probe.metrics;
    match (has_other_cc, has_other_asn) {
        (false, false) if found.is_unknown() => return,
        (false, false) => return metrics.location_match.inc(),
        (true, _) => metrics.location_mismatch.with_label_values(&["cc"]).inc(),
        (false, true) => metrics.location_mismatch.with_label_values(&["asn"]).inc(),
    }
    app.probe.faults.location(uid, report, found, &software());
}
