//! Tests, groups of tests, and countries, with the names that pages show (API spec §2).

mod countries;

pub use self::countries::COUNTRIES;

/// The groups of tests, in the order in which pages show them, each with its tests.
pub const TEST_GROUPS: [(&str, &[&str]); 7] = [
    ("websites", &["web_connectivity"]),
    ("im", &INSTANT_MESSAGING),
    ("middlebox", &["http_invalid_request_line", "http_header_field_manipulation"]),
    ("performance", &["ndt", "dash"]),
    (
        "circumvention",
        &[
            "bridge_reachability",
            "meek_fronted_requests_test",
            "vanilla_tor",
            "tcp_connect",
            "psiphon",
            "tor",
            "torsf",
            "riseupvpn",
        ],
    ),
    ("legacy", &["http_requests", "dns_consistency", "http_host", "multi_protocol_traceroute"]),
    ("experimental", &["urlgetter", "dnscheck", "stunreachability"]),
];

/// The tests of instant messaging, ordered by name.
pub const INSTANT_MESSAGING: [&str; 4] = ["facebook_messenger", "signal", "telegram", "whatsapp"];

/// Tests and the names that pages show, ordered by test.
pub const TEST_NAMES: [(&str, &str); 24] = [
    ("bridge_reachability", "Bridge Reachability"),
    ("dash", "DASH"),
    ("dns_consistency", "DNS Consistency"),
    ("dnscheck", "DNS Check"),
    ("facebook_messenger", "Facebook Messenger"),
    ("http_header_field_manipulation", "HTTP Header Field Manipulation"),
    ("http_host", "HTTP Host"),
    ("http_invalid_request_line", "HTTP Invalid Request Line"),
    ("http_requests", "HTTP Requests"),
    ("meek_fronted_requests_test", "Meek Fronted Requests"),
    ("multi_protocol_traceroute", "Multi Protocol Traceroute"),
    ("ndt", "NDT"),
    ("psiphon", "Psiphon"),
    ("riseupvpn", "RiseupVPN"),
    ("signal", "Signal"),
    ("stunreachability", "STUN Reachability"),
    ("tcp_connect", "TCP Connect"),
    ("telegram", "Telegram"),
    ("tor", "Tor"),
    ("torsf", "Tor Snowflake"),
    ("urlgetter", "URL Getter"),
    ("vanilla_tor", "Vanilla Tor"),
    ("web_connectivity", "Web Connectivity"),
    ("whatsapp", "WhatsApp"),
];

/// The name of a country.
pub fn country(code: &str) -> Option<&'static str> {
    named(&COUNTRIES, code)
}

/// The name of a test that pages show.
pub fn test(test_name: &str) -> Option<&'static str> {
    named(&TEST_NAMES, test_name)
}

/// The group of a test.
pub fn group_of(test_name: &str) -> Option<&'static str> {
    TEST_GROUPS.iter().find(|(_, tests)| tests.contains(&test_name)).map(|(group, _)| *group)
}

/// The name of a code in a table that is ordered by code.
fn named(table: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    let found = table.binary_search_by_key(&code, |(code, _)| code).ok()?;
    table.get(found).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tables_are_ordered_and_complete() {
        assert_eq!((COUNTRIES.len(), TEST_NAMES.len()), (249, 24));
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0) && TEST_NAMES.is_sorted_by(|a, b| a.0 < b.0));
        let is_code = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        assert!(COUNTRIES.iter().all(|(code, name)| is_code(code) && name.trim() == *name && !name.is_empty()));
        assert!(INSTANT_MESSAGING.is_sorted());
        let tests: Vec<&str> = TEST_GROUPS.iter().flat_map(|(_, tests)| tests.iter().copied()).collect();
        let named: BTreeSet<&str> = TEST_NAMES.iter().map(|(test, _)| *test).collect();
        assert_eq!(tests.len(), 24);
        assert_eq!(tests.into_iter().collect::<BTreeSet<_>>(), named, "each test with a name is in one group");
    }

    #[test]
    fn names() {
        assert_eq!(country("CI"), Some("Côte d’Ivoire"));
        assert_eq!((country("ci"), country("ZZ"), country("")), (None, None, None));
        assert_eq!((test("torsf"), test("openvpn")), (Some("Tor Snowflake"), None));
        assert_eq!((group_of("signal"), group_of("openvpn")), (Some("im"), None));
    }
}
