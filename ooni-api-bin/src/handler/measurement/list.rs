//! `GET /api/v1/measurements` (API spec §4.1).

mod listing;
mod row;
mod stream;

pub use self::listing::{ListEnd, ListMetadata};
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
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long a list may be cached, in seconds.
const MAX_AGE: u32 = 60;

/// A page of measurements.
#[derive(Debug, ToSchema)]
pub struct MeasurementList<'r> {
    /// The measurements, in the order of the query.
    pub results: Vec<ListedMeasurement<'r>>,
    /// Metadata of the page. It comes last, because it is known only after the rows.
    pub metadata: ListMetadata,
}

/// A line of NDJSON.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes an answer")]
enum Line {
    /// A measurement.
    Row(ListedMeasurement<'static>),
    /// The last line.
    End(ListEnd),
}

/// What a list can be ordered by.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes a parameter")]
enum OrderBy {
    MeasurementStartTime,
    Input,
    ProbeCc,
    ProbeAsn,
    TestName,
}

/// The direction of an order.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes a parameter")]
enum Direction {
    Asc,
    Desc,
}

/// The format of a list.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes a parameter")]
enum ListFormat {
    Json,
    Ndjson,
    Csv,
}

/// Lists measurements that match all parameters.
///
/// # Errors
/// 400 for a parameter that cannot be used, 403 for measurements that are not public, 503 and 504 if the store cannot be read.
#[utoipa::path(
    get,
    path = "/api/v1/measurements",
    tag = "Measurements",
    summary = "List measurements",
    description = "Lists the measurements that match all parameters, each once. Without `report_id`, `since` and `until` have defaults: \
        the last 30 days up to and including today. Measurements of an unknown country (`ZZ`) or network (`AS0`) are not listed. \
        Follow `metadata.next_url` for the next page: it stays as fast as the first one, and rows that arrive meanwhile do not \
        shift it. \n\n\
        `format=ndjson` and `format=csv` stream all rows without paging, unless `limit` is given. Their last line says whether the \
        list is complete: in NDJSON an object such as `{\"complete\":true,\"rows\":1234}`, in CSV a line that begins with `# `. \
        A long JSON response that cannot be completed is truncated.",
    params(
        ("report_id" = Option<String>, Query, description = "Only this report; 15 to 100 letters, digits and underscores.", min_length = 15,
            max_length = 100, example = "20250701T000000Z_webconnectivity_IT_3269_n1_8swgXi7xNuRUyO9a"),
        ("input" = Option<String>, Query, description = "Only this input, exactly, such as a URL. `domain` and `category_code` are then ignored.",
            min_length = 3, example = "https://www.example.com/"),
        ("domain" = Option<String>, Query, description = "Only inputs of these domains, with commas between them.", min_length = 3,
            example = "www.example.com,example.org"),
        ("probe_cc" = Option<String>, Query, description = "Only these countries of probes, with commas between them.", example = "IT,ES"),
        ("probe_asn" = Option<String>, Query, description = "Only these networks of probes, with or without `AS`, with commas between them.",
            example = "AS3269,30722"),
        ("test_name" = Option<String>, Query, description = "Only these tests, with commas between them.", example = "web_connectivity"),
        ("category_code" = Option<String>, Query, description = "Only inputs that a test list has in this category.", example = "NEWS"),
        ("since" = Option<String>, Query, description = "Only measurements that started after this time: a date or a time, in UTC unless it has \
            an offset. Default: 30 days before `until`.", example = "2025-07-01"),
        ("until" = Option<String>, Query, description = "Only measurements that started at this time or before. Default: the end of today.",
            example = "2025-07-02T12:00:00Z"),
        ("confirmed" = Option<bool>, Query, description = "Only measurements that matched a blocking fingerprint, or only those that did not.",
            example = true),
        ("anomaly" = Option<bool>, Query, description = "Only measurements with, or without, signs of interference.", example = true),
        ("failure" = Option<bool>, Query, description = "Only measurements that failed, or only those that did not.", example = false),
        ("software_version" = Option<String>, Query, description = "Only these versions of the probe, with commas between them.",
            example = "3.22.0,3.23.0"),
        ("test_version" = Option<String>, Query, description = "Only these versions of the test, with commas between them.",
            example = "0.5.28"),
        ("engine_version" = Option<String>, Query, description = "Only these versions of the engine, with commas between them.",
            example = "3.22.0"),
        ("ooni_run_link_id" = Option<u64>, Query, description = "Only measurements that were made with this OONI Run link.", example = 10013),
        ("order_by" = inline(Option<OrderBy>), Query, description = "What the rows are ordered by, then by `measurement_uid`. Default: \
            `measurement_start_time`.", example = "probe_asn"),
        ("order" = inline(Option<Direction>), Query, description = "The direction of the order. Default: `desc`.", example = "asc"),
        ("offset" = Option<u64>, Query, description = "Number of rows to skip. Skipped rows are read, so a large offset is slow; `next_url` is not.",
            example = 0),
        ("limit" = Option<u32>, Query, description = "Maximum number of rows. Default: 100; all rows in NDJSON and CSV.", minimum = 1,
            maximum = 1_000_000, example = 50),
        ("after" = Option<String>, Query, description = "The cursor of a page, taken from `metadata.next_url`. Its format may change.",
            example = "[1752537600,\"20250715000012.181572_IT_webconnectivity_7888edc7748936bf\"]"),
        ("format" = inline(Option<ListFormat>), Query, description = "The format of the answer. Default: `json`.", example = "ndjson"),
    ),
    responses(
        (status = 200, description = "The measurements.", content(
            (MeasurementList<'static> = "application/json"),
            (inline(Line) = "application/x-ndjson"),
            (String = "text/csv", example = "measurement_uid,measurement_url,report_id,probe_cc,probe_asn,test_name,\
                measurement_start_time,input,anomaly,confirmed,failure,verification_status,scores\r\n# complete: 0 rows\r\n"),
        )),
        (status = 403, description = "The country `ZZ` or the network `AS0` was requested; these are not listed.", body = crate::openapi::ErrorBody),
    )
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

/// The response to old versions of the app. They request their whole history repeatedly, and only check that the list is not empty.
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
