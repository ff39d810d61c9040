//! `GET /m/{measurement_uid}`.

use super::network_names;
use crate::app::App;
use crate::bodies::{self, Found};
use crate::explanation;
use crate::explanation::answer::Status;
use crate::handler::measurement::lookup;
use crate::http::response::{Cache, cached, not_kept};
use crate::http::{Error, Request, Response};
use crate::page::measurement::{MeasurementPage, page};
use crate::page::{error, layout};
use crate::params::has_length_of_uid;
use hyper::StatusCode;
use std::sync::Arc;

/// How long the page may be cached, in seconds. The row and the fingerprint lists may be replaced.
const MAX_AGE: u32 = 60;

/// A measurement and its explanation.
///
/// # Errors
/// None: errors are pages.
#[utoipa::path(
    get,
    path = "/m/{measurement_uid}",
    tag = "Pages",
    summary = "A measurement",
    description = "A web page with a measurement, why it was scored as it was, how to verify that, and its JSON.",
    params(("measurement_uid" = String, Path, description = "Id of the measurement.",
        example = "20210614000004.560509_US_signal_6e1b0ebf9b1cf9e9")),
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 404, description = "The measurement is unknown, or not public.", content_type = "text/html", body = String)
    )
)]
pub async fn measurement(app: Arc<App>, request: Request) -> Result<Response, Error> {
    Ok(of(&app, request.param("measurement_uid")).await.unwrap_or_else(error::page))
}

async fn of(app: &App, uid: &str) -> Result<Response, Error> {
    let unknown = || Error::not_found("There is no measurement with this id.");
    if !has_length_of_uid(uid) {
        return Err(unknown());
    }
    let (explained, status) = match lookup::in_time(app, explanation::of(app, uid)).await {
        Ok(explained) => (explained.ok_or_else(unknown)?, StatusCode::OK),
        // The row is shown without an explanation, unless there is an old page.
        Err(error) => match explanation::row_alone(app, uid).await {
            Ok(Some(explained)) => (explained, error.status()),
            _ => return Err(error),
        },
    };
    let has_body = status == StatusCode::OK && matches!(explained.status, Status::Stored | Status::Pending);
    let body = match has_body {
        true => lookup::in_time(app, bodies::find(app, uid, lookup::is_shown)).await?,
        false => Found::NoBody,
    };
    let network = match &explained.row {
        Some(row) => network_names(app, app.stores.read_deadline(), &[row.probe_asn]).await.remove(&row.probe_asn),
        None => None,
    };
    let body = match &body {
        Found::Body(body) => Some(&**body),
        Found::NoBody | Found::NoRow => None,
    };
    let base_url = &app.config.server.base_url;
    let page = page(&MeasurementPage { explained: &explained, network: network.as_deref(), body, base_url });
    let response = layout::response(status, page);
    Ok(match explained.status {
        Status::Pending => not_kept(cached(response, Cache::None)),
        _ if status != StatusCode::OK => cached(response, Cache::None),
        _ => cached(response, Cache::MaxAge(MAX_AGE)),
    })
}
