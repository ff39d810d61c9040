//! Tests from a measurement to the columns of its row (scoring spec §8 to §11).

use super::{Column, FastpathRow, OpenvpnRow};
use crate::error::Code;
use crate::fingerprint::Fingerprints;
use crate::json::{Json, Reader};
use crate::process::{Discard, Outcome, process};
use crate::rules::Rules;

/// The text of the base measurement of scoring spec §16, for `ndt`, with these fields changed; `""` omits a field.
pub(super) fn measurement(changes: &[(&str, &str)]) -> String {
    crate::nettest::tests::measurement("ndt", "{}", changes)
}

const UID: &str = "20240102030405.000000_IT_ndt_0123456789abcdef";

fn outcome(text: &str, uid: &str) -> Outcome {
    process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Compat)
}

pub(super) fn row(changes: &[(&str, &str)]) -> FastpathRow {
    let text = measurement(changes);
    match outcome(&text, UID) {
        Outcome::Stored { row, .. } => *row,
        other => panic!("{text}: {other:?}"),
    }
}

fn openvpn_row(changes: &[(&str, &str)]) -> OpenvpnRow {
    let text = measurement(&[&[("test_name", r#""openvpn""#)], changes].concat());
    match outcome(&text, UID) {
        Outcome::Stored { openvpn: Some(row), .. } => *row,
        other => panic!("{text}: {other:?}"),
    }
}

/// The code of the error and its path.
fn error(changes: &[(&str, &str)]) -> (Code, String) {
    let text = measurement(changes);
    match outcome(&text, UID) {
        Outcome::Rejected { error } => (error.code, error.path),
        other => panic!("{text}: {other:?}"),
    }
}

/// A column as JSON.
fn column(columns: &[(&str, Column<'_>)], name: &str) -> String {
    let mut out = Vec::new();
    let (_, value) = columns.iter().find(|(key, _)| *key == name).unwrap();
    value.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

fn of_row(changes: &[(&str, &str)], name: &str) -> String {
    column(&row(changes).columns(), name)
}

#[test]
fn columns_in_order() {
    let names: Vec<_> = row(&[]).columns().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names.join(" "),
        "measurement_uid report_id input probe_cc probe_asn test_name test_start_time measurement_start_time scores \
         platform anomaly confirmed msm_failure blocking_type domain software_name software_version test_version \
         test_runtime architecture engine_name engine_version test_helper_address test_helper_type ooni_run_link_id \
         is_verified"
    );
    let mut out = Vec::new();
    row(&[]).write_json(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"measurement_uid":"20240102030405.000000_IT_ndt_0123456789abcdef","report_id":"R","#,
            r#""input":"http:\/\/x.org\/a","probe_cc":"IT","probe_asn":1,"test_name":"ndt","#,
            r#""test_start_time":"2024-01-02 03:04:00","measurement_start_time":"2024-01-02 03:04:05","scores":{},"#,
            r#""platform":"unset","anomaly":"f","confirmed":"f","msm_failure":"f","blocking_type":"","#,
            r#""domain":"x.org","software_name":"","software_version":"","test_version":"0.5.0","test_runtime":0.0,"#,
            r#""architecture":"","engine_name":"","engine_version":"3.20.0","test_helper_address":"","#,
            r#""test_helper_type":"","ooni_run_link_id":null,"is_verified":"u"}"#
        )
    );
}

#[test]
fn copied_columns() {
    for key in ["software_name", "software_version", "test_version", "report_id"] {
        for value in [r#""x""#, "5", "5.0", "[]", r#"{"a":[1]}"#, "false", r#""""#] {
            assert_eq!(of_row(&[(key, value)], key), value, "{key}");
        }
    }
    for key in ["software_name", "software_version", "test_version"] {
        assert_eq!(of_row(&[(key, "null")], key), r#""""#);
        assert_eq!(of_row(&[(key, "")], key), r#""""#);
    }
    assert_eq!(of_row(&[("probe_cc", r#""it""#)], "probe_cc"), r#""it""#);
    for (runtime, expected) in [("", "0.0"), ("null", "0.0"), ("5", "5"), ("1e3", "1000.0"), (r#""x""#, r#""x""#)] {
        assert_eq!(of_row(&[("test_runtime", runtime)], "test_runtime"), expected);
    }
    for (name, expected) in
        [(r#""x""#, r#""x""#), ("null", r#""""#), ("0", r#""""#), ("[]", r#""""#), ("5", "5"), ("[0]", "[0]")]
    {
        assert_eq!(of_row(&[("test_name", name)], "test_name"), expected);
    }
    for (annotations, platform, architecture) in [
        ("{}", r#""unset""#, r#""""#),
        (r#"{"platform":null,"architecture":null}"#, r#""unset""#, r#""""#),
        (r#"{"platform":"","architecture":"arm"}"#, r#""""#, r#""arm""#),
        (r#"{"platform":5,"architecture":false}"#, "5", "false"),
        ("null", r#""unset""#, r#""""#),
        ("[]", r#""unset""#, r#""""#),
        (r#""x""#, r#""unset""#, r#""""#),
        ("5", r#""unset""#, r#""""#),
        ("", r#""unset""#, r#""""#),
    ] {
        assert_eq!(of_row(&[("annotations", annotations)], "platform"), platform, "{annotations}");
        assert_eq!(of_row(&[("annotations", annotations)], "architecture"), architecture, "{annotations}");
    }
}

/// Scoring spec §10.1; the hosts are tested in `url`.
#[test]
fn input_and_domain() {
    for falsy in ["", "null", r#""""#, "[]", "{}", "0", "0.0", "false"] {
        let row = row(&[("input", falsy)]);
        assert_eq!((row.input, row.domain), (Json::from(""), Json::from("")), "{falsy}");
    }
    for (input, domain) in [
        ("https://User:Pw@Ex.ORG:8080/", "User:Pw@Ex.ORG:8080"),
        ("foo.com:443/x", ""),
        ("vpn://openvpn.riseup/?addr=1", "openvpn.riseup"),
        ("stun://s:19302", "s:19302"),
        ("http://x ", "x "),
        ("HTTP://É.com/", "É.com"),
        ("x", ""),
    ] {
        let row = row(&[("input", &format!("{input:?}"))]);
        assert_eq!((row.input, row.domain), (Json::from(input), Json::from(domain)));
    }
    for other in ["5", "true", r#"["x"]"#, r#"{"a":1}"#, "[null]", "NaN"] {
        assert_eq!(error(&[("input", other)]), (Code::Assert, "/input".to_owned()), "{other}");
    }
    for wrong in [r#""http://[::1""#, r#""http://[1.2.3.4]/""#, r#""http://a\uff0fb.com/""#, r#""http://[a]@b/""#] {
        assert_eq!(error(&[("input", wrong)]), (Code::Value, "/input".to_owned()), "{wrong}");
    }
    let meek = |input: &str| {
        [("test_name", r#""meek_fronted_requests_test""#), ("input", input)].map(|(k, v)| (k, v.to_owned()))
    };
    for (input, stored, domain) in [
        (r#"["b","a"]"#, "{b,a}", "b"),
        (r#"["a/b,c"]"#, "{a/b,c}", "a/b,c"),
        (r#"["",""]"#, "{,}", ""),
        (r#""http://x/""#, "http://x/", "x"),
        ("[]", "", ""),
    ] {
        let changes = meek(input);
        let row = row(&changes.each_ref().map(|(k, v)| (*k, v.as_str())));
        assert_eq!((row.input, row.domain), (Json::from(stored), Json::from(domain)));
    }
    for (input, code, path) in [
        (r#"["a",5]"#, Code::Type, "/input/1"),
        ("[null]", Code::Type, "/input/0"),
        (r#"{"a":1}"#, Code::Assert, "/input"),
        ("5", Code::Assert, "/input"),
    ] {
        let changes = meek(input);
        assert_eq!(error(&changes.each_ref().map(|(k, v)| (*k, v.as_str()))), (code, path.to_owned()));
    }
}

/// Scoring spec §10.2.
#[test]
fn probe_asn() {
    for (asn, expected) in [
        ("AS123", "123"),
        ("as123", "123"),
        ("XX123", "123"),
        ("éé7", "7"),
        ("AS 5", "5"),
        ("AS1_0", "10"),
        ("AS-5", "-5"),
        ("AS+5", "5"),
        ("AS٥", "5"),
        ("AS00", "0"),
        ("AS123456789012345678901234567890", "123456789012345678901234567890"),
    ] {
        assert_eq!(of_row(&[("probe_asn", &format!("{asn:?}"))], "probe_asn"), expected, "{asn}");
    }
    for wrong in ["AS", "A", "", "1", "AS1x", "AS1.", "AS_1", "AS1__0", "ASé"] {
        assert_eq!(error(&[("probe_asn", &format!("{wrong:?}"))]), (Code::Value, "/probe_asn".to_owned()), "{wrong}");
    }
    assert_eq!(error(&[("probe_asn", "")]), (Code::Key, "/probe_asn".to_owned()));
    for odd in ["null", "5", "[]", "true"] {
        assert_eq!(error(&[("probe_asn", odd)]), (Code::Type, "/probe_asn".to_owned()));
    }
}

/// Scoring spec §10.3.
#[test]
fn dates() {
    for key in ["measurement_start_time", "test_start_time"] {
        let path = format!("/{key}");
        assert_eq!(of_row(&[(key, r#""2021-1-2 3:4:5""#)], key), r#""2021-01-02 03:04:05""#);
        assert_eq!(of_row(&[(key, r#""0001-12-31\t\u00a023:59:59""#)], key), r#""0001-12-31 23:59:59""#);
        assert_eq!(error(&[(key, "")]), (Code::Key, path.clone()));
        for odd in ["null", "5", "[]", "1.5e9"] {
            assert_eq!(error(&[(key, odd)]), (Code::Type, path.clone()), "{odd}");
        }
        for wrong in [
            "",
            "x",
            "2021-01-02",
            "2021-01-02T03:04:05",
            "2021-01-02 03:04:05Z",
            " 2021-01-02 03:04:05",
            "2021-02-30 03:04:05",
            "2021-01-02 24:00:00",
            "2021-01-02 23:59:60",
            "0000-01-01 00:00:00",
            "2021-01-02 03:04:05.1",
        ] {
            assert_eq!(error(&[(key, &format!("{wrong:?}"))]), (Code::Value, path.clone()), "{wrong}");
        }
    }
    // The order of derivation decides which error is reported.
    let all = [
        ("annotations", r#"{"ooni_run_link_id":[]}"#),
        ("input", "5"),
        ("probe_asn", r#""x""#),
        ("measurement_start_time", ""),
        ("test_start_time", ""),
    ];
    for (i, path) in
        ["/annotations/ooni_run_link_id", "/input", "/probe_asn", "/measurement_start_time", "/test_start_time"]
            .into_iter()
            .enumerate()
    {
        assert_eq!(error(&all[i..]).1, path);
    }
}

/// Scoring spec §10.4.
#[test]
fn test_helpers() {
    for (helpers, address, kind) in [
        ("", r#""""#, r#""""#),
        ("null", r#""""#, r#""""#),
        ("[]", r#""""#, r#""""#),
        ("5", r#""""#, r#""""#),
        ("{}", r#""""#, r#""""#),
        (r#"{"backend":"1.2.3.4:57001"}"#, r#""""#, r#""""#),
        (r#"{"backend":null}"#, r#""""#, r#""""#),
        (r#"{"backend":[]}"#, r#""""#, r#""""#),
        (r#"{"backend":{}}"#, r#""""#, r#""""#),
        (r#"{"backend":{"address":"https://x","type":"https"}}"#, r#""https:\/\/x""#, r#""https""#),
        (r#"{"backend":{"address":null,"type":5}}"#, r#""""#, "5"),
        (r#"{"backend":{"address":["x"]}}"#, r#"["x"]"#, r#""""#),
    ] {
        let changes = [("test_helpers", helpers)];
        assert_eq!(of_row(&changes, "test_helper_address"), address, "{helpers}");
        assert_eq!(of_row(&changes, "test_helper_type"), kind, "{helpers}");
    }
}

/// Scoring spec §10.5.
#[test]
fn run_link_ids() {
    for (id, expected) in [
        (r#""123""#, "123"),
        (r#"" +1_0 ""#, "10"),
        (r#""x""#, "null"),
        (r#""""#, "null"),
        (r#""1.0""#, "null"),
        ("null", "null"),
        ("5", "5"),
        ("-5", "-5"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "1"),
        ("false", "0"),
        ("2.9", "2"),
        ("-2.9", "-2"),
        ("1e20", "100000000000000000000"),
        ("NaN", "null"),
    ] {
        let annotations = format!(r#"{{"ooni_run_link_id":{id}}}"#);
        assert_eq!(of_row(&[("annotations", &annotations)], "ooni_run_link_id"), expected, "{id}");
    }
    for (id, code) in [("Infinity", Code::Value), ("-1e400", Code::Value), ("[]", Code::Type), ("{}", Code::Type)] {
        let annotations = format!(r#"{{"ooni_run_link_id":{id}}}"#);
        assert_eq!(error(&[("annotations", &annotations)]), (code, "/annotations/ooni_run_link_id".to_owned()));
    }
    assert_eq!(of_row(&[("annotations", r#"[{"ooni_run_link_id":5}]"#)], "ooni_run_link_id"), "null");
}

/// Scoring spec §9.
#[test]
fn flags() {
    let flags = |name: &str, keys: &str| {
        let row = row(&[("test_name", name), ("test_keys", keys)]);
        (row.anomaly, row.confirmed, row.msm_failure, row.blocking_type)
    };
    let none = Json::from("");
    assert_eq!(flags(r#""ndt""#, "{}"), (false, false, false, none.clone()));
    assert_eq!(flags(r#""urlgetter""#, "{}"), (false, false, true, none.clone()));
    assert_eq!(flags(r#""dash""#, r#"{"failure":"eof_error"}"#), (false, false, true, none.clone()));
    // A score of 0.5 is not an anomaly.
    let half = r#"{"targets":{"a":{"failure":"x","network_events":[]},"b":{"failure":null,"network_events":[]}}}"#;
    assert_eq!(flags(r#""tor""#, half), (false, false, false, none.clone()));
    assert_eq!(
        flags(r#""facebook_messenger""#, r#"{"facebook_tcp_blocking":true}"#),
        (false, false, false, none.clone())
    );
    let more = r#"{"facebook_tcp_blocking":true,"facebook_dns_blocking":true}"#;
    assert_eq!(flags(r#""facebook_messenger""#, more), (true, false, false, none.clone()));
    // An accuracy of the integer 0 and of the float 1.0.
    assert_eq!(flags(r#""meek_fronted_requests_test""#, "{}"), (true, false, true, none.clone()));
    assert_eq!(flags(r#""psiphon""#, r#"{"failure":"x"}"#), (true, false, true, none));
    let row = row(&[("test_name", r#""psiphon""#), ("test_keys", r#"{"failure":"x"}"#), ("resolver_ip", "null")]);
    assert!(row.anomaly && !row.msm_failure);
    assert_eq!(flags(r#""web_connectivity""#, r#"{"blocking":"dns"}"#), (true, false, false, Json::from("dns")));
    assert_eq!(flags(r#""web_connectivity""#, r#"{"blocking":true}"#), (false, false, true, Json::from("")));
}

/// Scoring spec §8 and the last lines of §16.
#[test]
fn wrong_dates() {
    let scores = |uid: &str, time: &str, more: &[(&str, &str)]| {
        let text = measurement(&[&[("measurement_start_time", time)], more].concat());
        match outcome(&text, uid) {
            Outcome::Stored { row, .. } => row.scores.to_json_text(),
            Outcome::Rejected { error } => format!("{} {}", error.code, error.path),
            other => panic!("{other:?}"),
        }
    };
    let future = r#"{"accuracy":0.0,"msg":"Measurement start time from the future"}"#;
    let old = r#"{"accuracy":0.0,"msg":"Measurement start time too old"}"#;
    for (time, expected) in [
        ("2024-01-02 04:04:05", "{}"),
        ("2024-01-02 04:04:06", future),
        ("2023-01-02 03:04:05", "{}"),
        ("2023-01-02 03:04:04", old),
        ("9999-01-01 00:00:00", future),
        ("0001-01-01 00:00:00", old),
    ] {
        assert_eq!(scores(UID, &format!("{time:?}"), &[]), expected, "{time}");
    }
    // The fraction of the receive time counts.
    let with = |fraction: &str| format!("20240102030405.{fraction}_IT_ndt_0123456789abcdef");
    assert_eq!(scores(&with("000001"), r#""2023-01-02 03:04:05""#, &[]), old);
    // UIDs without a time, or with an invalid one.
    for uid in [
        "01202003026e2b60ffaa8e1b2bc7865d0bc26659",
        "x",
        "20240102030405.000000",
        "20241302030405.000000_IT_ndt_x",
        "20240230030405.000000_IT_ndt_x",
        "20240102030405.0000000_IT_ndt_x",
        "2024010203040.000000_IT_ndt_xx",
        "30240102030405.000000_IT_ndt_x",
        "20240102030405_IT_ndt_0123456789",
    ] {
        assert_eq!(scores(uid, r#""0001-01-01 00:00:00""#, &[]), "{}", "{uid}");
    }
    // The order of the checks: a start of the wrong kind is reported before an invalid network, but only if the UID
    // contains a time.
    for time in ["5", "[0]", "true"] {
        assert_eq!(scores(UID, time, &[("probe_asn", r#""x""#)]), "E-TYPE /measurement_start_time");
        assert_eq!(scores("x", time, &[("probe_asn", r#""x""#)]), "E-VALUE /probe_asn");
    }
    for time in ["", "null", "0", r#""""#, "[]", r#""x""#] {
        assert_eq!(scores(UID, time, &[("probe_asn", r#""x""#)]), "E-VALUE /probe_asn");
    }
    // Existing keys are set in place, and the blocking scores are kept.
    let zeros = r#","blocking_global":0.0,"blocking_country":0.0,"blocking_isp":0.0,"blocking_local":0.0"#;
    let psiphon = [("test_name", r#""psiphon""#), ("test_keys", r#"{"failure":"x"}"#), ("resolver_ip", "1")];
    assert_eq!(
        scores(UID, r#""2000-01-01 00:00:00""#, &psiphon),
        format!(
            r#"{{"blocking_general":1.0{zeros},"accuracy":0.0,"extra":{{"test_runtime":null,"bootstrap_time":0}},"msg":"Measurement start time too old"}}"#
        )
    );
    let dash = [("test_name", r#""dash""#), ("test_keys", r#"{"failure":"boo"}"#)];
    assert_eq!(
        scores(UID, r#""2000-01-01 00:00:00""#, &dash),
        format!(r#"{{"blocking_general":0.0{zeros},"msg":"Measurement start time too old","accuracy":0.0}}"#)
    );
}

/// Scoring spec §3.
#[test]
fn steps() {
    let good = measurement(&[]);
    assert!(
        matches!(outcome(&good, ""), Outcome::Rejected { error } if error.code == Code::Assert && error.path.is_empty())
    );
    assert!(matches!(outcome(&good[1..], UID), Outcome::Rejected { error } if error.code == Code::Parse));
    for text in ["[]", "5", "null", r#""x""#] {
        assert!(matches!(outcome(text, UID), Outcome::Rejected { error } if error.code == Code::Type));
    }
    for (changes, reason) in [
        (&[("report_id", "")][..], Discard::NoReportId),
        (&[("report_id", "null"), ("probe_cc", "5")], Discard::NoReportId),
        (&[("probe_cc", r#""zZ""#), ("probe_asn", "5")], Discard::UnknownCountry),
        (&[("probe_asn", r#""As0""#), ("test_name", "")], Discard::UnknownNetwork),
    ] {
        assert_eq!(outcome(&measurement(changes), UID), Outcome::Discarded { reason });
    }
    for kept in
        [&[("report_id", r#""""#)][..], &[("probe_cc", "")], &[("probe_cc", r#""ZZ ""#)], &[("probe_asn", r#""AS00""#)]]
    {
        row(kept);
    }
    for (key, value) in [("probe_cc", "null"), ("probe_cc", "5"), ("probe_asn", "null"), ("probe_asn", "[]")] {
        assert_eq!(error(&[(key, value)]), (Code::Type, format!("/{key}")));
    }
    assert_eq!(error(&[("test_name", "")]), (Code::Key, "/test_name".to_owned()));
}

/// Scoring spec §3.1.
#[test]
fn envelopes() {
    let inner = measurement(&[("is_verified", r#""t""#)]);
    let verified = |text: &str| match outcome(text, UID) {
        Outcome::Stored { row, .. } => row.is_verified.as_str().to_owned(),
        Outcome::Rejected { error } => format!("{} {}", error.code, error.path),
        other => panic!("{other:?}"),
    };
    assert_eq!(verified(&inner), "t");
    for (value, letter) in [
        (r#""t""#, "t"),
        (r#""f""#, "f"),
        (r#""u""#, "u"),
        (r#""x""#, "u"),
        ("true", "u"),
        ("null", "u"),
        (r#""T""#, "u"),
    ] {
        assert_eq!(verified(&format!(r#"{{"is_verified":{value},"format":"json","content":{inner}}}"#)), letter);
    }
    assert_eq!(verified(&format!(r#"{{"format":"jSoN","content":{inner},"more":1}}"#)), "u");
    for (format, content, expected) in [
        ("5", &*inner, "E-TYPE /format"),
        ("null", &inner, "E-TYPE /format"),
        (r#""xml""#, &inner, "E-TYPE /format"),
        (r#""""#, &inner, "E-TYPE /format"),
        (r#""json""#, "[]", "E-TYPE /content"),
        (r#""json""#, "null", "E-TYPE /content"),
        (r#""json""#, r#""{}""#, "E-TYPE /content"),
    ] {
        assert_eq!(verified(&format!(r#"{{"format":{format},"content":{content}}}"#)), expected);
    }
    // The path of an error includes the envelope.
    let broken = format!(r#"{{"format":"json","content":{}}}"#, measurement(&[("probe_asn", r#""x""#)]));
    assert_eq!(verified(&broken), "E-VALUE /content/probe_asn");
    // Only one envelope is removed.
    let twice = format!(r#"{{"format":"json","content":{{"format":"json","content":{inner}}}}}"#);
    assert_eq!(outcome(&twice, UID), Outcome::Discarded { reason: Discard::NoReportId });
}

/// Scoring spec §11.
#[test]
fn openvpn() {
    let of = |changes: &[(&str, &str)], name: &str| column(&openvpn_row(changes).columns(), name);
    let names: Vec<_> = openvpn_row(&[]).columns().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names.join(" "),
        "anomaly bootstrap_time confirmed failure input last_handshake_transaction_id measurement_start_time \
         measurement_uid minivpn_version obfs4_version obfuscation platform probe_asn probe_cc probe_network_name \
         provider remote report_id resolver_asn resolver_ip resolver_network_name software_name software_version \
         success success_handshake success_icmp success_urlgrab test_runtime test_start_time transport"
    );
    let mut out = Vec::new();
    openvpn_row(&[]).write_json(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"anomaly":false,"bootstrap_time":0,"confirmed":false,"failure":"","input":"http:\/\/x.org\/a","#,
            r#""last_handshake_transaction_id":0,"measurement_start_time":"2024-01-02 03:04:05","#,
            r#""measurement_uid":"20240102030405.000000_IT_ndt_0123456789abcdef","minivpn_version":"","#,
            r#""obfs4_version":"","obfuscation":"","platform":"","probe_asn":1,"probe_cc":"IT","#,
            r#""probe_network_name":"","provider":"","remote":"","report_id":"R","resolver_asn":0,"resolver_ip":"","#,
            r#""resolver_network_name":"","software_name":"","software_version":"","success":false,"#,
            r#""success_handshake":false,"success_icmp":false,"success_urlgrab":false,"test_runtime":0,"#,
            r#""test_start_time":"2024-01-02 03:04:00","transport":""}"#
        )
    );
    // Read at the top level, and inverted.
    for (success, anomaly) in
        [("true", "true"), ("false", "false"), ("1", "false"), (r#""true""#, "false"), ("null", "false")]
    {
        assert_eq!(of(&[("success", success)], "anomaly"), anomaly);
    }
    assert_eq!(of(&[("test_keys", r#"{"success":true}"#)], "anomaly"), "false");
    assert_eq!(of(&[("annotations", r#"{"platform":"linux"}"#)], "platform"), r#""""#);
    assert_eq!(of(&[("platform", r#""linux""#)], "platform"), r#""linux""#);
    for key in ["failure", "minivpn_version", "obfs4_version", "obfuscation", "provider", "remote", "transport"] {
        for (value, expected) in [("null", r#""""#), (r#""x""#, r#""x""#), ("5", "5"), ("[]", "[]"), ("false", "false")]
        {
            assert_eq!(of(&[("test_keys", &format!(r#"{{"{key}":{value}}}"#))], key), expected);
        }
    }
    for key in ["success", "success_handshake", "success_icmp", "success_urlgrab"] {
        for (value, expected) in
            [("null", "false"), ("true", "true"), ("0", "false"), (r#""x""#, "true"), ("[]", "false")]
        {
            assert_eq!(of(&[("test_keys", &format!(r#"{{"{key}":{value}}}"#))], key), expected);
        }
    }
    for (value, expected) in [("null", "0"), ("5", "5"), ("0.5", "0.5"), (r#""""#, r#""""#)] {
        assert_eq!(of(&[("test_keys", &format!(r#"{{"bootstrap_time":{value}}}"#))], "bootstrap_time"), expected);
        assert_eq!(of(&[("test_runtime", value)], "test_runtime"), expected);
    }
    for (asn, expected) in [
        (r#""AS123""#, "123"),
        (r#""123""#, "123"),
        (r#""as123""#, "0"),
        (r#""ASAS1""#, "0"),
        (r#""AS 5""#, "5"),
        (r#""AS-5""#, "-5"),
        (r#""""#, "0"),
        (r#""AS""#, "0"),
        ("5", "0"),
        ("null", "0"),
        ("", "0"),
    ] {
        assert_eq!(of(&[("resolver_asn", asn)], "resolver_asn"), expected, "{asn}");
    }
    for (events, expected) in [
        ("null", "0"),
        ("[]", "0"),
        ("{}", "0"),
        ("5", "0"),
        (r#""x""#, "0"),
        ("[5]", "0"),
        (r#"[{"transaction_id":3},{"transaction_id":7},{"transaction_id":5}]"#, "7"),
        (r#"[{"transaction_id":3},{}]"#, "0"),
        (r#"[{"transaction_id":3},null]"#, "0"),
        (r#"[{"transaction_id":3},{"transaction_id":null}]"#, "0"),
        (r#"[{"transaction_id":3},{"transaction_id":"5"}]"#, "0"),
        (r#"[{"transaction_id":null}]"#, "null"),
        (r#"[{"transaction_id":{"a":1}}]"#, r#"{"a":1}"#),
        (r#"[{"transaction_id":1},{"transaction_id":1.0}]"#, "1"),
        (r#"[{"transaction_id":true},{"transaction_id":0.5}]"#, "true"),
        (r#"[{"transaction_id":"a"},{"transaction_id":"b"}]"#, r#""b""#),
        (r#"[{"transaction_id":[1]},{"transaction_id":[1,2]}]"#, "[1,2]"),
    ] {
        let keys = format!(r#"{{"network_events":{events}}}"#);
        assert_eq!(of(&[("test_keys", &keys)], "last_handshake_transaction_id"), expected, "{events}");
    }
    // No other test has such a row. The input is copied unchanged.
    assert!(matches!(outcome(&measurement(&[]), UID), Outcome::Stored { openvpn: None, .. }));
    assert_eq!(of(&[("input", "null")], "input"), r#""""#);
    assert_eq!(of(&[("input", "0")], "input"), "0");
}

#[test]
fn plain_columns() {
    let plain = |column: Column<'_>| {
        let mut out = Vec::new();
        column.write_plain(&mut out);
        String::from_utf8(out).unwrap()
    };
    let row = row(&[
        ("report_id", r#""a/b\ud83d""#),
        ("test_version", "0.1"),
        ("software_name", r#"{"a":"/"}"#),
        ("test_runtime", "null"),
    ]);
    let columns = row.columns();
    let of = |name: &str| plain(columns.iter().find(|(key, _)| *key == name).unwrap().1);
    assert_eq!(of("report_id"), "a/b\u{fffd}");
    assert_eq!(of("test_version"), "0.1");
    assert_eq!(of("software_name"), r#"{"a":"\/"}"#);
    assert_eq!(of("input"), "http://x.org/a");
    assert_eq!(of("measurement_start_time"), "2024-01-02 03:04:05");
    assert_eq!((of("ooni_run_link_id"), of("anomaly"), of("probe_asn")), (String::new(), "f".into(), "1".into()));
    assert_eq!((plain(Column::Bool(true)), plain(Column::Json(&Json::Null))), ("true".into(), String::new()));
}

#[test]
fn outcomes_are_read_back_unchanged() {
    let texts = [
        measurement(&[]),
        measurement(&[("test_name", r#""openvpn""#)]),
        measurement(&[("report_id", "null")]),
        measurement(&[("probe_asn", "5")]),
        measurement(&[("test_name", r#""psiphon""#), ("test_runtime", "NaN"), ("report_id", r#"{"$int":"5"}"#)]),
        measurement(&[("software_name", r#""\ud83d""#), ("probe_asn", r#""AS99999999999999999999""#)]),
    ];
    // The maximum depth of a measurement.
    let deep = format!("{}{}", "[".repeat(1023), "]".repeat(1023));
    let deep = [("report_id", r#""R""#), ("test_name", r#""psiphon""#), ("software_name", &deep), ("test_keys", "{}")];
    for text in texts.into_iter().chain([measurement(&deep)]) {
        let outcome = outcome(&text, UID);
        let written = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&written).unwrap(), outcome, "{written}");
    }
    // A row without a ruleset, as written by older versions, and an invalid flag.
    let mut value = serde_json::to_value(row(&[])).unwrap();
    value.as_object_mut().unwrap().remove("ruleset");
    assert!(serde_json::from_value::<FastpathRow>(value.clone()).is_ok());
    value["anomaly"] = "x".into();
    assert!(serde_json::from_value::<FastpathRow>(value).is_err());
    let mut reader = Reader::new();
    let mut out = Vec::new();
    row(&[]).write_json(&mut out);
    assert!(reader.read(&out).is_ok());
}
