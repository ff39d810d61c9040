//! Redirects from routes of the former API (API spec §12.1).

use crate::app::App;
use crate::http::{Error, Request, Response, response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

const EXPLORER: &str = "https://explorer.ooni.org";
const SEARCH: &str = "https://explorer.ooni.org/search";

/// What is percent-encoded in a part of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of this host.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/whoami",
    tag = "Site",
    summary = "Name of the host",
    description = "The host name of the server. It tells servers behind a load balancer apart.",
    responses((status = 200, description = "The name.", content_type = "text/plain", body = String, example = json!("backend-1")))
)]
pub async fn whoami(app: Arc<App>, _: Request) -> Result<Response, Error> {
    // Elsewhere than on Linux, the public name.
    let name = tokio::fs::read_to_string("/proc/sys/kernel/hostname").await.unwrap_or_else(|_| public_host(&app));
    Ok(response::text(StatusCode::OK, format!("{}\n", name.trim_end())))
}

/// The host in the public URL of the server.
fn public_host(app: &App) -> String {
    let url = app.config.server.base_url.parse::<hyper::Uri>();
    url.ok().and_then(|url| Some(url.host()?.to_owned())).unwrap_or_default()
}

/// To Explorer.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/stats",
    tag = "Redirects",
    summary = "Statistics",
    description = "A page of the former API. Redirects to OONI Explorer.",
    responses((status = 301, description = "To Explorer.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn stats(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::MOVED_PERMANENTLY, EXPLORER))
}

/// To the search page of Explorer.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/files",
    operation_id = "files_redirect",
    tag = "Redirects",
    summary = "Files",
    description = "A page of the former API. Redirects to the search page of OONI Explorer.",
    responses((status = 301, description = "To the search page.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn files(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::MOVED_PERMANENTLY, SEARCH))
}

/// To the search page of Explorer.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/files/by_date",
    tag = "Redirects",
    summary = "Files by date",
    description = "A page of the former API. Redirects to the search page of OONI Explorer.",
    responses((status = 301, description = "To the search page.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn files_by_date(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::MOVED_PERMANENTLY, SEARCH))
}

/// To the measurements of a day in Explorer.
///
/// # Errors
/// 400 if the path does not have a date.
#[utoipa::path(
    get,
    path = "/files/by_date/{date}",
    tag = "Redirects",
    summary = "Files of a day",
    description = "A page of the former API. Redirects to the measurements of the day in OONI Explorer.",
    params(("date" = String, Path, description = "The day: YYYY-MM-DD.", example = json!("2025-07-01"))),
    responses(
        (status = 301, description = "To the measurements of the day.", headers(("Location" = String, description = "The new address."))),
        (status = 400, description = "It is not a date.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn files_of_date(_: Arc<App>, request: Request) -> Result<Response, Error> {
    day(request.param("date")).ok_or_else(|| Error::bad_request("Invalid date format"))
}

/// To the search page of Explorer.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/files/by_country",
    tag = "Redirects",
    summary = "Files by country",
    description = "A page of the former API. Redirects to the search page of OONI Explorer.",
    responses((status = 301, description = "To the search page.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn files_by_country(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::MOVED_PERMANENTLY, SEARCH))
}

/// To the measurements of a country in Explorer.
///
/// # Errors
/// 400 if the country code does not have two characters.
#[utoipa::path(
    get,
    path = "/files/by_country/{country_code}",
    tag = "Redirects",
    summary = "Files of a country",
    description = "A page of the former API. Redirects to the measurements of the country in OONI Explorer.",
    params(("country_code" = String, Path, description = "A country code of two characters.", example = json!("IT"))),
    responses(
        (status = 301, description = "To the measurements of the country.", headers(("Location" = String, description = "The new address."))),
        (status = 400, description = "It does not have two characters.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn files_of_country(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let country = request.param("country_code").to_uppercase();
    match country.chars().count() {
        2 => Ok(redirect(StatusCode::MOVED_PERMANENTLY, &format!("{SEARCH}?probe_cc={}", encoded(&country)))),
        _ => Err(Error::bad_request("Country code must be two characters")),
    }
}

/// To Explorer.
///
/// # Errors
/// None.
#[utoipa::path(
    get,
    path = "/files/download/{path}",
    tag = "Redirects",
    summary = "A file",
    description = "Files of reports of the former API. Redirects to OONI Explorer.",
    params(("path" = String, Path, description = "The path of the file; it may have slashes.", example = json!("report.json"))),
    responses((status = 301, description = "To Explorer.", headers(("Location" = String, description = "The new address."))))
)]
pub async fn files_download(_: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(redirect(StatusCode::MOVED_PERMANENTLY, "https://explorer.ooni.org/"))
}

/// To the measurements of a day in Explorer.
///
/// # Errors
/// 404 if the path is not a date.
#[utoipa::path(
    get,
    path = "/{date}",
    tag = "Redirects",
    summary = "A day",
    description = "A page of the former API. Redirects to the measurements of the day in OONI Explorer.",
    params(("date" = String, Path, description = "The day: YYYY-MM-DD.", example = json!("2025-07-01"))),
    responses(
        (status = 301, description = "To the measurements of the day.", headers(("Location" = String, description = "The new address."))),
        (status = 404, description = "It is not a date.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn date(_: Arc<App>, request: Request) -> Result<Response, Error> {
    day(request.param("date")).ok_or_else(|| Error::not_found("Not Found"))
}

/// To the file of a report.
///
/// # Errors
/// 404 if the path does not have a date, or not the name of a JSON file.
#[utoipa::path(
    get,
    path = "/{date}/{report_file}",
    tag = "Redirects",
    summary = "A file of a day",
    description = "A file of a report in the former API. Redirects to its later address.",
    params(
        ("date" = String, Path, description = "The day: YYYY-MM-DD.", example = json!("2025-07-01")),
        ("report_file" = String, Path, description = "The name of the file, which ends in `.json`.", example = json!("report.json"))
    ),
    responses(
        (status = 302, description = "To the file.", headers(("Location" = String, description = "The new address."))),
        (status = 404, description = "It is not a date and a JSON file.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn report_file(_: Arc<App>, request: Request) -> Result<Response, Error> {
    let file = request.param("report_file");
    match file.ends_with(".json") {
        true => Ok(redirect(StatusCode::FOUND, &format!("/files/download/{}", encoded(file)))),
        false => Err(Error::not_found("Not Found")),
    }
}

/// Whether a text is the date of a day, `YYYY-MM-DD`: the paths `/{date}` and `/{date}/{report_file}` exist only for these.
pub(crate) fn is_date(text: &str) -> bool {
    start_of(text).is_some()
}

/// To the measurements of a day; `None` if the text is not the date of one.
fn day(date: &str) -> Option<Response> {
    let next = DateTime::from_timestamp(start_of(date)?.timestamp() + SECONDS_PER_DAY)?;
    let (year, month, day) = next.date();
    let url = format!("{SEARCH}?until={year:04}-{month:02}-{day:02}&since={date}");
    Some(redirect(StatusCode::MOVED_PERMANENTLY, &url))
}

/// The start of a day.
fn start_of(date: &str) -> Option<DateTime> {
    let is_plain = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_plain.then(|| DateTime::parse(format!("{date} 00:00:00").as_bytes()))?
}

/// A part of a URL.
fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, RESERVED)
}

/// A redirect without a body.
pub(super) fn redirect(status: StatusCode, location: &str) -> Response {
    let mut response = response::text(status, "");
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for date in ["2025-07-01", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert!(is_date(date), "{date}");
        }
        for text in [
            "",
            "2025",
            "2025-7-01",
            "2025-02-30",
            "2025-07-01Z",
            "0000-01-01",
            "20-07-2025",
            "٢٠٢٥-٠٧-٠١",
            "-2025-07-1",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn redirects_to_a_day() {
        let location = |date: &str| Some(day(date)?.headers()[LOCATION].to_str().unwrap().to_owned());
        assert_eq!(
            location("2024-02-29").as_deref(),
            Some("https://explorer.ooni.org/search?until=2024-03-01&since=2024-02-29")
        );
        assert_eq!(location("9999-12-31"), None);
    }
}
