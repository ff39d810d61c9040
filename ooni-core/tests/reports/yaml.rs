//! Generated YAML documents have the values that PyYAML, the reference's loader, reads.

use ooni_core::base64;
use ooni_core::json::Limits;
use ooni_core::normalize::value::{Stamp, YamlValue};
use ooni_core::normalize::yaml::{YamlErrorKind, load, load_in_stages};
use std::io::Read as _;
use std::path::Path;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Like `canonical` in `fixtures/yaml/make.py`.
fn canonical(value: &YamlValue<'_>) -> String {
    let time = |time: &ooni_core::time::DateTime| {
        let mut text = Vec::new();
        time.write(&mut text);
        String::from_utf8(text).unwrap()
    };
    match value {
        YamlValue::Null => "None".into(),
        YamlValue::Bool(true) => "True".into(),
        YamlValue::Bool(false) => "False".into(),
        YamlValue::Int(int) => int.to_string(),
        YamlValue::Float(float) if float.is_nan() => "nan".into(),
        YamlValue::Float(float) => format!("f{:016x}", float.to_bits()),
        YamlValue::Text(text) => format!("t{}", hex(text)),
        YamlValue::Bytes(bytes) => format!("b{}", hex(bytes)),
        YamlValue::Date(day) => format!("d{}", &time(day)[..10]),
        YamlValue::DateTime(Stamp { local, micros, offset }) => {
            let zone = offset.map_or("none".into(), |offset| offset.to_string());
            format!("D{} {micros} {zone}", time(local))
        }
        YamlValue::Set(items) => {
            let mut items: Vec<_> = items.iter().map(canonical).collect();
            items.sort();
            format!("<{}>", items.join(","))
        }
        YamlValue::Sequence(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        YamlValue::Mapping(members) => {
            let members = members.iter().map(|(key, value)| format!("{}:{}", canonical(key), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

fn kind_name(kind: YamlErrorKind) -> &'static str {
    match kind {
        YamlErrorKind::Reader => "reader",
        YamlErrorKind::Scanner => "scanner",
        YamlErrorKind::Parser => "parser",
        YamlErrorKind::Composer => "composer",
        YamlErrorKind::Constructor => "constructor",
        YamlErrorKind::Value => "value",
        YamlErrorKind::Limit => "recursive",
    }
}

#[test]
fn documents_match_pyyaml() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/yaml/documents.jsonl.gz");
    let path = std::env::var("YAML_DOCUMENTS").map_or(path, Into::into);
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut different = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let document = match (line["yaml"].as_str(), line["base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, base64) => base64::decode(base64.unwrap().as_bytes()).unwrap(),
        };
        let expected = match line["value"].as_str() {
            Some(value) => value.to_owned(),
            None => line["error"].as_str().unwrap().to_owned(),
        };
        // Text, because NaN is not equal to itself.
        let shown = |result| format!("{result:?}");
        assert_eq!(shown(load(&document, Limits::default())), shown(load_in_stages(&document, Limits::default())));
        let (ours, message) = match load(&document, Limits::default()) {
            Ok(value) => (canonical(&value), String::new()),
            Err(error) => (kind_name(error.kind).to_owned(), error.to_string()),
        };
        if ours != expected {
            different.push(format!(
                "{:?}\n  ours {ours} {message}\n  PyYAML {expected}",
                String::from_utf8_lossy(&document)
            ));
        }
    }
    assert!(text.lines().count() >= 10_000);
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different[..different.len().min(40)].join("\n"));
}
