//! Generated and mutated measurements with the outcomes of a model of the reference, covering the tests, the outcomes, the
//! errors and their paths. `fixtures/README.md` describes how they were generated.

use crate::support::{FULL, fixture, json, text};
use flate2::read::GzDecoder;
use ooni_core::base64;
use ooni_core::error::Code;
use ooni_core::json::Json;
use ooni_core::nettest::NETTESTS;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// The columns of a row as values.
fn columns(write: impl Fn(&mut Vec<u8>)) -> Json {
    let mut out = Vec::new();
    write(&mut out);
    json(&out)
}

/// The first column that differs from the model. The order of keys is ignored, kinds and precision are compared.
fn difference(ours: &Json, model: &Json) -> Option<String> {
    let Json::Object(model) = model else { panic!("the row of the model is not an object") };
    model.iter().find_map(|(name, value)| {
        let name = String::from_utf8_lossy(name);
        let mine = ours.get(&name);
        (mine != Some(value)).then(|| format!("{name}: {}, model {}", mine.map_or("-".into(), text), text(value)))
    })
}

fn check(case: &Json) -> Result<Option<Code>, String> {
    let uid = case.get("uid").and_then(Json::as_str).unwrap();
    let raw = match (case.get("raw"), case.get("raw_base64").and_then(Json::as_str)) {
        (Some(Json::Text(raw)), _) => raw.clone(),
        (_, Some(encoded)) => base64::decode(encoded.as_bytes()).unwrap(),
        _ => panic!("case without raw"),
    };
    match process(&raw, uid, &FULL, Rules::Compat) {
        Outcome::Stored { row, openvpn } => {
            let model = case.get("row").ok_or("stored; the model has no row")?;
            if let Some(difference) = difference(&columns(|out| row.write_json(out)), model) {
                return Err(difference);
            }
            let (ours, model) = (row.scores.to_json_text(), case.get("scores_text").and_then(Json::as_str).unwrap());
            if ours != model {
                return Err(format!("scores {ours}, model {model}"));
            }
            match (openvpn, case.get("openvpn")) {
                (None, None) => {}
                (Some(ours), Some(model)) => {
                    if let Some(difference) = difference(&columns(|out| ours.write_json(out)), model) {
                        return Err(format!("openvpn {difference}"));
                    }
                }
                (ours, _) => return Err(format!("openvpn row: {}; the model differs", ours.is_some())),
            }
            Ok(None)
        }
        Outcome::Discarded { .. } => {
            case.get("discard").map(|_| None).ok_or("discarded; the model does not discard it".into())
        }
        Outcome::Rejected { error } => {
            let code = case.get("code").and_then(Json::as_str).ok_or(format!("{error}; the model has no error"))?;
            if code != error.code.as_str() { Err(format!("{error}, expected {code}")) } else { Ok(Some(error.code)) }
        }
    }
}

#[test]
fn every_case_has_the_outcome_of_the_model() {
    let mut cases = Vec::new();
    GzDecoder::new(&*fixture("cases.jsonl.gz")).read_to_end(&mut cases).unwrap();
    let (mut count, mut codes, mut wrong) = (0, BTreeMap::new(), Vec::new());
    let mut unseen: BTreeSet<_> = NETTESTS.iter().map(|nettest| nettest.name).collect();
    for line in cases.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let case = json(line);
        count += 1;
        match check(&case) {
            Ok(Some(code)) => *codes.entry(code).or_insert(0) += 1,
            Ok(None) => {}
            Err(what) => wrong.push(format!("case {count}: {what}")),
        }
        if let Some(name) = case.get("row").and_then(|row| row.get("test_name")).and_then(Json::as_str) {
            unseen.remove(name);
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, 4473);
    assert!(unseen.is_empty(), "tests without a case: {unseen:?}");
    // All except those of limits and containers.
    assert_eq!(codes.into_keys().collect::<Vec<_>>(), Code::ALL[..7]);
}
