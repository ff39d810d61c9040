//! Properties of every input, valid or not: no panic, one of three outcomes, and an explanation with a reason.

use crate::support::edit::{self, Dice};
use crate::support::{FULL, Fixture, fixtures, json, text};
use ooni_core::error::{Code, Error};
use ooni_core::explain::{Explanation, explain};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Json, Reader};
use ooni_core::nettest::NETTESTS;
use ooni_core::process::{Outcome, Scorer, process};
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use proptest::prelude::*;
use std::sync::LazyLock;

const RULES: [Rules; 2] = [Rules::Compat, Rules::Fixed];

/// Lists with short patterns, so that even random documents contain fingerprints.
static SHORT: LazyLock<Fingerprints> = LazyLock::new(|| {
    const NAMES: &str =
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries\n";
    let dns = format!("{NAMES}d1,nat,,dns,full,x,1,\nd2,prod,,dns,full,,1,IT\n");
    let http = format!(
        "{NAMES}{}{}{}",
        "b1,nat,,body,contains,x,1,\nb2,prod,,body,regexp,b.*d,1,IT\nb3,inst,,body,full,blocked,1,IT\n",
        "h1,isp,,header.server,contains,o,1,\nh2,prod,,header.server,prefix,x,1,IT\nh3,fp,,header.server,full,ok,1,IT\n",
        "h4,prod,,header.location,prefix,http,1,IT\n"
    );
    Fingerprints::from_csv(dns.as_bytes(), http.as_bytes(), "short").unwrap()
});

static FIXTURES: LazyLock<Vec<(Fixture, Option<Json>)>> = LazyLock::new(|| {
    let parsed = |bytes: &[u8]| Reader::new().read(bytes).ok().map(|document| document.root().to_json());
    fixtures()
        .into_iter()
        .map(|fixture| (parsed(&fixture.bytes), fixture))
        .map(|(json, fixture)| (fixture, json))
        .collect()
});

/// Keys that rules read, and some that they do not.
const KEYS: &[&str] = &[
    "",
    "x",
    "failure",
    "success",
    "requests",
    "request",
    "response",
    "body",
    "headers",
    "Server",
    "Location",
    "data",
    "format",
    "content",
    "queries",
    "answers",
    "ipv4",
    "hostname",
    "tcp_connect",
    "status",
    "url",
    "blocking",
    "accessible",
    "title_match",
    "x_failure",
    "input",
    "test_name",
    "test_keys",
    "report_id",
    "probe_cc",
    "probe_asn",
    "annotations",
    "measurement_start_time",
    "test_start_time",
    "test_runtime",
    "targets",
    "network_events",
    "transaction_id",
    "tor_log",
    "tor_logs",
    "tor_progress",
    "bootstrap_time",
    "connection",
    "result",
    "sent",
    "received",
    "headers_match",
    "body_length_match",
    "control_failure",
    "is_verified",
    "test_version",
    "software_version",
    "software_name",
    "engine_version",
    "ooni_run_link_id",
    "platform",
    "test_helpers",
    "backend",
    "address",
    "type",
    "headers_dict",
    "code",
    "endpoint",
    "signal_backend_status",
    "telegram_web_status",
    "whatsapp_web_failure",
    "failed_operation",
    "resolver_asn",
    "resolver_ip",
    "tor",
    "is_tor",
    "$int",
    "$text",
];

static VALUES: LazyLock<Vec<Json>> = LazyLock::new(|| {
    let texts = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "200",
        "0.5",
        "-0.0",
        "NaN",
        "Infinity",
        "1e400",
        "99999999999999999999",
        r#""""#,
        r#""x""#,
        r#""ok""#,
        r#""blocked""#,
        r#""dns""#,
        r#""success""#,
        r#""error""#,
        r#""base64""#,
        r#""json""#,
        r#""AS1""#,
        r#""AS0""#,
        r#""IT""#,
        r#""ZZ""#,
        r#""2024-01-02 03:04:05""#,
        r#""2034-01-02 03:04:05""#,
        r#""unknown_failure: x""#,
        r#""http://x.org/""#,
        r#""http://[::1""#,
        r#""https://web.whatsapp.com/""#,
        r#""https://v.whatsapp.net/v2/register""#,
        r#""https://web.telegram.org/""#,
        r#""YQ==""#,
        r#""YQ""#,
        r#""é""#,
        r#""\ud83d""#,
        r#""\u0000""#,
        r#""0.2.4""#,
        r#""3.17.x""#,
        r#""3.8.3""#,
        r#""ooniprobe-android""#,
        r#""5""#,
        r#""{\"headers_dict\":{\"A\":[\"x\"]}}""#,
        r#""Bootstrapped 100%: Done""#,
        "[]",
        "{}",
        "[null]",
        r#"["x"]"#,
        r#"[{}]"#,
        r#"{"x":null}"#,
        r#"{"data":"YQ==","format":"base64"}"#,
        r#"{"data":"YQ","format":"base64"}"#,
        r#"{"failure":"x","network_events":[]}"#,
        r#"{"ipv4":"x"}"#,
        r#"{"status":{"success":false}}"#,
        r#"{"request":{"url":"x"},"failure":null,"response":{"code":200,"body":"x","headers":{"Server":"x"}}}"#,
    ];
    texts.iter().map(|text| json(text.as_bytes())).collect()
});

/// All properties for one input, with both rules.
fn check(bytes: &[u8], uid: &str, fingerprints: &Fingerprints) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(3000)]);
    for rules in RULES {
        let outcome = process(bytes, uid, fingerprints, rules);
        let explanation = explain(bytes, uid, fingerprints, rules);
        assert_eq!(explanation.outcome, outcome, "explaining changes the outcome: {shown}");
        assert!(!explanation.to_string().is_empty());
        assert!(serde_json::to_string(&explanation).is_ok());
        let written = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&written).unwrap(), outcome, "{written}");
        match &outcome {
            Outcome::Stored { row, openvpn } => {
                check_row(row, &explanation, &shown);
                assert_eq!(openvpn.is_some(), row.test_name.as_str() == Some("openvpn"));
                if let Some(openvpn) = openvpn {
                    let _ = openvpn.acceptance();
                }
            }
            Outcome::Discarded { reason } => {
                let field =
                    explanation.fired.iter().filter(|fired| fired.sets == "outcome").flat_map(|fired| &fired.reads);
                assert!(field.map(|read| &read.path).any(|path| path.ends_with(reason.field())), "{shown}");
            }
            Outcome::Rejected { error } => check_error(bytes, error, &shown),
        }
    }
}

fn check_row(row: &FastpathRow, explanation: &Explanation, shown: &str) {
    for (key, value) in row.scores.entries().filter(|(key, _)| key.starts_with("blocking_")) {
        assert!(
            matches!(value, Json::Float(score) if score.is_finite() && *score >= 0.0),
            "{key} is {value:?}: {shown}"
        );
    }
    assert!(row.scores.get("accuracy").is_none_or(|accuracy| accuracy.as_f64().is_some_and(f64::is_finite)));
    let sets = |key: &str| explanation.fired.iter().any(|fired| fired.sets == key);
    assert!(!row.anomaly || sets("blocking_general"), "an anomaly without a reason: {shown}");
    assert!(!row.msm_failure || sets("accuracy"), "a failure without a reason: {shown}");
    let confirmed = explanation.fingerprints.iter().any(|found| found.confirmed);
    assert!(!row.confirmed || sets("confirmed") && confirmed, "confirmed without a reason: {shown}");
    assert!(row.confirmed || !confirmed, "a fingerprint that confirms and does not: {shown}");
    let listed = match row.scores.get("fingerprints") {
        Some(Json::Array(listed)) => listed.len(),
        _ => 0,
    };
    assert_eq!(explanation.fingerprints.len(), listed, "{shown}");
    // The row is written as JSON in ASCII, and is read back unchanged.
    let mut out = Vec::new();
    row.write_json(&mut out);
    assert!(out.is_ascii());
    let back = json(&out);
    assert_eq!(back.get("measurement_uid").and_then(Json::as_str), Some(&*row.measurement_uid));
    let _ = row.acceptance();
}

fn check_error(bytes: &[u8], error: &Error, shown: &str) {
    assert!(Code::ALL.contains(&error.code) && error.code != Code::Can, "{error}");
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error}");
    if matches!(error.code, Code::Parse | Code::Limit) {
        return assert_eq!(error.path, "");
    }
    let whole = json(bytes);
    let is_there = |path: &str| edit::at(&whole, path).is_some();
    assert!(is_there(&error.path) || edit::parent(&error.path).is_some_and(is_there), "{error}: {shown}");
}

/// A random document with valid required fields, so that the rules are reached.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop::sample::select(VALUES.clone());
    let key = prop::sample::select(KEYS.to_vec());
    let tree = leaf.prop_recursive(4, 30, 6, move |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            5 => prop::collection::vec((key.clone(), inner), 0..6).prop_map(|members| {
                Json::Object(members.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
            }),
        ]
    });
    let name =
        prop::sample::select(NETTESTS.iter().map(|nettest| nettest.name).chain(["urlgetter"]).collect::<Vec<_>>());
    let extra = prop::collection::vec((prop::sample::select(KEYS.to_vec()), tree.clone()), 0..3);
    (name, prop::collection::vec((prop::sample::select(KEYS.to_vec()), tree.clone()), 0..7), extra, tree, 0..12u8)
        .prop_map(|(name, keys, extra, tree, shape)| {
            if shape == 0 {
                return text(&tree).into_bytes();
            }
            let object = |members: Vec<(&str, Json)>| {
                Json::Object(members.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
            };
            let mut members = vec![
                ("report_id", Json::from("R")),
                ("probe_cc", Json::from("IT")),
                ("probe_asn", Json::from("AS1")),
                ("input", Json::from("http://x.org/")),
                ("measurement_start_time", Json::from("2024-01-02 03:04:05")),
                ("test_start_time", Json::from("2024-01-02 03:04:05")),
                ("test_name", Json::from(name)),
                ("test_keys", if shape == 1 { tree } else { object(keys) }),
            ];
            members.extend(extra.into_iter().filter(|_| shape < 6));
            text(&object(members)).into_bytes()
        })
}

const UID: &str = "20240102030405.000000_IT_ndt_0123456789abcdef";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), uid in "(|[ -~]{0,30}|20240102030405\\.[0-9]{0,7}_.{0,9})") {
        check(&bytes, &uid, &SHORT);
    }

    #[test]
    fn bytes_that_look_like_json(bytes in "[\\[\\]{}\",:\\\\ \t0-9eE.+\\-a-fnrtuNIé\u{0}-\u{1f}]{0,60}") {
        check(bytes.as_bytes(), UID, &SHORT);
    }

    #[test]
    fn any_json(bytes in document()) {
        check(&bytes, UID, &SHORT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_fixtures(which in any::<prop::sample::Index>(), seed in any::<u64>(), changes in 1..6usize) {
        let (fixture, Some(whole)) = which.get(&FIXTURES) else { return Ok(()) };
        let (mut whole, mut dice) = (whole.clone(), Dice(seed));
        (0..changes).for_each(|_| edit::mutate(&mut whole, &VALUES, KEYS, &mut dice));
        let list = if dice.roll(2) == 0 { &FULL } else { &SHORT };
        check(text(&whole).as_bytes(), &fixture.uid, list);
    }

    #[test]
    fn damaged_fixtures(which in any::<prop::sample::Index>(), seed in any::<u64>(), damage in 0..4u8) {
        let (fixture, _) = which.get(&FIXTURES);
        let (mut bytes, mut dice) = (fixture.bytes.clone(), Dice(seed));
        match damage {
            0 => bytes.truncate(dice.roll(bytes.len())),
            1 => (0..3).for_each(|_| {
                let at = dice.roll(bytes.len());
                bytes[at] ^= 1 << dice.roll(8);
            }),
            2 => {
                let at = dice.roll(bytes.len());
                bytes[at] = *dice.pick(b"\"\\{}[],:0-9eE. \n\xe9\xed\x00ut");
            }
            _ => {
                let (at, from) = (dice.roll(bytes.len()), dice.roll(bytes.len()));
                let piece = bytes[from..(from + 20).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        check(&bytes, &fixture.uid, &SHORT);
    }
}

/// A scorer and a reader that have been used for all other inputs give the same results as new ones.
#[test]
fn results_do_not_depend_on_earlier_inputs() {
    for rules in RULES {
        let (scorer, mut reader) = (Scorer::new(&FULL, rules), Reader::new());
        let mut dice = Dice(1);
        for _ in 0..400 {
            let (fixture, whole) = dice.pick(&FIXTURES);
            let mut bytes = fixture.bytes.clone();
            match (dice.roll(4), whole) {
                (0, Some(whole)) => {
                    let mut whole = whole.clone();
                    edit::mutate(&mut whole, &VALUES, KEYS, &mut dice);
                    bytes = text(&whole).into_bytes();
                }
                (1, _) => bytes.truncate(dice.roll(bytes.len())),
                _ => {}
            }
            let again = match reader.read(&bytes) {
                Ok(document) => scorer.process(document.root(), &fixture.uid),
                Err(error) => Outcome::Rejected { error: error.into() },
            };
            assert_eq!(again, process(&bytes, &fixture.uid, &FULL, rules), "{}", fixture.file);
        }
    }
}

#[test]
fn fixtures_have_these_properties() {
    for (fixture, _) in FIXTURES.iter() {
        check(&fixture.bytes, &fixture.uid, &FULL);
        check(&fixture.bytes, &fixture.uid, &SHORT);
    }
}
