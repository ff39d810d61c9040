//! The steps for all entries (formats spec §11.4).

use super::path::EntryPath;
use super::python::{self, epoch};
use super::value::{Mapping, MappingAccess, YamlValue, update};
use super::{dns, http, names, request_line};
use crate::error::Error;
use crate::hex::hex;
use crate::time::DateTime;

/// The top-level keys of a measurement; all others move to `test_keys`.
const SCHEMA: [&str; 22] = [
    "id",
    "input",
    "input_hashes",
    "report_id",
    "report_filename",
    "options",
    "probe_cc",
    "probe_asn",
    "probe_ip",
    "probe_city",
    "backend_version",
    "data_format_version",
    "test_name",
    "test_version",
    "test_start_time",
    "measurement_start_time",
    "test_runtime",
    "test_helpers",
    "software_name",
    "software_version",
    "bucket_date",
    "test_keys",
];

const FORMAT: &str = "0.2.0";

/// Normalizes an entry that has been merged with its header. `digest` is the digest of the header's and the entry's bytes.
pub(super) fn normalize<'a>(
    entry: &mut Mapping<'a>,
    digest: &[u8],
    bucket_date: &'a str,
    report_filename: &'a str,
) -> Result<(), Error> {
    if let Some(YamlValue::Mapping(_)) = entry.at("report")
        && let Some(YamlValue::Mapping(report)) = entry.take("report")
    {
        update(entry, report);
    }
    let name = match entry.at("test_name") {
        None => names::mapped(b"invalid"),
        Some(YamlValue::Text(name)) => names::mapped(name),
        Some(other) => return Err(EntryPath::ROOT.member("test_name").wrong(other, "a string")),
    };
    let name_text = String::from_utf8_lossy(&name).into_owned();
    entry.set("test_name", YamlValue::Text(name.into()));
    entry.set("bucket_date", YamlValue::text(bucket_date));
    entry.set("report_filename", YamlValue::text(report_filename));
    if !entry.at("id").is_some_and(YamlValue::is_truthy) {
        entry.set("id", YamlValue::Text(uuid(digest).into()));
    }
    for key in SCHEMA {
        if entry.at(key).is_none() {
            entry.push((YamlValue::text(key), YamlValue::Null));
        }
    }
    if entry.at("data_format_version").is_some_and(|version| version.is_text(FORMAT)) {
        return match entry.at("test_keys") {
            Some(YamlValue::Null) => nest(entry),
            _ => Ok(()),
        };
    }
    set_times(entry)?;
    entry.set("data_format_version", YamlValue::text(FORMAT));
    if let Some(YamlValue::Mapping(options)) = entry.at_mut("options") {
        let subargs = options.take("subargs").unwrap_or(YamlValue::Sequence(Vec::new()));
        entry.set("options", subargs);
    }
    nest(entry)?;
    if names::is_rejected_early(&name_text) {
        return Err(EntryPath::ROOT.member("test_name").error(format!("{name_text} is not supported")));
    }
    by_category(entry, &name_text)?;
    if names::is_unsupported(&name_text) {
        return Err(EntryPath::ROOT.member("test_name").error(format!("{name_text} is not supported")));
    }
    decode_bodies(entry)
}

/// The first 16 bytes as a UUID, without version bits.
fn uuid(digest: &[u8]) -> Vec<u8> {
    let mut text = hex(digest.iter().take(16).copied());
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text.into_bytes()
}

/// Steps 6 to 8.
fn set_times(entry: &mut Mapping<'_>) -> Result<(), Error> {
    let start = epoch(entry.take("start_time").as_ref(), &EntryPath::ROOT.member("start_time"))?;
    let parsed = |value: Option<&YamlValue<'_>>, key: &str| {
        let place = EntryPath::ROOT.member(key);
        match value {
            Some(YamlValue::Text(text)) => DateTime::parse(text).ok_or_else(|| place.error("invalid date")),
            other => Err(place.wrong(other.unwrap_or(&YamlValue::Null), "a date as text")),
        }
    };
    let (measured, tested) = match entry.take("test_start_time") {
        None | Some(YamlValue::Null) => (start, start),
        Some(time @ YamlValue::Float(_)) => (epoch(Some(&time), &EntryPath::ROOT.member("test_start_time"))?, start),
        text => {
            let tested = parsed(text.as_ref(), "test_start_time")?;
            (parsed(entry.at("measurement_start_time"), "measurement_start_time")?, tested)
        }
    };
    let time = |time: DateTime| YamlValue::Text(time.to_string().into_bytes().into());
    entry.set("measurement_start_time", time(measured));
    entry.set("test_start_time", time(tested));
    Ok(())
}

/// Step 9: keys that are not in the schema move to the test keys, in the order of the entry.
fn nest(entry: &mut Mapping<'_>) -> Result<(), Error> {
    let is_schema = |key: &YamlValue<'_>| SCHEMA.iter().any(|known| key.is_text(known));
    let (top, moved): (Mapping<'_>, Mapping<'_>) =
        std::mem::take(entry).into_iter().partition(|(key, _)| is_schema(key));
    *entry = top;
    let Some(test_keys) = entry.at_mut("test_keys") else { return Ok(()) };
    match test_keys {
        YamlValue::Null => *test_keys = YamlValue::Mapping(moved),
        YamlValue::Mapping(members) => update(members, moved),
        other if !moved.is_empty() => return Err(EntryPath::TEST_KEYS.wrong(other, "a mapping")),
        _ => {}
    }
    Ok(())
}

/// Step 11.
fn by_category(entry: &mut Mapping<'_>, name: &str) -> Result<(), Error> {
    if names::is_http(name) {
        http::set_input(entry)?;
        http::normalize(test_keys(entry)?)?;
    }
    if names::is_dns(name) {
        dns::normalize(test_keys(entry)?, name == "dns_consistency")?;
    }
    match name {
        "website_probe" => http::list_headers_diff(test_keys(entry)?),
        "http_invalid_request_line" => request_line::normalize(test_keys(entry)?),
        _ => Ok(()),
    }
}

fn test_keys<'m, 'a>(entry: &'m mut Mapping<'a>) -> Result<&'m mut Mapping<'a>, Error> {
    match entry.at_mut("test_keys") {
        Some(YamlValue::Mapping(test_keys)) => Ok(test_keys),
        other => Err(EntryPath::TEST_KEYS.wrong(other.map_or(&YamlValue::Null, |value| value), "a mapping")),
    }
}

/// Step 13: bodies that are still bytes. A missing key ends the step.
fn decode_bodies(entry: &mut Mapping<'_>) -> Result<(), Error> {
    let place = EntryPath::TEST_KEYS.member("requests");
    let requests = match test_keys(entry)?.at_mut("requests") {
        None => return Ok(()),
        Some(YamlValue::Sequence(requests)) => requests,
        // Other values have no items with members; empty ones have no items.
        Some(other) => {
            return match python::items(other, &place)?.first() {
                None => Ok(()),
                Some(first) => Err(place.item(0).wrong(first, "a mapping")),
            };
        }
    };
    for (i, request) in requests.iter_mut().enumerate() {
        let place = place.item(i);
        let YamlValue::Mapping(request) = request else { return Err(place.wrong(request, "a mapping")) };
        let place = place.member("response");
        let response = match request.at_mut("response") {
            None => return Ok(()),
            Some(YamlValue::Mapping(response)) => response,
            Some(other) => return Err(place.wrong(other, "a mapping")),
        };
        let Some(body) = response.at_mut("body") else { return Ok(()) };
        if let YamlValue::Bytes(bytes) = body {
            if std::str::from_utf8(bytes).is_err() {
                return Err(place.member("body").error("bytes that are not UTF-8"));
            }
            *body = YamlValue::Text(std::mem::take(bytes).into());
        }
    }
    Ok(())
}
