//! `GET /api/v1/measurements` (API spec §4.1).

mod listing;
mod row;
mod stream;

pub use self::listing::{End, Metadata};
pub use self::row::ListedMeasurement;
pub(super) use self::row::verification_status;

use self::listing::{Format, Listing};
use self::stream::Stream;
use crate::app::App;
use crate::http::response::{Cache, cached, json, of_bytes};
use crate::http::{Error, Query, Request, Response};
use crate::params::invalid;
use crate::search;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long a list may be cached, in seconds.
const MAX_AGE: u32 = 60;

/// A page of measurements.
#[derive(Debug, ToSchema)]
pub struct MeasurementList<'r> {
    /// The measurements, in the order of the query.
    #[schema(inline = false)]
    pub results: Vec<ListedMeasurement<'r>>,
    /// What the page is of the list. It comes last, because it is not known before.
    pub metadata: Metadata,
}

/// Lists measurements that match all parameters.
///
/// # Errors
/// 400 for a parameter that cannot be used, 403 for measurements that are not public, 503 and 504 if the store cannot be read.
#[utoipa::path(
    get,
    path = "/api/v1/measurements",
    tag = "Measurements",
    responses((status = 200, description = "Lists measurements."))
)]
pub async fn measurements(app: Arc<App>, request: Request) -> Result<Response, Error> {
    if request.header("user-agent").is_some_and(|agent| agent.starts_with("okhttp")) {
        return Ok(old_client());
    }
    let query = request.query();
    let format = format(query)?;
    let search = search::parse(query, app.clock.now().date_time())?;
    let mut listing = Listing::new(app, query.clone(), search, format);
    let first = listing.first_part().await?;
    let response = match listing.is_over() {
        true => of_bytes(StatusCode::OK, format.content_type(), first),
        false => {
            let mut response = Response::new(Stream::new(first, listing).boxed());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
            response
        }
    };
    Ok(cached(response, Cache::MaxAge(MAX_AGE)))
}

/// What a client from years ago gets, which asks for its whole history again and again, and only checks that a list is not empty.
fn old_client() -> Response {
    let metadata = json!({
        "count": 1, "current_page": 1, "limit": 100, "next_url": null, "offset": 0, "pages": 1, "query_time": 0.001
    });
    cached(json(&json!({"metadata": metadata, "results": [{"measurement_url": ""}]})), Cache::None)
}

fn format(query: &Query) -> Result<Format, Error> {
    match query.given("format").unwrap_or("json").to_ascii_lowercase().as_str() {
        "json" => Ok(Format::Json),
        "ndjson" => Ok(Format::Ndjson),
        "csv" => Ok(Format::Csv),
        _ => Err(invalid("format", "json, ndjson or csv")),
    }
}
