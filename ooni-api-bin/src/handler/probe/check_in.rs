//! `POST /api/v1/check-in`.

use super::schema::{CheckInRequest, CheckInResponse};
use super::{body, fresh, report_id};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::probe::check_in::CheckIn;
use crate::probe::nettests;
use crate::probe::prioritize::{Item, select};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Where the probe is, features, test helpers, and a report id for each nettest, with URLs for `web_connectivity`.
///
/// # Errors
/// 400 for a body that cannot be used. If the store fails there are no URLs.
#[utoipa::path(
    post,
    path = "/api/v1/check-in",
    tag = "Probe services",
    summary = "Check in before a run",
    description = "Where the probe is, the features and test helpers that it uses, and a report id for each nettest, with the URLs for `web_connectivity`.\n\nURLs and report ids are for the country and the network that the probe names; if it names neither, for those of its address. A scheduled run gets 100 URLs, or 20 while the device is not charging.",
    request_body(content = CheckInRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"probe_cc": "IT", "probe_asn": "AS3269", "platform": "android", "software_name": "ooniprobe-android", "software_version": "5.1.0", "on_wifi": true, "charging": false, "run_type": "timed", "web_connectivity": {"category_codes": ["NEWS"]}})),
    responses((status = 200, description = "What the probe needs for its run. If the database fails there are no URLs.", body = CheckInResponse))
)]
pub async fn check_in(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let found = app.geo.look_up(request.client());
    let check_in = CheckIn::read(&body(request).await?)?;
    let (probe_cc, probe_asn) = check_in.location(&found)?;
    check_in.count(&found, &app.probe.metrics);

    let mut tests = Map::new();
    for test_name in nettests::CHECK_IN {
        let report_id = report_id(&app, test_name, &probe_cc, probe_asn)?;
        tests.insert(test_name.to_owned(), json!({"report_id": report_id}));
    }
    let ranked = app.probe.urls.ranked(&probe_cc, probe_asn).await.unwrap_or_default();
    let urls: Vec<Item<'_>> =
        select(&ranked, &check_in.categories, check_in.limit).map(|weighted| Item::from(&*weighted.entry)).collect();
    app.probe.metrics.check_in_urls.set(urls.len() as i64);
    if let Some(Value::Object(test)) = tests.get_mut("web_connectivity") {
        test.insert("urls".to_owned(), json!(urls));
    }
    let services = app.probe.services();
    Ok(fresh(&json!({
        "v": 1,
        "probe_cc": found.cc_or_zz(),
        "probe_asn": format!("AS{}", found.asn_or_0()),
        "probe_network_name": found.network_name,
        "utc_time": app.clock.now().iso_text(),
        "conf": {"features": services.features, "test_helpers": services.shuffled_test_helpers()},
        "tests": tests,
    })))
}
