//! What the two submission routes keep beside the body, and the comparison of where a probe is with where it says.

use crate::app::App;
use crate::geo::Geolocation;
use crate::intake::{Geo, Side};
use crate::probe::report_id::ReportId;
use hyper::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};

/// Header values are cut at this length.
const MAX_HEADER: usize = 200;

/// What the server adds to a submission.
pub(super) fn side(report_id: Option<String>, is_verified: Option<char>, found: &Geolocation) -> Side {
    let known = || Geo { cc: found.cc_or_zz().to_owned(), asn: found.asn_or_0() };
    Side { report_id, is_verified, geo: (!found.is_unknown()).then(known), ..Side::default() }
}

/// The headers that are kept with a submission.
pub(super) fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = [USER_AGENT, CONTENT_TYPE].into_iter().filter_map(|name| {
        let value = headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.chars().take(MAX_HEADER).collect()))
    });
    kept.collect()
}

/// Counts whether a submission comes from where it says. Scoring records those that do not.
pub(super) fn count_location(app: &App, report: &ReportId, found: &Geolocation) {
    let has_other_cc = found.cc.as_ref().is_some_and(|cc| !cc.eq_ignore_ascii_case(&report.probe_cc));
    let has_other_asn = found.asn.is_some_and(|asn| asn != report.probe_asn);
    let metrics = &app.probe.metrics;
    match (has_other_cc, has_other_asn) {
        (true, _) => metrics.location_mismatch.with_label_values(&["cc"]).inc(),
        (false, true) => metrics.location_mismatch.with_label_values(&["asn"]).inc(),
        (false, false) if found.is_unknown() => {}
        (false, false) => metrics.location_match.inc(),
    }
}
