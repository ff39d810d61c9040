//! The tests of YAML reports, with all spellings that probes used.

/// A test.
pub(super) struct Test {
    /// The name in the names of cans, which for most tests is also the normalized name.
    pub(super) name: &'static str,
    /// The spellings that probes used.
    pub(super) spelled: &'static [&'static str],
    /// The kind of its keys.
    pub(super) key_kind: KeyKind,
    /// Whether normalization accepts its measurements.
    pub(super) supported: bool,
}

/// The kind of a test's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// Queries and their answers.
    Dns,
    /// HTTP requests and their responses, with headers in lists.
    Http,
    /// Lines sent and received.
    InvalidRequestLine,
    /// Lines of an older probe, for a test without rules.
    Tcp,
    /// Differences of headers, and no requests.
    WebsiteProbe,
    /// Keys that no rule reads.
    Other,
}

impl KeyKind {
    /// Whether a URL in the report's options is used for a missing input.
    pub(super) fn takes_options(self) -> bool {
        matches!(self, Self::Http)
    }
}

impl Test {
    /// The name after normalization.
    pub(super) fn normalized(&self) -> &'static str {
        if self.spelled == ["summary", "test_get"] { "invalid" } else { self.name }
    }
}

const fn test(name: &'static str, spelled: &'static [&'static str], key_kind: KeyKind) -> Test {
    Test { name, spelled, key_kind, supported: true }
}

const fn unsupported(name: &'static str, spelled: &'static [&'static str], key_kind: KeyKind) -> Test {
    Test { name, spelled, key_kind, supported: false }
}

/// One is drawn for each report; frequent tests are listed several times.
pub(super) const TESTS: &[Test] = &[
    DNS_CONSISTENCY,
    DNS_CONSISTENCY,
    DNS_CONSISTENCY,
    test("dns_injection", &["dns_injection"], KeyKind::Dns),
    test("dns_injection", &["dns_injection"], KeyKind::Dns),
    HTTP_HOST,
    HTTP_HOST,
    HTTP_REQUESTS,
    HTTP_REQUESTS,
    HTTP_REQUESTS,
    HEADER_FIELDS,
    HEADER_FIELDS,
    INVALID_REQUEST_LINE,
    INVALID_REQUEST_LINE,
    INVALID_REQUEST_LINE,
    test("meek_fronted_requests", &["meek_fronted_requests"], KeyKind::Http),
    test("domclass_collector", &["domclass_collector"], KeyKind::Http),
    test("http_keyword_filtering", &["http_keyword_filtering"], KeyKind::Http),
    test("http_uk_mobile_networks", &["http_uk_mobile_networks"], KeyKind::Http),
    test("http_url_list", &["http_url_list"], KeyKind::Http),
    test("squid", &["squid"], KeyKind::Http),
    test("tor_http_requests_test", &["tor_http_requests_test"], KeyKind::Http),
    test("http_filtering_bypass", &["HTTPFilteringBypass", "httpfilteringbypass"], KeyKind::Tcp),
    test("http_trix", &["HTTPTrix", "httptrix"], KeyKind::Tcp),
    test("website_probe", &["website_probe", "Website_Probe"], KeyKind::WebsiteProbe),
    test("meek_fronted_requests_test", &["meek_fronted_requests_test"], KeyKind::Other),
    test("netalyzr_wrapper", &["netalyzrwrapper"], KeyKind::Other),
    test("lantern_circumvention_tool_test", &["lantern_circumvention_tool_test"], KeyKind::Other),
    test("this_test_is_nameless", &["this_test_is_nameless"], KeyKind::Other),
    test("test_get", &["summary", "test_get"], KeyKind::Other),
    unsupported("tcp_connect", &["tcp_connect", "TCP Connect"], KeyKind::Other),
    unsupported("captive_portal", &["captivep", "captiveportal"], KeyKind::Other),
    unsupported("lantern", &["lantern", "Lantern"], KeyKind::Other),
];

const DNS_CONSISTENCY: Test = test("dns_consistency", &["dns_consistency", "DNS tamper", "dnstamper"], KeyKind::Dns);
const HTTP_HOST: Test = test("http_host", &["http_host", "HTTP Host"], KeyKind::Http);
const HTTP_REQUESTS: Test =
    test("http_requests", &["http_requests", "http_requests_test", "HTTP Requests Test"], KeyKind::Http);
const HEADER_FIELDS: Test = test(
    "http_header_field_manipulation",
    &[
        "http_header_field_manipulation",
        "HTTP Header Field Manipulation",
        "test_get_random_capitalization",
        "test_put_random_capitalization",
        "test_post_random_capitalization",
    ],
    KeyKind::Http,
);
const INVALID_REQUEST_LINE: Test = test(
    "http_invalid_request_line",
    &[
        "http_invalid_request_line",
        "HTTP Invalid Request Line",
        "test_random_big_request_method",
        "test_random_invalid_field_count",
    ],
    KeyKind::InvalidRequestLine,
);
