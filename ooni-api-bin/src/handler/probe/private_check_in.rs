//! `POST /api/_/check-in`, an experiment (API spec §6.3).

use super::schema::{CheckInRequest, PrivateCheckInResponse};
use super::{body, fresh, report_id};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::probe::check_in::CheckIn;
use crate::probe::nettests;
use crate::probe::prioritize::{Item, Weighted, select};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// As check-in, with inputs for more nettests.
///
/// # Errors
/// 400 for a body that cannot be used.
#[utoipa::path(
    post,
    path = "/api/_/check-in",
    tag = "Probe services",
    summary = "Check in, with inputs for more nettests",
    description = "An experiment: as `/api/v1/check-in`, with inputs for `dnscheck` and `stunreachability` too.",
    request_body(content = CheckInRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"probe_cc": "IT", "probe_asn": "AS3269", "run_type": "manual"})),
    responses((status = 200, description = "What the probe needs for its run.", body = PrivateCheckInResponse))
)]
pub async fn private_check_in(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let client = request.client();
    let found = app.geo.look_up(client);
    let check_in = CheckIn::read(&body(request).await?)?;
    let (probe_cc, probe_asn) = check_in.location(&found)?;
    check_in.count(&found, &app.probe.metrics);

    let ranked = app.probe.urls.ranked(&probe_cc, probe_asn).await.unwrap_or_default();
    let mut nettests = Vec::new();
    for test_name in nettests::PRIVATE_CHECK_IN {
        let targets: Vec<Value> = match test_name {
            "web_connectivity" => select(&ranked, &check_in.categories, check_in.limit).map(url).collect(),
            "dnscheck" => nettests::DNS.iter().map(target).collect(),
            "stunreachability" => nettests::STUN.iter().map(target).collect(),
            _ => Vec::new(),
        };
        let report_id = report_id(&app, test_name, &probe_cc, probe_asn)?;
        nettests.push(json!({"report_id": report_id, "targets": targets, "test_name": test_name}));
    }
    let features = if is_chosen(client) { json!({"webconnectivity_0.5": true}) } else { json!({}) };
    Ok(fresh(&json!({
        "v": 2,
        "probe_cc": found.cc_or_zz(),
        "probe_asn": format!("AS{}", found.asn_or_0()),
        "probe_network_name": found.network_name,
        "utc_time": app.clock.now().iso_text(),
        "conf": {"features": features, "test_helpers": app.probe.services().shuffled_test_helpers()},
        "nettests": nettests,
    })))
}

fn url(weighted: &Weighted) -> Value {
    let Item { category_code, country_code, url } = Item::from(&*weighted.entry);
    json!({"attributes": {"category_code": category_code, "country_code": country_code}, "input": url, "options": {}})
}

fn target(input: &&str) -> Value {
    json!({"attributes": {}, "input": input, "options": {}})
}

/// Whether an address takes part in the trial of the newer `web_connectivity`: one in 128.
fn is_chosen(client: IpAddr) -> bool {
    matches!(client.to_canonical(), IpAddr::V4(address) if matches!(address.octets()[1], 34 | 239))
}
