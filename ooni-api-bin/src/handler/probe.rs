//! What probes call (API spec §5).

// Before a run.
pub mod check_in;
pub mod collectors;
pub mod debug_prioritization;
pub mod geolookup;
pub mod net_tests;
pub mod private_check_in;
pub mod show_countries_prioritization;
pub mod test_helpers;
pub mod test_list_urls;

// Registration, and what needs it.
pub mod login;
pub mod psiphon_config;
pub mod register;
pub mod tor_targets;
pub mod update;
pub mod vpn_config;

// Reports and submissions.
mod accept;
pub mod check_report_id;
pub mod close_report;
pub mod manifest;
pub mod open_report;
pub mod sign_credential;
pub mod submit_measurement;
pub mod submit_report;

mod params;
pub mod schema;

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::body::Body;
use serde::Serialize;

/// The body of a request, a JSON object.
async fn body(request: Request) -> Result<Body, Error> {
    Ok(Body::from(request.json_object().await?))
}

/// JSON that must not be cached.
fn fresh(value: &impl Serialize) -> Response {
    response::cached(response::json(value), Cache::None)
}

/// A new report id.
fn report_id(app: &App, test_name: &str, probe_cc: &str, probe_asn: u32) -> Result<String, Error> {
    let collector_id = &app.config.server.collector_id;
    crate::probe::report_id::generate(app.clock.now(), test_name, probe_cc, probe_asn, collector_id).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Error::internal()
    })
}
