//! The header of a report and its report ID (formats spec §11.2 and §11.3).

use super::path::EntryPath;
use super::python::epoch;
use super::value::{Mapping, MappingAccess, YamlValue};
use crate::error::Error;
use sha2::{Digest, Sha512};

/// Steps 1 to 3 of formats spec §11.2.
pub(super) fn prepare(header: YamlValue<'_>) -> Result<Mapping<'_>, Error> {
    let mut header = match header {
        YamlValue::Mapping(header) => header,
        other => {
            return Err(EntryPath::ROOT.error(format!("expected a mapping as the header, found {}", other.kind_name())));
        }
    };
    if let Some(city) = header.at_mut("probe_city")
        && let YamlValue::Bytes(bytes) = city
    {
        *city = YamlValue::Text(valid_utf8(bytes).into());
    }
    if !header.at("report_id").is_some_and(YamlValue::is_truthy) {
        let id = report_id(&header)?;
        header.set("report_id", YamlValue::Text(id.into()));
    }
    Ok(header)
}

/// Python's `bytes.decode("utf-8", "ignore")`.
pub(super) fn valid_utf8(bytes: &[u8]) -> Vec<u8> {
    bytes.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect()
}

/// The ID for a report without one.
fn report_id(header: &Mapping<'_>) -> Result<Vec<u8>, Error> {
    let place = EntryPath::ROOT.member("start_time");
    let start = epoch(header.at("start_time"), &place)?;
    let mut hashed = Vec::new();
    let fields = [("probe_cc", "ZZ"), ("probe_asn", "AS0"), ("test_name", "invalid"), ("software_version", "0.0.0")];
    for (key, default) in fields {
        match header.at(key) {
            None => hashed.extend_from_slice(default.as_bytes()),
            Some(YamlValue::Text(text)) => hashed.extend_from_slice(text),
            Some(other) => return Err(EntryPath::ROOT.member(key).wrong(other, "a string")),
        }
    }
    match header.at("probe_city") {
        None => hashed.extend_from_slice(b"None"),
        Some(YamlValue::Null) => {}
        Some(YamlValue::Text(text)) => hashed.extend_from_slice(text),
        Some(other) => return Err(EntryPath::ROOT.member("probe_city").wrong(other, "a string")),
    }
    if std::str::from_utf8(&hashed).is_err() {
        // Lone surrogates cannot be encoded in UTF-8.
        return Err(EntryPath::ROOT.error("lone surrogate in a field that the report ID is derived from"));
    }
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let time = start.to_string();
    let mut id: Vec<u8> = time.bytes().filter(u8::is_ascii_digit).collect();
    id.insert(8, b'T');
    id.extend_from_slice(b"Z_");
    id.extend(Sha512::digest(&hashed).iter().take(50).map(|byte| letters[usize::from(byte % 52)]));
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;
    use crate::normalize::yaml;

    fn prepared(header: &str) -> Result<Mapping<'_>, Error> {
        prepare(yaml::load(header.as_bytes(), Limits::default()).unwrap())
    }

    fn id(header: &str) -> String {
        match prepared(header).unwrap().at("report_id") {
            Some(YamlValue::Text(id)) => String::from_utf8(id.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The table of formats spec §11.3.
    #[test]
    fn report_ids() {
        for (header, expected) in [
            ("{}", "19700101T000000Z_KWnRnnxAmNrJfoqrTxAKhVDgGkiuSYfGDSecYaayqhcqlfOXCX"),
            (
                "{probe_cc: UK, test_name: web_connectivity}",
                "19700101T000000Z_LLWQMcPHNefGtRNzxcgKlXlSjKmRuyyKLycBDGwNiNEbMztVzb",
            ),
            ("{probe_city: null}", "19700101T000000Z_eiKuKgjKWHSnFidvBwbJvrJYZoVjfwbHoCQTvQJVrhqQLoCzcW"),
            ("{probe_cc: IT}", "19700101T000000Z_QRZjLxJADuybeUuIbxyjuhjoNbkUqydGLcMcUjPYokUKpQqkYU"),
        ] {
            assert_eq!(id(header), expected);
        }
        assert!(id("{start_time: 1392854400.9, report_id: ''}").starts_with("20140220T000000Z_"));
        assert!(id("{start_time: -1}").starts_with("19691231T235959Z_"));
        assert_eq!(id("{report_id: mnKR}"), "mnKR");
    }

    #[test]
    fn headers_that_abort() {
        for (header, path) in [
            ("[]", ""),
            ("~", ""),
            ("{software_version: 1.0}", "/software_version"),
            ("{probe_cc: null}", "/probe_cc"),
            ("{probe_asn: 1}", "/probe_asn"),
            ("{test_name: [x]}", "/test_name"),
            ("{probe_city: 5}", "/probe_city"),
            ("{start_time: null}", "/start_time"),
            ("{start_time: 2014-02-20}", "/start_time"),
            ("{start_time: 1.0e+300}", "/start_time"),
            ("{start_time: .nan}", "/start_time"),
            (r#"{probe_cc: "\ud800"}"#, ""),
        ] {
            assert_eq!(prepared(header).unwrap_err().path, path, "{header}");
        }
        // Values that are not hashed may be of any kind.
        assert!(prepared("{report_id: x, software_version: 1.0, start_time: x}").is_ok());
    }

    #[test]
    fn a_city_of_bytes_is_text() {
        // base64 of `R`, 0xff, `o`
        let header = prepared("{probe_city: !!binary Uv9v}").unwrap();
        assert_eq!(header.at("probe_city"), Some(&YamlValue::text("Ro")));
    }
}
