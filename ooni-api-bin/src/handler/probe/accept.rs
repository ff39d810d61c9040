//! What the two submission routes have in common: room in the intake log, the log itself, and the comparison of where a
//! probe is with where it says it is.

use crate::app::App;
use crate::geo::Geolocation;
use crate::http::Error;
use crate::payload::Payload;
use crate::probe::report_id::ReportId;
use crate::probe::software::Software;
use hyper::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use ooni_core::hex::hex;
use sha2::{Digest as _, Sha512};

/// Header values are cut at this length.
const MAX_HEADER: usize = 200;

/// How a measurement was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Report,
    SubmitMeasurement,
}

/// What the server adds to a measurement.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    pub(super) report_id: Option<String>,
    pub(super) is_verified: Option<char>,
}

/// A measurement to keep.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) route: Route,
    pub(super) key_report_id: String,
    pub(super) probe_cc: String,
    pub(super) test_name: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) side: Side,
    pub(super) body: Payload,
}

/// A measurement that is kept.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) uid: String,
    pub(super) report_id: Option<String>,
}

/// Checks that the intake log can take a submission, before its body is read.
pub(super) fn check_room(_: &App) -> Result<(), Error> {
    Ok(())
}

/// Keeps a submission.
pub(super) async fn accept(app: &App, submission: Submission) -> Result<Accepted, Error> {
    let Payload::Memory(body) = &submission.body else { return Err(Error::internal()) };
    let hash = hex(Sha512::digest(body)[..8].iter().copied());
    let uid = format!("{}_{}_{}_{hash}", app.clock.now().uid_text(), submission.probe_cc, submission.test_name);
    Ok(Accepted { uid, report_id: submission.side.report_id })
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
