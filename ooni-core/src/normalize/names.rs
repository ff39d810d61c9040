//! Names and categories of tests (formats spec §11.4 and §11.5).

use crate::text::lower;

/// The current name of a test; the name in lower case if it is not in the table.
pub(super) fn mapped(written: &[u8]) -> Vec<u8> {
    let known = match std::str::from_utf8(written).unwrap_or_default() {
        "http_host" | "HTTP Host" => "http_host",
        "http_requests" | "http_requests_test" | "HTTP Requests Test" => "http_requests",
        "bridge_reachability" | "bridgereachability" => "bridge_reachability",
        "tcp_connect" | "TCP Connect" => "tcp_connect",
        "dns_consistency" | "DNS tamper" | "dnstamper" => "dns_consistency",
        "http_invalid_request_line"
        | "HTTP Invalid Request Line"
        | "test_random_big_request_method"
        | "test_random_invalid_field_count" => "http_invalid_request_line",
        "http_header_field_manipulation"
        | "HTTP Header Field Manipulation"
        | "test_get_random_capitalization"
        | "test_put_random_capitalization"
        | "test_post_random_capitalization" => "http_header_field_manipulation",
        "multi_protocol_traceroute"
        | "Multi Protocol Traceroute Test"
        | "multi_protocol_traceroute_test"
        | "traceroute" => "multi_protocol_traceroute",
        "parasitic_traceroute_test" | "parasitic_tcp_traceroute_test" => "parasitic_traceroute",
        "tls_handshake" | "tls-handshake" => "tls_handshake",
        "captivep" | "captiveportal" => "captive_portal",
        "HTTPFilteringBypass" | "httpfilteringbypass" => "http_filtering_bypass",
        "HTTPTrix" | "httptrix" => "http_trix",
        "netalyzrwrapper" => "netalyzr_wrapper",
        "summary" | "test_get" | "test_post" | "test_put" | "test_send_host_header" => "invalid",
        // Names that map to themselves are in lower case.
        _ => return lower(written).into_owned(),
    };
    known.as_bytes().to_vec()
}

/// Whether requests and responses are normalized.
pub(super) fn is_http(name: &str) -> bool {
    matches!(
        name,
        "http_requests"
            | "meek_fronted_requests"
            | "domclass_collector"
            | "http_keyword_filtering"
            | "http_uk_mobile_networks"
            | "http_header_field_manipulation"
            | "http_url_list"
            | "http_host"
            | "squid"
            | "captive_portal"
            | "psiphon"
            | "tor_http_requests_test"
    )
}

/// Whether queries and answers are normalized.
pub(super) fn is_dns(name: &str) -> bool {
    matches!(name, "dns_consistency" | "dns_injection" | "captive_portal")
}

/// Tests that are rejected once their times have been read.
pub(super) fn is_rejected_early(name: &str) -> bool {
    matches!(name, "lantern" | "psiphon")
}

/// Tests that are rejected at the end.
pub(super) fn is_unsupported(name: &str) -> bool {
    matches!(
        name,
        "chinatrigger"
            | "keyword_filtering"
            | "parasitic_traceroute"
            | "multi_protocol_traceroute"
            | "dns_spoof"
            | "captive_portal"
            | "tls_handshake"
            | "tcp_connect"
            | "bridge_reachability"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of formats spec §11.5; `=` means the same name.
    #[test]
    fn names_of_the_table() {
        for (result, written) in [
            ("http_host", "=|HTTP Host"),
            ("http_requests", "=|http_requests_test|HTTP Requests Test"),
            ("bridge_reachability", "=|bridgereachability"),
            ("tcp_connect", "=|TCP Connect"),
            ("dns_consistency", "=|DNS tamper|dnstamper"),
            (
                "http_invalid_request_line",
                "=|HTTP Invalid Request Line|test_random_big_request_method|test_random_invalid_field_count",
            ),
            (
                "http_header_field_manipulation",
                "=|HTTP Header Field Manipulation|test_get_random_capitalization|test_put_random_capitalization|\
                 test_post_random_capitalization",
            ),
            ("multi_protocol_traceroute", "=|Multi Protocol Traceroute Test|multi_protocol_traceroute_test|traceroute"),
            ("parasitic_traceroute", "parasitic_traceroute_test|parasitic_tcp_traceroute_test"),
            ("tls_handshake", "=|tls-handshake"),
            ("captive_portal", "captivep|captiveportal"),
            ("http_filtering_bypass", "HTTPFilteringBypass|httpfilteringbypass"),
            ("http_trix", "HTTPTrix|httptrix"),
            ("netalyzr_wrapper", "netalyzrwrapper"),
            ("invalid", "summary|test_get|test_post|test_put|test_send_host_header"),
            ("dns_injection", "="),
            ("http_test", "="),
            ("http_url_list", "="),
            ("dns_spoof", "="),
            ("meek_fronted_requests_test", "="),
            ("lantern_circumvention_tool_test", "="),
            ("psiphon_test", "="),
            ("this_test_is_nameless", "="),
            // Not in the table, or in another case.
            ("http host", "HTTP HOST"),
            ("web_connectivity", "Web_Connectivity"),
            ("é", "É"),
        ] {
            for name in written.split('|') {
                let name = if name == "=" { result } else { name };
                assert_eq!(String::from_utf8(mapped(name.as_bytes())).unwrap(), result);
            }
        }
    }

    #[test]
    fn categories() {
        for name in [
            "http_requests",
            "meek_fronted_requests",
            "domclass_collector",
            "http_keyword_filtering",
            "http_uk_mobile_networks",
            "http_header_field_manipulation",
            "http_url_list",
            "http_host",
            "squid",
            "captive_portal",
            "psiphon",
            "tor_http_requests_test",
        ] {
            assert!(is_http(name), "{name}");
        }
        for name in ["dns_consistency", "dns_injection", "captive_portal"] {
            assert!(is_dns(name), "{name}");
        }
        for name in [
            "meek_fronted_requests_test",
            "http_filtering_bypass",
            "http_invalid_request_line",
            "http_trix",
            "web_connectivity",
        ] {
            assert!(!is_http(name) && !is_dns(name) && !is_rejected_early(name) && !is_unsupported(name), "{name}");
        }
    }
}
