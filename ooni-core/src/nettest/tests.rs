//! Support for the tests of all nettests, and tests of the registry.

use super::{Context, NETTESTS, find, score};
use crate::error::{Code, Error};
use crate::fingerprint::{Fingerprints, Scratch};
use crate::json::{Json, Reader, write_json};
use crate::measurement::Measurement;
use crate::rules::{Repairs, Rules};
use crate::scores::Scores;
use crate::trace::{Fired, Found, Trace};
use std::collections::BTreeMap;

/// The base measurement of scoring spec §16, as members of its object.
const BASE: [(&str, &str); 8] = [
    ("report_id", r#""R""#),
    ("probe_cc", r#""IT""#),
    ("probe_asn", r#""AS1""#),
    ("input", r#""http://x.org/a""#),
    ("measurement_start_time", r#""2024-01-02 03:04:05""#),
    ("test_start_time", r#""2024-01-02 03:04:00""#),
    ("test_version", r#""0.5.0""#),
    ("annotations", r#"{"engine_version":"3.20.0"}"#),
];

/// Scores a measurement with these test keys, JSON text, and compares the outcome: see [`check_with`].
pub(super) fn check(test_name: &str, test_keys: &str, expected: &str) {
    check_with(test_name, test_keys, &[], expected);
}

/// The fingerprints of scoring spec §16.
pub(super) fn vector_list() -> Fingerprints {
    list(
        "d1,nat,,dns,full,10.10.34.36,10,IR\nd3,prod,,dns,full,x,1,\"IT,FR\"\n",
        concat!(
            "h1,nat,,body,contains,BLOCK,5,IT\n",
            "h3,prod,,header.location,prefix,http://b,5,IT\n",
            "h4,inst,,header.server,full,Wall,5,\"IT,DE\"\n",
        ),
    )
}

/// Lists of these CSV rows, given without header line.
pub(super) fn list(dns: &str, http: &str) -> Fingerprints {
    const NAMES: &str =
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries\n";
    let with_names = |rows| [NAMES, rows].concat().into_bytes();
    Fingerprints::from_csv(&with_names(dns), &with_names(http), "").unwrap()
}

/// Like [`check_with`], with fingerprints. In `expected`, the scores of localities follow `blocking_general`, such as
/// `country=1.0`, and fingerprints are only named.
pub(super) fn check_listed(
    fingerprints: &Fingerprints,
    rules: Rules,
    test_name: &str,
    test_keys: &str,
    changes: &[(&str, &str)],
    expected: &str,
) {
    let text = measurement(test_name, test_keys, changes);
    let outcome = match traced_with(&text, fingerprints, rules.repairs()) {
        Ok((scores, records, _)) => {
            check_records(&text, fingerprints, rules.repairs(), &scores, &records);
            scores.to_json_text()
        }
        Err(error) => error.code.as_str().to_owned(),
    };
    assert_eq!(outcome, spelled_out(fingerprints, expected), "{text}");
}

/// The error and its path, with fingerprints.
pub(super) fn error_listed(
    fingerprints: &Fingerprints,
    rules: Rules,
    test_name: &str,
    test_keys: &str,
) -> (Code, String) {
    let text = measurement(test_name, test_keys, &[]);
    let error = traced_with(&text, fingerprints, rules.repairs()).unwrap_err();
    (error.code, error.path)
}

/// The fingerprints in the explanation of a measurement with these test keys.
pub(super) fn found_listed(fingerprints: &Fingerprints, rules: Rules, test_name: &str, test_keys: &str) -> Vec<Found> {
    traced_with(&measurement(test_name, test_keys, &[]), fingerprints, rules.repairs()).unwrap().2
}

fn spelled_out(fingerprints: &Fingerprints, expected: &str) -> String {
    let end = expected.find([',', '}']).unwrap_or(expected.len());
    let (head, tail) = expected.split_at(end);
    let mut head = head.split(' ');
    let Some(Ok(general)) = head.next().map(|general| general.parse::<f64>()) else {
        return expected.to_owned();
    };
    let mut out = format!(r#"{{"blocking_general":{general:?}"#);
    let local: Vec<_> = head.filter_map(|score| score.split_once('=')).collect();
    for locality in ["global", "country", "isp", "local"] {
        let score = local.iter().find(|(name, _)| *name == locality).map_or("0.0", |(_, score)| score);
        out += &format!(r#","blocking_{locality}":{score}"#);
    }
    let Some((before, rest)) = tail.split_once(r#""fingerprints":["#) else { return out + tail };
    let (names, rest) = rest.split_once(']').unwrap();
    let minis: Vec<_> = names.split(',').map(|name| mini(fingerprints, name)).collect();
    out + before + r#""fingerprints":["# + &minis.join(",") + "]" + rest
}

fn mini(fingerprints: &Fingerprints, name: &str) -> String {
    let mut all = fingerprints.dns().iter().chain(fingerprints.http());
    let found = all.find(|fingerprint| fingerprint.name == name).unwrap();
    format!(
        r#"{{"name":"{name}","scope":"{}","location_found":"{}","confidence_no_fp":{},"expected_countries":{:?}}}"#,
        found.scope, found.location_found, found.confidence_no_fp, found.expected_countries
    )
    .replace(", ", ",")
}

/// Like [`check`], with fields of the base measurement changed. The value `""` omits a field or the test keys.
///
/// `expected` is the code of an error, or the scores: either all of their text or, as in the vectors of the
/// specification, `blocking_general` followed by the tail after the five blocking scores.
pub(super) fn check_with(test_name: &str, test_keys: &str, changes: &[(&str, &str)], expected: &str) {
    let expected = match expected.split_once([',', '}']) {
        Some((general, _)) if general.parse::<f64>().is_ok() => format!(
            r#"{{"blocking_general":{general},"blocking_global":0.0,"blocking_country":0.0,"blocking_isp":0.0,"blocking_local":0.0{}"#,
            &expected[general.len()..]
        ),
        _ => expected.to_owned(),
    };
    let text = measurement(test_name, test_keys, changes);
    let outcome = match traced(&text) {
        Ok((scores, records)) => {
            check_records(&text, &Fingerprints::empty(), Repairs::NONE, &scores, &records);
            scores.to_json_text()
        }
        Err(error) => error.code.as_str().to_owned(),
    };
    assert_eq!(outcome, expected, "{text}");
}

/// The error and its path for a measurement with these test keys.
pub(super) fn error_of(test_name: &str, test_keys: &str) -> (Code, String) {
    let error = traced(&measurement(test_name, test_keys, &[])).unwrap_err();
    (error.code, error.path)
}

/// The rules that fired, with what they set and the paths that they read.
pub(super) fn records_of(test_name: &str, test_keys: &str) -> Vec<(&'static str, Vec<String>)> {
    let (_, records) = traced(&measurement(test_name, test_keys, &[])).unwrap();
    records.into_iter().map(|record| (record.sets, record.reads.into_iter().map(|read| read.path).collect())).collect()
}

/// The text of the base measurement of a test; a field that is changed comes last, `""` omits it.
pub(crate) fn measurement(test_name: &str, test_keys: &str, changes: &[(&str, &str)]) -> String {
    let mut fields: Vec<_> = BASE.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    fields.push(("test_name", format!("{test_name:?}")));
    fields.push(("test_keys", test_keys.to_owned()));
    for (key, value) in changes {
        fields.retain(|(name, _)| name != key);
        fields.push((key, (*value).to_owned()));
    }
    fields.retain(|(_, value)| !value.is_empty());
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn traced(text: &str) -> Result<(Scores, Vec<Fired>), Error> {
    traced_with(text, &Fingerprints::empty(), Repairs::NONE).map(|(scores, records, _)| (scores, records))
}

fn traced_with(
    text: &str,
    fingerprints: &Fingerprints,
    repairs: Repairs,
) -> Result<(Scores, Vec<Fired>, Vec<Found>), Error> {
    let mut reader = Reader::new();
    let document = reader.read(text.as_bytes()).unwrap();
    let measurement = Measurement::new(document.root())?;
    let trace = Trace::default();
    let run = |trace| score(&Context::new(measurement, fingerprints, repairs, Scratch::default(), trace));
    let outcome = run(Some(&trace));
    assert_eq!(outcome, run(None), "tracing changes the outcome: {text}");
    Ok((outcome?, trace.fired.into_inner(), trace.found.into_inner()))
}

/// Every anomaly and every failure is recorded, and what is recorded is decisive: other values at all the paths of a key
/// change the outcome.
fn check_records(text: &str, fingerprints: &Fingerprints, repairs: Repairs, scores: &Scores, records: &[Fired]) {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in records {
        places.entry(record.sets).or_default().extend(record.reads.iter().map(|read| read.path.as_str()));
    }
    assert!(!scores.is_anomaly() || places.contains_key("blocking_general"), "an anomaly without a record: {text}");
    assert!(!scores.is_failure() || places.contains_key("accuracy"), "a failure without a record: {text}");
    let mut reader = Reader::new();
    let whole = reader.read(text.as_bytes()).unwrap().root().to_json();
    for (key, paths) in places {
        let decides = REPLACEMENTS.into_iter().any(|value| {
            let mut changed = whole.clone();
            for path in &paths {
                replace(&mut changed, path, value);
            }
            let mut text = Vec::new();
            write_json(&changed, &mut text);
            let changed = traced_with(std::str::from_utf8(&text).unwrap(), fingerprints, repairs);
            changed.map(|(scores, ..)| scores).ok().as_ref() != Some(scores)
        });
        // No replacement is a version or date that would change the outcome.
        let excluded = ["/measurement_start_time", "/test_version", "/annotations", "/annotations/engine_version"];
        assert!(
            decides || paths.iter().any(|path| excluded.contains(path)),
            "{key} does not depend on {paths:?}: {text}"
        );
    }
}

/// Each is the only value that changes the result of some rule; the one before the last is for requests of a wrong kind.
const REPLACEMENTS: [&str; 13] = [
    "null",
    "true",
    "false",
    "0",
    "200",
    r#""x""#,
    r#""ok""#,
    r#""success""#,
    r#""blocked""#,
    "[]",
    "{}",
    r#"{"requests":"x"}"#,
    "",
];

/// Replaces the value at a path; `""` removes it.
fn replace(whole: &mut Json, path: &str, value: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else {
        return;
    };
    let mut here = whole;
    for step in parent.split('/').skip(1) {
        here = match here {
            Json::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            Json::Object(members) => &mut members.iter_mut().find(|(name, _)| name == step.as_bytes()).unwrap().1,
            // A longer path was replaced earlier.
            _ => return,
        };
    }
    let read = |value: &str| Reader::new().read(value.as_bytes()).unwrap().root().to_json();
    match here {
        Json::Array(items) if !value.is_empty() => items[key.parse::<usize>().unwrap()] = read(value),
        Json::Object(members) => {
            let at = members.iter().position(|(name, _)| name == key.as_bytes());
            match (at, value) {
                (Some(at), "") => drop(members.remove(at)),
                (Some(at), _) => members[at].1 = read(value),
                (None, "") => {}
                (None, _) => members.push((key.as_bytes().to_vec(), read(value))),
            }
        }
        _ => {}
    }
}

#[test]
fn registry() {
    assert_eq!(NETTESTS.len(), 21);
    assert!(NETTESTS.is_sorted_by(|a, b| a.name < b.name), "sorted and without duplicates");
    for nettest in NETTESTS {
        let document = nettest.spec.strip_prefix("https://github.com/ooni/spec/blob/master/nettests/ts-").unwrap();
        let number = document.strip_suffix(".md").and_then(|rest| rest.split('-').next()).unwrap();
        assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{}", nettest.spec);
        assert!(nettest.about.len() > 20 && !nettest.about.ends_with('.'), "{}", nettest.about);
        assert!(find(nettest.name).is_some_and(|found| std::ptr::eq(found, nettest)));
    }
    for name in ["", "urlgetter", "Dash", "dash ", "psiphon_test", "test_name"] {
        assert!(find(name).is_none(), "{name}");
    }
}

#[test]
fn tests_without_a_rule_fail() {
    check("urlgetter", "{}", "0.0,\"accuracy\":0.0}");
    check("", "[]", "0.0,\"accuracy\":0.0}");
    for name in ["null", "5", "[\"dash\"]", "\"DASH\""] {
        check_with("dash", "{}", &[("test_name", name)], "0.0,\"accuracy\":0.0}");
    }
    check_with("dash", "{}", &[("test_name", r#""d\u0061sh""#)], "0.0,\"accuracy\":0.0}");
    check_with("dash", r#"{"a":1}"#, &[("test_name", r#""d\u0061sh""#)], "0.0}");
    check_with("dash", "{}", &[("test_name", "")], "E-KEY");
}

#[test]
fn records_of_missing_test_keys_have_their_path() {
    for name in NETTESTS.iter().map(|nettest| nettest.name) {
        for keys in ["", "null"] {
            let bare = measurement(name, keys, &[]);
            let enveloped = format!(r#"{{"format":"json","content":{bare}}}"#);
            for (text, path) in [(bare, "/test_keys"), (enveloped, "/content/test_keys")] {
                let reads = traced(&text).unwrap().1.into_iter().flat_map(|record| record.reads);
                let mut paths = reads.map(|read| read.path).filter(|path| path.contains("test_keys"));
                assert!(paths.all(|read| read == path), "{name}");
            }
        }
    }
}

#[test]
fn long_measurements_have_a_limited_number_of_records() {
    let request = r#"{"request":{"url":"u"},"failure":"x"}"#;
    let keys = format!(r#"{{"requests":[{request}{}]}}"#, format!(",{request}").repeat(4999));
    let (scores, records) = traced(&measurement("telegram", &keys, &[])).unwrap();
    assert_eq!(scores.get("http_failure_cnt"), Some(&Json::from(5000)));
    assert!((100..=1100).contains(&records.len()), "{}", records.len());
    assert!(records.iter().any(|record| record.rule.contains("no endpoint")), "later rules are recorded too");
}
