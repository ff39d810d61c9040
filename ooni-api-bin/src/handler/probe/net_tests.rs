//! `POST /bouncer/net-tests`, for the oldest probes.

use super::schema::{BouncerRequest, BouncerResponse};
use super::{body, fresh};
use crate::app::App;
use crate::http::{Error, Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// A collector and test helpers for the first nettest of the request.
///
/// # Errors
/// 400 `Malformed request`.
#[utoipa::path(
    post,
    path = "/bouncer/net-tests",
    tag = "Probe services",
    summary = "Collector and test helpers of the oldest probes",
    description = "The first nettest of the request, with a collector and test helpers.",
    request_body(content = BouncerRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"net-tests": [{"name": "web_connectivity", "version": "0.4.0"}]})),
    responses((status = 200, description = "The collector and the test helpers.", body = BouncerResponse))
)]
pub async fn net_tests(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let malformed = || Error::bad_request("Malformed request");
    let body = body(request).await.map_err(|error| if error.status() == 400 { malformed() } else { error })?;
    let first = body.list("net-tests").ok().flatten().and_then(<[Value]>::first).ok_or_else(malformed)?;
    let text = |key: &str| first.get(key).and_then(Value::as_str).ok_or_else(malformed);
    let (name, version) = (text("name")?, text("version")?);
    let services = app.probe.services();
    let bouncer = &services.bouncer;
    Ok(fresh(&json!({"net-tests": [{
        "name": name,
        "version": version,
        "collector": bouncer.collector,
        "collector-alternate": bouncer.collector_alternate,
        "input-hashes": null,
        "test-helpers": bouncer.test_helpers,
        "test-helpers-alternate": bouncer.test_helpers_alternate,
    }]})))
}
