//! The tests of YAML reports, in all the ways that probes spelled them.

/// A test.
pub(super) struct Test {
    /// As it is in the names of cans; most are called so after normalization too.
    pub(super) name: &'static str,
    /// As probes wrote it.
    pub(super) spelled: &'static [&'static str],
    /// What its keys are like.
    pub(super) fit: Fit,
    /// Whether normalization yields measurements of it.
    pub(super) supported: bool,
}

/// What the keys of a test are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Queries and their answers.
    Dns,
    /// HTTP requests and their responses, with headers in lists.
    Http,
    /// Lines sent and received.
    InvalidRequestLine,
    /// Both of an older probe, in a category without rules.
    Tcp,
    /// Differences of headers, and no requests.
    WebsiteProbe,
    /// Keys that no rule looks at.
    Free,
}

impl Fit {
    /// Whether a URL among the options of the report stands for a missing input.
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

const fn test(name: &'static str, spelled: &'static [&'static str], fit: Fit) -> Test {
    Test { name, spelled, fit, supported: true }
}

const fn unsupported(name: &'static str, spelled: &'static [&'static str], fit: Fit) -> Test {
    Test { name, spelled, fit, supported: false }
}

/// One of them is drawn for a report; frequent ones are in it several times.
pub(super) const TESTS: &[Test] = &[
    DNS_CONSISTENCY,
    DNS_CONSISTENCY,
    DNS_CONSISTENCY,
    test("dns_injection", &["dns_injection"], Fit::Dns),
    test("dns_injection", &["dns_injection"], Fit::Dns),
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
    test("meek_fronted_requests", &["meek_fronted_requests"], Fit::Http),
    test("domclass_collector", &["domclass_collector"], Fit::Http),
    test("http_keyword_filtering", &["http_keyword_filtering"], Fit::Http),
    test("http_uk_mobile_networks", &["http_uk_mobile_networks"], Fit::Http),
    test("http_url_list", &["http_url_list"], Fit::Http),
    test("squid", &["squid"], Fit::Http),
    test("tor_http_requests_test", &["tor_http_requests_test"], Fit::Http),
    test("http_filtering_bypass", &["HTTPFilteringBypass", "httpfilteringbypass"], Fit::Tcp),
    test("http_trix", &["HTTPTrix", "httptrix"], Fit::Tcp),
    test("website_probe", &["website_probe", "Website_Probe"], Fit::WebsiteProbe),
    test("meek_fronted_requests_test", &["meek_fronted_requests_test"], Fit::Free),
    test("netalyzr_wrapper", &["netalyzrwrapper"], Fit::Free),
    test("lantern_circumvention_tool_test", &["lantern_circumvention_tool_test"], Fit::Free),
    test("this_test_is_nameless", &["this_test_is_nameless"], Fit::Free),
    test("test_get", &["summary", "test_get"], Fit::Free),
    unsupported("tcp_connect", &["tcp_connect", "TCP Connect"], Fit::Free),
    unsupported("captive_portal", &["captivep", "captiveportal"], Fit::Free),
    unsupported("lantern", &["lantern", "Lantern"], Fit::Free),
];

const DNS_CONSISTENCY: Test = test("dns_consistency", &["dns_consistency", "DNS tamper", "dnstamper"], Fit::Dns);
const HTTP_HOST: Test = test("http_host", &["http_host", "HTTP Host"], Fit::Http);
const HTTP_REQUESTS: Test =
    test("http_requests", &["http_requests", "http_requests_test", "HTTP Requests Test"], Fit::Http);
const HEADER_FIELDS: Test = test(
    "http_header_field_manipulation",
    &[
        "http_header_field_manipulation",
        "HTTP Header Field Manipulation",
        "test_get_random_capitalization",
        "test_put_random_capitalization",
        "test_post_random_capitalization",
    ],
    Fit::Http,
);
const INVALID_REQUEST_LINE: Test = test(
    "http_invalid_request_line",
    &[
        "http_invalid_request_line",
        "HTTP Invalid Request Line",
        "test_random_big_request_method",
        "test_random_invalid_field_count",
    ],
    Fit::InvalidRequestLine,
);
