//! Tests of the steps of formats spec §11: what each keeps, changes and rejects.

use super::*;
use crate::error::Code;
use crate::json::Reader;
use serde_json::{Value as Json, json};

fn framed(yaml: &str) -> Vec<u8> {
    format!("---\n{yaml}\n...\n").into_bytes()
}

fn report(header: &str) -> Report {
    let mut report = Report::new("2014-02-20", "2014-02-20/f.yaml", Limits::default());
    report.header(&framed(header)).unwrap();
    report
}

fn text_of(header: &str, entry: &str) -> Result<Option<Vec<u8>>, EntryError> {
    let mut out = Vec::new();
    report(header).entry(&framed(entry), &mut out).map(|uid| uid.map(|_| out))
}

/// The measurement of an entry under a header that contains only the test's name.
fn normalized(test_name: &str, entry: &str) -> Json {
    let text = text_of(&format!("test_name: {test_name}"), entry).unwrap_or_else(|error| panic!("{entry}: {error:?}"));
    serde_json::from_slice(&text.unwrap()).unwrap()
}

fn test_keys(test_name: &str, entry: &str) -> Json {
    normalized(test_name, entry)["test_keys"].take()
}

/// The path at which an entry is refused.
fn refused(test_name: &str, entry: &str) -> String {
    match text_of(&format!("test_name: {test_name}"), entry) {
        Err(EntryError::Skip(error)) => {
            assert_eq!(error.code, Code::Can, "{error}");
            error.path
        }
        other => panic!("{entry}: {other:?}"),
    }
}

// --- §11.2 ---

#[test]
fn headers() {
    for header in ["", "[]", "~", "0", "'open", "[1", "!t x", "a: 2014-02-30", "a: *b", "a: \x01"] {
        assert!(Report::new("d", "f", Limits::default()).header(&framed(header)).is_err(), "{header}");
    }
    assert!(report("a: 1").entry(&framed("b: 1"), &mut Vec::new()).unwrap().is_some());
    let none = Report::new("d", "f", Limits::default()).entry(&framed("b: 1"), &mut Vec::new());
    assert!(matches!(none, Err(EntryError::Abort(_))));
}

#[test]
fn entries_that_are_lost_alone_or_with_the_can() {
    for skipped in ["!t x", "[1", "{[a]: 1}", "a: !!int [1]", "a: !!binary a", "test_name: 5\nreport: {test_name: 6}"] {
        assert!(matches!(text_of("{}", skipped), Err(EntryError::Skip(_))), "{skipped}");
    }
    let aborts = ["a: 'open", "a: *b", "a: \x01", "a: 2014-02-30", "[1]", "text", "5", "2014-01-01", "!!binary aGk="];
    for aborted in aborts {
        assert!(matches!(text_of("{}", aborted), Err(EntryError::Abort(_))), "{aborted}");
    }
    let mut out = b"kept".to_vec();
    let mut report = report("{}");
    assert!(matches!(report.entry(b"---\na: \xff\n...\n", &mut out), Err(EntryError::Abort(_))));
    assert!(report.entry(&framed("test_name: lantern"), &mut out).is_err());
    // A failed entry writes nothing, and later entries are read.
    assert_eq!(out, b"kept");
    assert!(report.entry(&framed("a: 1"), &mut out).unwrap().is_some());
    for empty in ["", "~", "{}", "0", "''", "[]", "0.0", "no", "!!set {}", "!!binary ''"] {
        assert_eq!(text_of("{}", empty), Ok(None), "{empty}");
    }
}

#[test]
fn errors_name_line_and_column() {
    let Err(EntryError::Abort(error)) = text_of("{}", "a: 1\nb: 'open") else { panic!() };
    assert_eq!(error.to_string(), "E-CAN: YAML: unterminated quoted text before a document marker, line 4, column 1");
    let Err(EntryError::Skip(error)) = text_of("{}", "a: 1\nb:  !t x") else { panic!() };
    assert_eq!(error.to_string(), "E-CAN: YAML: unknown tag !t, line 3, column 5");
}

#[test]
fn limits_lose_the_entry() {
    let limits = Limits { bytes: 200, depth: 8, values: 50 };
    let mut report = Report::new("d", "f", limits);
    report.header(&framed("{}")).unwrap();
    let laughs = "a: &a [1,1,1,1]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c]";
    for entry in [
        laughs,
        "a: [[[[[[[[1]]]]]]]]",
        "&a {b: *a}",
        &"x".repeat(200),
        "a: [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9]",
    ] {
        let Err(EntryError::Skip(error)) = report.entry(&framed(entry), &mut Vec::new()) else { panic!("{entry}") };
        assert_eq!(error.code, Code::Limit, "{entry}");
    }
    assert!(report.entry(&framed("a: 1"), &mut Vec::new()).unwrap().is_some());
    // Deep nesting does not use the stack, and merges take little time.
    let deep = format!("a: {}", "[".repeat(100_000));
    assert!(text_of("{}", &deep).is_err());
    let merges = format!("&a {{{}}}", "<<: {}, ".repeat(20_000));
    assert_eq!(text_of("{}", &merges), Ok(None));
    let chain: String = (1..3000).map(|i| format!("  - &a{i} {{<<: *a{}}}\n", i - 1)).collect();
    let chain = format!("a:\n  - &a0 {{x: 1}}\n{chain}b: {{<<: *a2999}}");
    assert!(text_of("{}", &chain).is_ok());
}

#[test]
fn header_fields_override_and_test_start_time_is_removed_permanently() {
    let mut report = report("probe_cc: IT\ntest_start_time: 1.0\nx: h");
    let mut entry = |yaml: &str| -> Json {
        let mut out = Vec::new();
        report.entry(&framed(yaml), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    };
    assert_eq!(entry("a: 1")["measurement_start_time"], "1970-01-01 00:00:01");
    let own = entry("probe_cc: FR\nx: e\ntest_start_time: 2.0");
    assert_eq!((&own["probe_cc"], &own["measurement_start_time"]), (&json!("IT"), &json!("1970-01-01 00:00:02")));
    assert_eq!(own["test_keys"], json!({"x": "h"}));
    assert_eq!(entry("a: 1")["measurement_start_time"], "1970-01-01 00:00:00");
    // Keys of the entry come first.
    let text = text_of("{z: 1, b: 2}", "{y: 3, b: 4}").unwrap().unwrap();
    assert!(String::from_utf8(text).unwrap().contains(r#""test_keys":{"y":3,"b":2,"z":1}"#));
}

// --- §11.4 ---

#[test]
fn report_is_merged_and_names_are_mapped() {
    let merged = normalized("invalid", "report: {probe_cc: FR, b: 1}\nb: 2");
    assert_eq!((&merged["probe_cc"], &merged["test_keys"]), (&json!("FR"), &json!({"b": 1})));
    assert_eq!(test_keys("invalid", "report: [1]"), json!({"report": [1]}));
    assert_eq!(normalized("DNSTamper", "a: 1")["test_name"], "dnstamper");
    assert_eq!(normalized("dnstamper", "a: 1")["test_name"], "dns_consistency");
    let unnamed: Json = serde_json::from_slice(&text_of("{}", "a: 1").unwrap().unwrap()).unwrap();
    assert_eq!(unnamed["test_name"], "invalid");
    assert_eq!(refused("ndt", "report: {test_name: 5}"), "/test_name");
    assert_eq!(refused("ndt", "report: {test_name: ~}"), "/test_name");
}

#[test]
fn schema_keys_are_present() {
    let measurement = normalized("ndt", "id: given\nbucket_date: x\nreport_filename: y");
    for key in
        ["input", "input_hashes", "options", "probe_cc", "probe_asn", "probe_ip", "probe_city", "backend_version"]
    {
        assert_eq!(measurement.get(key), Some(&Json::Null), "{key}");
    }
    for key in ["test_version", "test_runtime", "test_helpers", "software_name", "software_version"] {
        assert_eq!(measurement.get(key), Some(&Json::Null), "{key}");
    }
    assert_eq!((&measurement["id"], &measurement["bucket_date"]), (&json!("given"), &json!("2014-02-20")));
    assert_eq!(measurement["report_filename"], "2014-02-20/f.yaml");
    assert_eq!(measurement.as_object().unwrap().len(), 23);
    let made = normalized("ndt", "id: ''\na: 1");
    assert_eq!(made["id"].as_str().unwrap().len(), 36);
}

#[test]
fn current_entries_are_only_nested() {
    let kept =
        normalized("lantern", "{data_format_version: 0.2.0, test_start_time: 5, start_time: x, test_keys: [1], z: 1}");
    assert_eq!((&kept["test_start_time"], &kept["test_keys"], &kept["z"]), (&json!(5), &json!([1]), &json!(1)));
    let nested = normalized("tcp_connect", "{data_format_version: 0.2.0, start_time: x, z: 1}");
    assert_eq!(nested["test_keys"], json!({"start_time": "x", "z": 1}));
}

#[test]
fn times() {
    let times = |entry: &str| {
        let mut measurement = normalized("ndt", entry);
        (measurement["measurement_start_time"].take(), measurement["test_start_time"].take())
    };
    let pair = |measured: &str, tested: &str| (json!(measured), json!(tested));
    assert_eq!(times("a: 1"), pair("1970-01-01 00:00:00", "1970-01-01 00:00:00"));
    assert_eq!(times("start_time: 1392854400"), pair("2014-02-20 00:00:00", "2014-02-20 00:00:00"));
    assert_eq!(times("{start_time: 10.9, test_start_time: ~}"), pair("1970-01-01 00:00:10", "1970-01-01 00:00:10"));
    assert_eq!(
        times("{start_time: 10, test_start_time: 20.9999999}"),
        pair("1970-01-01 00:00:21", "1970-01-01 00:00:10")
    );
    assert_eq!(times("start_time: -0.5"), pair("1969-12-31 23:59:59", "1969-12-31 23:59:59"));
    assert_eq!(times("start_time: yes"), pair("1970-01-01 00:00:01", "1970-01-01 00:00:01"));
    assert_eq!(
        times("{test_start_time: '2015-1-2 3:4:5', measurement_start_time: '2016-01-01 00:00:00'}"),
        pair("2016-01-01 00:00:00", "2015-01-02 03:04:05")
    );
    for (entry, path) in [
        ("start_time: ~", "/start_time"),
        ("start_time: x", "/start_time"),
        ("start_time: 2014-01-01", "/start_time"),
        ("start_time: 1.0e+20", "/start_time"),
        ("test_start_time: 5", "/test_start_time"),
        ("test_start_time: yes", "/test_start_time"),
        ("test_start_time: 2014-01-01 00:00:00", "/test_start_time"),
        ("test_start_time: x", "/test_start_time"),
        ("test_start_time: '2014-01-01 00:00:00'", "/measurement_start_time"),
        ("{test_start_time: '2014-01-01 00:00:00', measurement_start_time: x}", "/measurement_start_time"),
    ] {
        assert_eq!(refused("ndt", entry), path, "{entry}");
    }
}

#[test]
fn options_and_nesting() {
    assert_eq!(normalized("ndt", "options: {subargs: [-a], b: 1}")["options"], json!(["-a"]));
    assert_eq!(normalized("ndt", "options: {b: 1}")["options"], json!([]));
    assert_eq!(normalized("ndt", "options: [x]")["options"], json!(["x"]));
    assert_eq!(normalized("ndt", "a: 1")["data_format_version"], "0.2.0");
    assert_eq!(normalized("ndt", "data_format_version: 0.1.0")["data_format_version"], "0.2.0");
    assert_eq!(test_keys("ndt", "{test_keys: {a: 1, b: 2}, b: 3, c: 4}"), json!({"a": 1, "b": 3, "c": 4}));
    assert_eq!(refused("ndt", "{test_keys: [1], c: 4}"), "/test_keys");
    assert_eq!(refused("ndt", "{test_keys: x}"), "/test_keys");
}

#[test]
fn tests_that_are_not_supported() {
    for name in ["lantern", "psiphon", "chinatrigger", "keyword_filtering", "parasitic_traceroute_test", "traceroute"] {
        assert_eq!(refused(name, "a: 1"), "/test_name", "{name}");
    }
    for name in ["dns_spoof", "captivep", "captive_portal", "tls-handshake", "TCP Connect", "bridgereachability"] {
        assert_eq!(refused(name, "a: 1"), "/test_name", "{name}");
    }
    for name in ["psiphon_test", "lantern_circumvention_tool_test", "http_filtering_bypass", "http_trix"] {
        assert_eq!(test_keys(name, "a: 1"), json!({"a": 1}), "{name}");
    }
}

#[test]
fn bodies() {
    let body = |response: &str| {
        test_keys("ndt", &format!("requests: [{{response: {response}}}]"))["requests"][0]["response"]["body"].take()
    };
    assert_eq!(body("{body: !!binary aGk=}"), json!("hi"));
    assert_eq!(body("{body: x}"), json!("x"));
    let first_missing = "requests: [{}, {response: {body: !!binary aGk=}}]";
    assert!(
        text_of("test_name: ndt", first_missing).unwrap().unwrap().contains(&crate::json::FOREIGN),
        "left as it is"
    );
    for (entry, path) in [
        ("requests: [{response: {body: !!binary /w==}}]", "/test_keys/requests/0/response/body"),
        ("requests: ~", "/test_keys/requests"),
        ("requests: [{response: ~}]", "/test_keys/requests/0/response"),
        ("requests: [5]", "/test_keys/requests/0"),
        ("requests: x", "/test_keys/requests/0"),
    ] {
        assert_eq!(refused("ndt", entry), path, "{entry}");
    }
    for entry in ["requests: []", "requests: {}", "requests: ''", "requests: [{}]", "requests: [{response: {}}]"] {
        test_keys("ndt", entry);
    }
}

// --- §11.6 ---

const SIDE: &str = "{url: http://a, body: ~, headers: []}";

#[test]
fn input_comes_from_the_options() {
    let input = |entry: &str| normalized("http_host", entry)["input"].take();
    assert_eq!(input("options: [a, --url, b]"), json!("b"));
    assert_eq!(input("options: [-u, c, --url, b]"), json!("c"));
    assert_eq!(input("options: {subargs: [-u, c]}"), json!("c"));
    assert_eq!(input("{options: [-u, c], input: d}"), json!("d"));
    assert_eq!(input("{options: [-u], input: d}"), json!("d"));
    assert_eq!(input("options: 'x -u c'"), json!("u"));
    assert_eq!(input("options: '--url'"), json!("u"));
    assert_eq!(input("options: 5"), Json::Null);
    assert_eq!(input("options: [x]"), Json::Null);
    assert_eq!(refused("http_host", "options: [-u]"), "/options");
}

#[test]
fn requests() {
    let keys = |entry: &str| test_keys("http_requests", entry);
    assert_eq!(keys("a: 1"), json!({"a": 1, "requests": []}));
    assert_eq!(keys("requests: {}"), json!({"requests": []}));
    let normal = json!({"url": "http://a", "body": null, "headers": {}, "tor": {"is_tor": false, "exit_ip": null, "exit_name": null}});
    let empty = json!({"body": null, "headers": {}});
    let moved = keys(&format!("{{request: {SIDE}, response: {{body: x, headers: [], code: 200}}}}"));
    let response = json!({"body": "x", "headers": {}, "code": 200});
    assert_eq!(moved, json!({"requests": [{"response": response, "request": normal, "response_length": null}]}));
    let appended = keys(&format!("{{requests: [{{request: {SIDE}}}], request: {SIDE}, response: [1]}}"));
    assert_eq!(appended["requests"].as_array().unwrap().len(), 2);
    assert_eq!(appended["requests"][1]["response"], empty, "not a mapping");
    // With only one of the two, nothing changes.
    assert_eq!(keys(&format!("{{request: {SIDE}, response: ~}}"))["request"]["url"], "http://a");
    for (entry, path) in [
        ("requests: ~".to_owned(), "/test_keys/requests"),
        ("requests: 5".to_owned(), "/test_keys/requests"),
        ("requests: [5]".to_owned(), "/test_keys/requests/0"),
        ("requests: x".to_owned(), "/test_keys/requests/0"),
        (format!("{{requests: ~, request: {SIDE}, response: {SIDE}}}"), "/test_keys/requests"),
        // The replacement has no url.
        ("requests: [{request: ~}]".to_owned(), "/test_keys/requests/0/request/url"),
        ("requests: [{request: {body: ~, url: x}}]".to_owned(), "/test_keys/requests/0/request/headers"),
        ("requests: [{request: {headers: [], url: x}}]".to_owned(), "/test_keys/requests/0/request/body"),
        (format!("requests: [{{request: {SIDE}, response: {{}}}}]"), "/test_keys/requests/0/response/body"),
        ("requests: [{request: {body: 5, headers: [], url: x}}]".to_owned(), "/test_keys/requests/0/request/body"),
    ] {
        assert_eq!(refused("http_requests", &entry), path, "{entry}");
    }
}

/// The normalized form of a part of the first response.
fn response(part: &str) -> Json {
    let entry = format!("requests: [{{request: {SIDE}, response: {part}}}]");
    test_keys("http_requests", &entry)["requests"][0].take()
}

#[test]
fn bodies_and_headers() {
    let body = |body: &str| response(&format!("{{headers: [], body: {body}}}"))["response"]["body"].take();
    assert_eq!(body("~"), Json::Null);
    assert_eq!(body("!!binary YcP/Yg=="), json!("a\\xc3\\xffb"));
    assert_eq!(body("\"a\\0b\\0\""), json!("ab"));
    let headers = |headers: &str| response(&format!("{{body: ~, headers: {headers}}}"))["response"]["headers"].take();
    for (written, expected) in [
        ("[]", json!({})),
        ("{}", json!({})),
        ("''", json!({})),
        ("[[A, [x, y]], [B, [[z]]], [C, text], [D, [~]]]", json!({"A": "x", "B": "z", "C": "t", "D": null})),
        ("[[A, [x]], [a, [y]], [A, [z]]]", json!({"A": "z", "a": "y"})),
        ("[[A, [!!binary YcM=]], [B, [\"\\0b\"]]]", json!({"A": "a\\xc3", "B": "b"})),
        ("{ab: 1}", json!({"a": "b"})),
    ] {
        assert_eq!(headers(written), expected, "{written}");
    }
    for (headers, path) in [
        ("~", ""),
        ("5", ""),
        ("[[A]]", "/0"),
        ("[[A, [x], y]]", "/0"),
        ("[5]", "/0"),
        ("[[A, []]]", "/0"),
        ("[[A, '']]", "/0"),
        ("[[A, [[]]]]", "/0"),
        ("[[A, ~]]", "/0"),
        ("[[A, [5]]]", "/0"),
        ("[[A, {a: b}]]", "/0"),
        ("[[[A], [x]]]", "/0"),
        ("{abc: 1}", "/0"),
    ] {
        let entry = format!("requests: [{{request: {SIDE}, response: {{body: ~, headers: {headers}}}}}]");
        let expected = format!("/test_keys/requests/0/response/headers{path}");
        assert_eq!(refused("http_requests", &entry), expected, "{headers}");
    }
    let long = |length: usize| {
        let value = "x".repeat(length);
        text_of(
            "test_name: http_requests",
            &format!("requests: [{{request: {SIDE}, response: {{body: ~, headers: [[A, [{value}]]]}}}}]"),
        )
    };
    assert!(long(9999).is_ok() && long(10_000).is_err());
}

#[test]
fn content_length() {
    let length = |headers: &str| response(&format!("{{body: ~, headers: {headers}}}"))["response_length"].take();
    assert_eq!(length("[[Content-Length, ['5']], [CONTENT-LENGTH, ['6']], [X, ['7']]]"), json!("6"));
    assert_eq!(length("[[X, ['7']]]"), Json::Null);
    let entry = format!("requests: [{{request: {SIDE}, response: {{body: ~, headers: [[5, [x]]]}}}}]");
    assert_eq!(refused("http_requests", &entry), "/test_keys/requests/0/response/headers");
}

#[test]
fn tor() {
    let request = |more: &str| {
        let entry = format!("requests: [{{request: {{body: ~, headers: [], {more}}}}}]");
        test_keys("http_requests", &entry)["requests"][0]["request"].take()
    };
    let tor = |is_tor: bool| json!({"is_tor": is_tor, "exit_ip": null, "exit_name": null});
    let shttp = request("url: 'shttp://a?shttp://b', tor: x");
    assert_eq!((&shttp["url"], &shttp["tor"]), (&json!("http://a?http://b"), &tor(true)));
    for (written, is_tor) in [
        ("true", true),
        ("false", false),
        ("~", false),
        ("0", false),
        ("0.0", false),
        ("{is_tor: false}", false),
        ("{is_tor: x, exit_ip: y}", false),
        ("{}", false),
    ] {
        assert_eq!(request(&format!("url: a, tor: {written}"))["tor"], tor(is_tor), "{written}");
    }
    assert_eq!(request("url: a")["tor"], tor(false));
    let exit = json!({"is_tor": true, "exit_ip": "1.2.3.4", "exit_name": "n"});
    assert_eq!(request("url: a, tor: {is_tor: true, exit_ip: 1.2.3.4, exit_name: n, x: y}")["tor"], exit);
    for (more, path) in [("x: y", "url"), ("url: 5", "url"), ("url: a, tor: 1", "tor"), ("url: a, tor: x", "tor")] {
        let entry = format!("requests: [{{request: {{body: ~, headers: [], {more}}}}}]");
        assert_eq!(refused("http_requests", &entry), format!("/test_keys/requests/0/request/{path}"), "{more}");
    }
}

#[test]
fn first_requests_direct_and_over_tor_come_first() {
    let requests: Vec<_> = ["t1", "d1", "t2", "d2", "d3"]
        .iter()
        .map(|url| format!("{{request: {{body: ~, headers: [], url: {url}, tor: {}}}}}", url.starts_with('t')))
        .collect();
    let sorted = test_keys("http_requests", &format!("requests: [{}]", requests.join(", ")));
    let urls: Vec<_> =
        sorted["requests"].as_array().unwrap().iter().map(|item| item["request"]["url"].clone()).collect();
    assert_eq!(urls, ["d1", "t1", "d2", "d3", "t2"]);
}

#[test]
fn headers_diff() {
    for test_name in ["http_requests", "website_probe"] {
        let diff = |diff: &str| test_keys(test_name, &format!("headers_diff: {diff}"))["headers_diff"].take();
        assert_eq!(diff("!!set {a, b}"), json!(["a", "b"]));
        assert_eq!(diff("{a: 1}"), json!(["a"]));
        assert_eq!(diff("xy"), json!(["x", "y"]));
        assert_eq!(diff("[1]"), json!([1]));
        assert_eq!(diff("~"), Json::Null);
        assert_eq!(refused(test_name, "headers_diff: 5"), "/test_keys/headers_diff");
    }
}

// --- §11.7 ---

#[test]
fn tampering() {
    let keys = |entry: &str| test_keys("dns_injection", entry);
    let lists = |errors: Json, successful: Json, failed: Json, inconsistent: Json| json!({"errors": errors, "successful": successful, "failed": failed, "inconsistent": inconsistent, "queries": []});
    assert_eq!(
        keys("{test_resolvers: 1, tampering: [[a, false], [b, true], [c, x]]}"),
        lists(json!([["a", false], ["b", true], ["c", "x"]]), json!(["a"]), json!(["a", "c"]), json!(["b"]))
    );
    assert_eq!(
        keys("tampering: {8.8.8.8: false, 1.1.1.1: true}"),
        lists(json!({"8.8.8.8": false, "1.1.1.1": true}), json!([]), json!(["8", "1"]), json!([]))
    );
    assert_eq!(keys("{tampering: {}, errors: 1}"), json!({"errors": 1, "queries": []}));
    assert_eq!(keys("a: 1"), json!({"a": 1, "queries": []}));
    let emptied = test_keys("dns_consistency", "{tampering: [], errors: 1, failed: 2}");
    assert_eq!(emptied, lists(json!({}), json!([]), json!([]), json!([])));
    for (entry, path) in [
        ("tampering: {a: 1}", "/0"),
        ("tampering: 5", ""),
        ("tampering: [5]", "/0"),
        ("tampering: [[a]]", "/0"),
        ("tampering: x", "/0"),
        ("tampering: {5: 1}", "/0"),
    ] {
        assert_eq!(refused("dns_injection", entry), format!("/test_keys/tampering{path}"), "{entry}");
    }
}

fn query(query: &str) -> Json {
    test_keys("dns_injection", &format!("queries: [{query}]"))["queries"][0].take()
}

#[test]
fn queries() {
    assert_eq!(
        query("{query: \"[Query('a.b', 1, 1)]\", resolver: [8.8.8.8, 53], addrs: [1], answers: [], x: 1}"),
        json!({"x": 1, "hostname": "a.b', 1, 1)]".split('\'').next().unwrap(), "resolver_hostname": "8.8.8.8",
            "resolver_port": 53, "answers": [], "failure": "no_answer"})
    );
    let hostname = |text: &str| query(&format!("{{query: {text}}}"))["hostname"].take();
    assert_eq!(hostname("\"[Query('a', 'b')]\""), json!("a', 'b"), "greedy");
    assert_eq!(hostname("\"[Query('')]\""), json!(""), "at least one character");
    assert_eq!(hostname("\"[Query('''\""), json!("'"));
    assert_eq!(hostname("\"[Query('a\\n')]\""), json!(""), "one line");
    assert_eq!(hostname("\"[Query('a\\n [Query('b')]\""), json!("b"));
    assert_eq!(hostname("x"), json!(""));
    assert_eq!(hostname("~"), Json::Null);
    assert_eq!(hostname("5"), Json::Null);
    assert_eq!(query("{}")["hostname"], Json::Null);
    for resolver in ["~", "x", "[1]", "[1, 2, 3]", "5"] {
        let query = query(&format!("{{resolver: {resolver}}}"));
        assert_eq!((&query["resolver_hostname"], &query["resolver_port"]), (&Json::Null, &Json::Null));
    }
    assert_eq!(query("{failure: x}")["failure"], "x");
    assert_eq!(query("{failure: ''}")["failure"], "no_answer");
    assert_eq!(query("{answers: [['type=AAAA', x]]}")["failure"], Json::Null);
    assert_eq!(query("{failure: '', answers: [['type=AAAA', x]]}")["failure"], "");
    for (queries, path) in [
        ("~", ""),
        ("5", ""),
        ("[5]", "/0"),
        ("{a: 1}", "/0"),
        ("[{answers: ~}]", "/0/answers"),
        ("[{answers: [[]]}]", "/0/answers/0"),
        ("[{answers: [['type=A']]}]", "/0/answers/0"),
        ("[{answers: [[5, x]]}]", "/0/answers/0/0"),
        ("[{answers: [['type=A', 5]]}]", "/0/answers/0/1"),
        ("[{answers: [5]}]", "/0/answers/0"),
    ] {
        let entry = format!("queries: {queries}");
        assert_eq!(refused("dns_injection", &entry), format!("/test_keys/queries{path}"), "{queries}");
    }
    assert_eq!(test_keys("dns_injection", "queries: {}"), json!({"queries": []}));
}

#[test]
fn answers() {
    let answer =
        |record: &str, payload: &str| query(&format!("{{answers: [['{record}', '{payload}']]}}"))["answers"][0].take();
    let ipv4 = |payload: &str| answer("<RR type=A class=IN ttl=300s>", payload)["ipv4"].take();
    assert_eq!(
        answer("<RR name=x type=A class=IN ttl=300s auth=False>", "<A address=93.184.216.34 ttl=300>"),
        json!({"ttl": "300", "answer_type": "A", "ipv4": "93.184.216.34"})
    );
    assert_eq!(ipv4("address=999.1.1.1"), json!("999.1.1.1"), "no range");
    assert_eq!(ipv4("address=1.2.3 address=1.2.3.4.5"), json!("1.2.3.4"), "the first match counts");
    assert_eq!(ipv4("address=1234.1.1.1"), json!(""));
    assert_eq!(ipv4("x"), json!(""));
    assert_eq!(answer("", ""), json!({"ttl": "", "answer_type": ""}));
    assert_eq!(answer("ttl=x ttl=5 type=a type=AAAA", "address=::1"), json!({"ttl": "5", "answer_type": "AAAA"}));
    assert_eq!(
        answer("type=MX ttl=1", "<MX preference=10 name=mx.a.b address=1.2.3.4>"),
        json!({"ttl": "1", "answer_type": "MX", "hostname": "1.2.3.4", "preference": "10"})
    );
    assert_eq!(answer("type=MX", "name=mx.a.b")["hostname"], "");
    let hostname = |answer_type: &str, name: &str| {
        answer(&format!("type={answer_type}"), &format!("<x name={name}>"))["hostname"].take()
    };
    for (name, expected) in [
        ("www.example.org", "www.example.org"),
        ("a", "a"),
        ("a-b.c-d", "a-b.c-d"),
        ("a.", "a"),
        ("a-", "a"),
        ("a-.b", "a"),
        ("a.-b", "a"),
        ("a..b", "a"),
        ("a_b", "a"),
        ("-a", ""),
        (".a", ""),
        ("", ""),
    ] {
        assert_eq!(hostname("CNAME", name), json!(expected), "{name}");
        assert_eq!(hostname("PTR", name), json!(expected), "{name}");
    }
    assert_eq!(
        answer("type=SOA ttl=9", "<SOA mname=ns.a rname=root.a serial=1 refresh=2 retry=3 expire=4 minimum=5 ttl=6>"),
        json!({"ttl": "9", "answer_type": "SOA", "responsible_name": "root.a", "hostname": "ns.a", "serial_number": "1",
            "refresh_interval": "2", "retry_interval": "3", "minimum_ttl": "5", "expiration_limit": "4"})
    );
    assert_eq!(answer("type=SOA", "")["expiration_limit"], "");
    assert_eq!(
        query("{answers: [['type=TXT']]}")["answers"][0],
        json!({"ttl": "", "answer_type": "TXT"}),
        "no payload needed"
    );
}

#[test]
fn both_http_and_dns() {
    // Rejected at the end, after both steps.
    assert_eq!(refused("captivep", "tampering: 5"), "/test_keys/tampering");
    assert_eq!(refused("captivep", "{requests: ~, tampering: 5}"), "/test_keys/requests");
}

// --- §11.8 ---

#[test]
fn request_lines() {
    let received =
        |received: &str| test_keys("http_invalid_request_line", &format!("received: {received}"))["received"].take();
    // base64 of `a`, 0xff, `b`
    assert_eq!(received("[!!binary Yf9i, x, 5]"), json!(["ab", "x", 5]));
    assert_eq!(received("x"), json!("x"));
    assert_eq!(test_keys("http_invalid_request_line", "a: 1"), json!({"a": 1}));
    for wrong in ["~", "5"] {
        assert_eq!(refused("http_invalid_request_line", &format!("received: {wrong}")), "/test_keys/received");
    }
}

// --- §11.9 ---

#[test]
fn values_that_json_cannot_represent_are_kept() {
    let text =
        text_of("test_name: ndt", "{d: 2014-01-01, b: !!binary aGk=, s: !!set {x}, 5: y, m: {~: 1}}").unwrap().unwrap();
    let mut reader = Reader::new();
    assert!(reader.read(&text).is_err(), "no JSON");
    let document = reader.read_normalized(&text).unwrap();
    let keys = document.root().field("test_keys").value();
    for key in ["d", "b", "s"] {
        assert_eq!(keys.field(key).value().kind(), crate::json::Kind::Foreign);
    }
    assert_eq!(keys.members().count(), 5);
    assert!(keys.field("5").is_missing());
}

#[test]
fn the_uid_is_last_and_derived_from_the_framed_bytes() {
    let text = text_of("test_name: ndt", "measurement_uid: x\nstart_time: 1392854400").unwrap().unwrap();
    let uid = uid::trivial(&framed("measurement_uid: x\nstart_time: 1392854400"), Some(b"2014-02-20 00:00:00"));
    assert!(uid.starts_with("0120140220"));
    assert!(String::from_utf8(text).unwrap().ends_with(&format!("\"measurement_uid\":\"{uid}\"}}")));
    // A date that is not text is ignored.
    let mut out = Vec::new();
    let entry = framed("{data_format_version: 0.2.0, measurement_start_time: 2014-02-20}");
    assert!(report("{}").entry(&entry, &mut out).unwrap().unwrap().starts_with("0100000000"));
}
