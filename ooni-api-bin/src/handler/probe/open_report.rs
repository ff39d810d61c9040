//! `POST /report`.

use super::schema::{OpenReportRequest, OpenedReport};
use super::{body, fresh, report_id};
use crate::app::App;
use crate::http::{Error, Request, Response};
use crate::probe::report_id::{is_country, parse_asn};
use serde_json::json;
use std::sync::Arc;

/// The version that the reference has said for years.
const BACKEND_VERSION: &str = "1.3.5";

/// A new report id. Nothing is stored: measurements can be submitted to any id of the right form.
///
/// # Errors
/// 400 for a body that cannot be used.
#[utoipa::path(
    post,
    path = "/report",
    tag = "Probe services",
    summary = "Open a report",
    description = "A new report id. Nothing is stored: measurements can be submitted to any id of the right form.",
    request_body(content = OpenReportRequest, description = "A JSON object, whatever `Content-Type` says.", example = json!({"data_format_version": "0.2.0", "format": "json", "probe_asn": "AS3269", "probe_cc": "IT", "software_name": "miniooni", "software_version": "3.29.0", "test_name": "web_connectivity", "test_start_time": "2025-07-15 10:00:00", "test_version": "0.4.3"})),
    responses((status = 200, description = "The report id.", body = OpenedReport))
)]
pub async fn open_report(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let body = body(request).await?;
    let text = |key| Ok::<_, Error>(body.text(key)?.unwrap_or_default());
    let probe_asn = asn(&text("probe_asn")?.to_uppercase());
    let probe_cc = country(&text("probe_cc")?.to_uppercase());
    let test_name = text("test_name")?.to_lowercase();
    let report_id = report_id(&app, &test_name, &probe_cc, probe_asn)?;
    let supported_formats = ["yaml", "json"];
    Ok(fresh(&json!({
        "backend_version": BACKEND_VERSION,
        "report_id": report_id,
        "supported_formats": supported_formats,
    })))
}

/// The network; 0 if it is not `AS` and a number.
fn asn(text: &str) -> u32 {
    text.strip_prefix("AS").and_then(parse_asn).unwrap_or(0)
}

/// The country without underscores; `ZZ` if that is not two letters or digits.
fn country(text: &str) -> String {
    let cc = text.replace('_', "");
    if is_country(&cc) { cc } else { "ZZ".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_and_networks() {
        for (text, expected) in [("IT", "IT"), ("I_T_", "IT"), ("ITA", "ZZ"), ("", "ZZ"), ("É", "ZZ"), ("I/", "ZZ")] {
            assert_eq!(country(text), expected, "{text}");
        }
        for (text, expected) in [("AS3269", 3269), ("AS", 0), ("3269", 0), ("ASX", 0), ("", 0), ("AS9999999999", 0)] {
            assert_eq!(asn(text), expected, "{text}");
        }
    }
}
