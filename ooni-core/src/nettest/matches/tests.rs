//! Tests of which fingerprints are found where, and what they confirm.

use super::*;
use crate::json::Reader;
use crate::nettest::tests::{check_listed, check_with, error_listed, found_listed, list};

const DNS: &str = concat!(
    "addr,nat,,dns,full,1.2.3.4,5,IR\n",
    "host,prod,,dns,prefix,x.org,5,IT\n",
    "part,prod,,dns,contains,1.2,5,IT\n",
    "none,prod,,dns,full,,5,IT\n",
    "again,isp,,body,regexp,1.2.3.4,5,\n",
);
const HTTP: &str = concat!(
    "needle,prod,,body,contains,NEEDLE,5,\n",
    "accent,prod,,body,contains,né,5,\n",
    "regexp,prod,,body,regexp,a.c,5,\n",
    "full,prod,,body,full,whole,5,\n",
    "prefix,prod,,body,prefix,pre,5,\n",
    "full_h,prod,,header.server,full,Wall,5,\n",
    "prefix_h,prod,,header.server,prefix,Wa,5,\n",
    "contains_h,prod,,header.server,contains,al,5,\n",
    "regexp_h,prod,,header.server,regexp,W.*,5,\n",
    "upper_h,prod,,header.Server,prefix,Wa,5,\n",
    "latin_h,prod,,header.via,prefix,né,5,\n",
    "other,prod,,elsewhere,contains,NEEDLE,5,\n",
);

/// The names of the fingerprints in a measurement of `web_connectivity`, or the code of the error.
fn names(fingerprints: &Fingerprints, rules: Rules, keys: &str) -> String {
    let text = format!(r#"{{"report_id":"R","probe_cc":"IT","test_keys":{keys}}}"#);
    let mut reader = Reader::new();
    let document = reader.read(text.as_bytes()).unwrap();
    match match_fingerprints(Measurement::new(document.root()).unwrap(), fingerprints, rules) {
        Ok(matches) => matches.iter().map(|found| found.fingerprint.name.as_str()).collect::<Vec<_>>().join(" "),
        Err(error) => error.code.as_str().to_owned(),
    }
}

fn in_answers(answers: &str) -> String {
    names(&list(DNS, HTTP), Rules::Compat, &format!(r#"{{"queries":[{{"answers":{answers}}}]}}"#))
}

fn in_response(rules: Rules, response: &str) -> String {
    names(&list(DNS, HTTP), rules, &format!(r#"{{"requests":[{{"response":{response}}}]}}"#))
}

fn in_body(rules: Rules, body: &str) -> String {
    in_response(rules, &format!(r#"{{"body":{body}}}"#))
}

fn in_headers(rules: Rules, headers: &str) -> String {
    in_response(rules, &format!(r#"{{"headers":{headers}}}"#))
}

/// Scoring spec §6.2.
#[test]
fn answers() {
    for (answer, expected) in [
        (r#"{"ipv4":"1.2.3.4"}"#, "addr again"),
        (r#"{"ipv6":"1.2.3.4"}"#, "addr again"),
        (r#"{"hostname":"x.org"}"#, "host"),
        (r#"{"ipv6":"x.org","hostname":"y","ipv4":"1.2.3.4"}"#, "addr again"),
        (r#"{"ipv6":"1.2.3.4","hostname":"x.org"}"#, "host"),
        (r#"{"ipv4":"1\u002e2.3.4"}"#, "addr again"),
        // The first one that is present counts, whatever its value.
        (r#"{"ipv4":null,"hostname":"x.org"}"#, ""),
        (r#"{"ipv4":5,"hostname":"x.org"}"#, ""),
        (r#"{"ipv4":["1.2.3.4"]}"#, ""),
        (r#"{"ipv4":"1.2.3.45"}"#, ""),
        (r#"{"ipv4":"1.2.3.4 "}"#, ""),
        (r#"{"ipv4":"","hostname":"x.org"}"#, "none"),
        ("{}", "none"),
        (r#"{"answer":"1.2.3.4"}"#, "none"),
        (r#""x""#, "none"),
        (r#""""#, "none"),
        ("[]", "none"),
        (r#"["ipv4x",5]"#, "none"),
        (r#""my ipv4""#, "E-TYPE"),
        (r#""hostname""#, "E-TYPE"),
        (r#"["ipv6"]"#, "E-TYPE"),
        ("null", "E-TYPE"),
        ("true", "E-TYPE"),
        ("5", "E-TYPE"),
        ("0.5", "E-TYPE"),
    ] {
        assert_eq!(in_answers(&format!("[{answer}]")), expected, "{answer}");
    }
    for (answers, expected) in [
        ("null", ""),
        ("[]", ""),
        ("{}", ""),
        (r#""""#, ""),
        (r#""ipv4""#, "none none none none"),
        (r#""\ud83dé""#, "none none"),
        (r#"{"a":null,"b":5,"a":6}"#, "none none"),
        (r#"{"a ipv4":null}"#, "E-TYPE"),
        ("true", "E-TYPE"),
        ("0", "E-TYPE"),
        (r#"[{"ipv4":"1.2.3.4"},{"hostname":"x.org"},{}]"#, "addr again host none"),
    ] {
        assert_eq!(in_answers(answers), expected, "{answers}");
    }
    // Without a list, answers are only iterated over.
    let empty =
        |answers: &str| names(&list("", HTTP), Rules::Compat, &format!(r#"{{"queries":[{{"answers":{answers}}}]}}"#));
    assert_eq!(empty(r#"[null,5,"ipv4"]"#), "");
    assert_eq!(empty("5"), "E-TYPE");
}

#[test]
fn order_and_lists() {
    let list = list(DNS, HTTP);
    let names = |keys: &str| names(&list, Rules::Compat, keys);
    assert_eq!(
        names(
            r#"{"requests":[{"response":{"headers":{"Server":"Wall"},"body":"pre NEEDLE"}},{"response":null},{},
                {"response":{"body":"NEEDLE"}}],"queries":[{"answers":[{"hostname":"x.org"}]}]}"#
        ),
        "host needle prefix full_h prefix_h needle"
    );
    for keys in
        ["null", "{}", r#"{"queries":[],"requests":{}}"#, r#"{"queries":"","requests":null}"#, r#"{"queries":[{}]}"#]
    {
        assert_eq!(names(keys), "", "{keys}");
    }
    for keys in [
        "5",
        "[]",
        r#"{"queries":5}"#,
        r#"{"queries":[5]}"#,
        r#"{"queries":{"a":1}}"#,
        r#"{"requests":false}"#,
        r#"{"requests":[null]}"#,
        r#"{"requests":"x"}"#,
        r#"{"requests":[{"response":5}]}"#,
        r#"{"requests":[{"response":[]}]}"#,
        r#"{"requests":[{"response":""}]}"#,
    ] {
        assert_eq!(names(keys), "E-TYPE", "{keys}");
    }
    // Queries are searched first, so their error is reported.
    let place = |keys: &str| error_listed(&list, Rules::Compat, "web_connectivity", keys).1;
    assert_eq!(place(r#"{"requests":5,"queries":[{},{"answers":[{},5]}]}"#), "/test_keys/queries/1/answers/1");
    assert_eq!(place(r#"{"requests":[{},{"response":7}]}"#), "/test_keys/requests/1/response");
    check_with("web_connectivity", r#"{"queries":5}"#, &[("probe_cc", "")], "E-KEY");
}

/// Scoring spec §6.3.
#[test]
fn bodies() {
    for rules in [Rules::Compat, Rules::Fixed] {
        for (body, expected) in [
            ("null", ""),
            (r#""""#, ""),
            (r#""a NEEDLE b NEEDLE""#, "needle"),
            (r#""needle""#, ""),
            (r#""NEE\u0044LE""#, "needle"),
            (r#""n\u00e9""#, "accent"),
            (r#""né""#, "accent"),
            (r#""it pre-fix NEEDLE""#, "needle prefix"),
            (r#"{"data":"TkVFRExF","format":"base64"}"#, "needle"),
            (r#"{"data":"TkVF\nRExF==","format":"base64","x":1}"#, "needle"),
            (r#"{"data":"bsOp","format":"base64"}"#, "accent"),
            // In Latin-1 it would be one byte.
            (r#"{"data":"buk=","format":"base64"}"#, ""),
            (r#"{"data":"","format":"base64"}"#, ""),
            (r#"{"format":"base64"}"#, ""),
            (r#"{"data":"TkVFRExF"}"#, ""),
            (r#"{"data":"TkVFRExF","format":"BASE64"}"#, ""),
            (r#"{"data":"TkVFRExF","format":null}"#, ""),
            (r#"{"data":5,"format":"hex"}"#, ""),
            (r#"{"NEEDLE":"NEEDLE"}"#, ""),
            ("{}", ""),
            ("true", "E-TYPE"),
            ("0", "E-TYPE"),
            ("1.5", "E-TYPE"),
            ("[]", "E-TYPE"),
            (r#"["NEEDLE"]"#, "E-TYPE"),
        ] {
            assert_eq!(in_body(rules, body), expected, "{body}");
        }
    }
    // Without fingerprints for bodies, bodies are decoded but not searched.
    let list = list("", "full_h,prod,,header.server,full,Wall,5,\n");
    let bodies =
        |body: &str| names(&list, Rules::Compat, &format!(r#"{{"requests":[{{"response":{{"body":{body}}}}}]}}"#));
    for body in ["true", "0", "[]", r#""NEEDLE""#] {
        assert_eq!(bodies(body), "", "{body}");
    }
    assert_eq!(bodies(r#"{"data":"A","format":"base64"}"#), "E-PAD");
    assert_eq!(bodies(r#"{"data":5,"format":"base64"}"#), "E-TYPE");
}

#[test]
fn an_empty_pattern_is_in_every_body() {
    let list = list("", "empty,prod,,body,contains,,5,\n");
    let bodies =
        |body: &str| names(&list, Rules::Compat, &format!(r#"{{"requests":[{{"response":{{"body":{body}}}}}]}}"#));
    for body in
        [r#""""#, r#""x""#, r#""\n""#, r#"{"data":"","format":"base64"}"#, r#"{"data":"eA==","format":"base64"}"#]
    {
        assert_eq!(bodies(body), "empty", "{body}");
    }
    for body in ["null", "{}"] {
        assert_eq!(bodies(body), "", "{body}");
    }
}

#[test]
fn headers() {
    for (headers, expected) in [
        ("null", ""),
        ("{}", ""),
        ("[]", ""),
        (r#""""#, ""),
        ("0", ""),
        ("false", ""),
        ("true", "E-TYPE"),
        ("5", "E-TYPE"),
        (r#""Server""#, "E-TYPE"),
        (r#"[["Server","Wall"]]"#, "E-TYPE"),
        (r#"{"server":"Wall"}"#, "full_h prefix_h"),
        (r#"{"SERVER":"Wall"}"#, "full_h prefix_h"),
        (r#"{"s\u0065rver":"Wa"}"#, "prefix_h"),
        (r#"{"server":"xWall"}"#, ""),
        (r#"{"server":["Wall"]}"#, ""),
        (r#"{"server":null}"#, ""),
        (r#"{"server":5}"#, ""),
        // The last of repeated names counts.
        (r#"{"Server":"Wall","SERVER":"x"}"#, ""),
        (r#"{"Server":"x","SERVER":"Wall"}"#, "full_h prefix_h"),
        // A repeated key has its first position and its last value.
        (r#"{"Server":"x","SERVER":"Wall","Server":"y"}"#, "full_h prefix_h"),
        (r#"{"Server":"x","SERVER":"y","Server":"Wall"}"#, ""),
        // Base64 is decoded only for prefixes, as Latin-1.
        (r#"{"server":{"data":"V2FsbA==","format":"base64"}}"#, "prefix_h"),
        (r#"{"server":{"data":"V2FsbA==","format":"hex"}}"#, ""),
        (r#"{"server":{"format":"base64"}}"#, ""),
        (r#"{"server":{"data":"V2F","format":"base64"}}"#, "E-PAD"),
        (r#"{"server":{"data":5,"format":"base64"}}"#, "E-TYPE"),
        (r#"{"server":{"data":null,"format":"base64"}}"#, "E-TYPE"),
        (r#"{"server":{"data":"é","format":"base64"}}"#, "E-VALUE"),
        (r#"{"via":{"data":"bul4","format":"base64"}}"#, "latin_h"),
        (r#"{"via":{"data":"bsOp","format":"base64"}}"#, ""),
        (r#"{"via":"néx"}"#, "latin_h"),
        // No fingerprint requires decoding it.
        (r#"{"date":{"data":"A","format":"base64"}}"#, ""),
        (r#"{"Via":"né","server":"Wall"}"#, "full_h prefix_h latin_h"),
    ] {
        assert_eq!(in_headers(Rules::Compat, headers), expected, "{headers}");
    }
    for lists in [r#"{"header_list":[["Server","Wall"]]}"#, r#"{"headers_list":[["Server","Wall"]]}"#] {
        assert_eq!(in_response(Rules::Compat, lists), "");
    }
    // Only a prefix fingerprint requires decoding.
    let full = list("", "full_h,prod,,header.server,full,Wall,5,\n");
    let keys = r#"{"requests":[{"response":{"headers":{"server":{"data":"A","format":"base64"}}}}]}"#;
    assert_eq!(names(&full, Rules::Compat, keys), "");
}

#[test]
fn repaired_contains_headers() {
    for (value, compat, fixed) in [
        (r#""Wall""#, "full_h prefix_h", "full_h prefix_h contains_h"),
        (r#""the wall""#, "", "contains_h"),
        (r#""Al""#, "", ""),
        (r#"{"data":"eCBhbA==","format":"base64"}"#, "", "contains_h"),
        (r#"["al"]"#, "", ""),
    ] {
        let headers = format!(r#"{{"Server":{value}}}"#);
        assert_eq!(in_headers(Rules::Compat, &headers), compat, "{value}");
        assert_eq!(in_headers(Rules::Fixed, &headers), fixed, "{value}");
    }
}

#[test]
fn repaired_bodies() {
    for (body, compat, fixed) in [
        (r#""a.c""#, "regexp", "regexp"),
        (r#""xabcx""#, "", "regexp"),
        (r#""a\nc""#, "", ""),
        (r#""a\u00e9c""#, "", "regexp"),
        (r#"{"data":"YWJj","format":"base64"}"#, "", "regexp"),
        (r#""whole""#, "full", "full"),
        (r#""the whole""#, "full", ""),
        (r#""whole\n""#, "full", ""),
        (r#"{"data":"d2hvbGU=","format":"base64"}"#, "full", "full"),
        (r#"{"data":"d2hvbGUu","format":"base64"}"#, "full", ""),
    ] {
        assert_eq!(in_body(Rules::Compat, body), compat, "{body}");
        assert_eq!(in_body(Rules::Fixed, body), fixed, "{body}");
    }
}

/// With the repair, values that cannot be decoded are skipped: everything else is found as if they were missing.
#[test]
fn repaired_base64() {
    let list = list(DNS, HTTP);
    let keys = |bad: &str| {
        format!(
            r#"{{"blocking":false,"queries":[{{"answers":[{{"ipv4":"1.2.3.4"}}]}}],"requests":[{{"response":{{"body":"NEEDLE"}}}},
                {{"response":{bad}}},{{"response":{{"headers":{{"server":"Wall"}}}}}}]}}"#
        )
    };
    let is_lost = r#"0.0,"accuracy":0.0}"#;
    for (data, compat) in [
        (r#""A""#, is_lost),
        (r#""TkVFRExF=A""#, is_lost),
        (r#""é""#, "E-VALUE"),
        ("5", "E-TYPE"),
        ("null", "E-TYPE"),
        ("[]", "E-TYPE"),
    ] {
        // A skipped header loses its own fingerprints, but not those of the body.
        for (bad, more) in [
            (
                format!(r#"{{"body":{{"format":"base64","data":{data}}},"headers":{{"server":"Wall"}}}}"#),
                "full_h,prefix_h,contains_h,",
            ),
            (format!(r#"{{"body":"NEEDLE","headers":{{"server":{{"format":"base64","data":{data}}}}}}}"#), "needle,"),
        ] {
            let keys = keys(&bad);
            check_listed(&list, Rules::Compat, "web_connectivity", &keys, &[], compat);
            let expected = format!(
                r#"1.0 country=1.0 isp=0.0,"fingerprints":[addr,again,needle,{more}full_h,prefix_h,contains_h],"confirmed":true,"accuracy":0.0}}"#
            )
            .replace("1.0 country=1.0 isp=0.0", "2.0 country=1.0 isp=1.0");
            check_listed(&list, Rules::Fixed, "web_connectivity", &keys, &[], &expected);
            let found = found_listed(&list, Rules::Fixed, "web_connectivity", &keys);
            assert_eq!(found.len(), expected.split("\"confirmed\"").next().unwrap().matches(',').count() - 1);
            if compat == is_lost {
                assert!(found_listed(&list, Rules::Compat, "web_connectivity", &keys).is_empty());
            }
        }
    }
}

/// Scoring spec §5.4 and §6.5.
#[test]
fn confirmation() {
    for (scope, countries, cc, expected) in [
        ("nat", "", r#""IT""#, "country"),
        ("nat", "FR", r#""IT""#, "country"),
        ("isp", "FR", r#""ZZ""#, "isp"),
        ("isp", "", "null", "isp"),
        ("inst", "IT", r#""IT""#, "local"),
        ("inst", "FR", r#""IT""#, ""),
        ("prod", "IT", r#""IT""#, "general"),
        ("vbw", "IT", r#""it""#, "general"),
        ("fp", "IT", r#""IT""#, "general"),
        ("injb", "\"FR,IT\"", r#""IT""#, "general"),
        ("prov", "IT", r#""IT""#, "general"),
        ("prod", "\"FR, IT\"", r#""IT""#, ""),
        ("prod", "ZZ", r#""ZZ""#, ""),
        ("prod", "IT", r#""ZZ""#, ""),
        ("prod", "IT", "null", ""),
        ("prod", "", r#""IT""#, ""),
        ("prod", "SS", r#""ß""#, "general"),
        ("prod", "IT", r#""IT ""#, ""),
    ] {
        let list = list("", &format!("it,{scope},,body,contains,NEEDLE,5,{countries}\n"));
        let scores = match expected {
            "" => r#"0.0,"fingerprints":[it]}"#.to_owned(),
            "general" => r#"1.0,"fingerprints":[it],"confirmed":true}"#.to_owned(),
            locality => format!(r#"1.0 {locality}=1.0,"fingerprints":[it],"confirmed":true}}"#),
        };
        let keys = r#"{"blocking":false,"requests":[{"response":{"body":"NEEDLE"}}]}"#;
        check_listed(&list, Rules::Compat, "web_connectivity", keys, &[("probe_cc", cc)], &scores);
    }
}

#[test]
fn explanation() {
    let list = list(DNS, HTTP);
    let keys = r#"{"queries":[{"answers":[{"ipv4":"1.2.3.4"}]}],"requests":[{"response":{
        "body":"\u00e9 NEEDLE NEEDLE","headers":{"Server":"a wall, al"}}},{"response":{
        "body":{"format":"base64","data":"IE5FRURMRQ=="},"headers":{"server":{"format":"base64","data":"6SBhbA=="}}}}]}"#;
    let found = found_listed(&list, Rules::Fixed, "web_connectivity", keys);
    let described: Vec<_> = found
        .iter()
        .map(|found| (&*found.name, &*found.path, found.offset, &*found.also_at, found.confirmed, &*found.why))
        .collect();
    let nowhere = "expected in no country";
    assert_eq!(
        described,
        [
            ("addr", "/test_keys/queries/0/answers/0/ipv4", 0, &[][..], true, "scope nat confirms in every country"),
            ("again", "/test_keys/queries/0/answers/0/ipv4", 0, &[], true, "scope isp confirms in every country"),
            ("needle", "/test_keys/requests/0/response/body", 3, &[10], false, nowhere),
            ("contains_h", "/test_keys/requests/0/response/headers/Server", 3, &[8], false, nowhere),
            ("needle", "/test_keys/requests/1/response/body/data", 1, &[], false, nowhere),
            // Offsets in the decoded bytes, not in the Latin-1 text.
            ("contains_h", "/test_keys/requests/1/response/headers/server/data", 2, &[], false, nowhere),
        ]
    );
}
