//! The public lists as the scorer loads them, and the rules for single fingerprints.

use ooni_core::fingerprint::{
    Body, BodyRules, ConfirmedBy, Finding, Fingerprint, Fingerprints, PatternType, Scope, Scratch, locality,
    prepare_countries,
};

fn public() -> Fingerprints {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ooni-archive/data/fingerprints/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    Fingerprints::from_csv(&read("fingerprints_dns.csv"), &read("fingerprints_http.csv"), "abc").unwrap()
}

fn fingerprint(location: &str, pattern_type: PatternType, pattern: &str) -> Fingerprint {
    Fingerprint {
        name: pattern.to_owned(),
        scope: Scope::Fp,
        other_names: String::new(),
        location_found: location.to_owned(),
        pattern_type,
        pattern: pattern.to_owned(),
        confidence_no_fp: 5,
        expected_countries: prepare_countries("IT,fr"),
    }
}

#[test]
fn public_lists_load() {
    let list = public();
    assert_eq!((list.dns().len(), list.http().len(), list.list_sha256()), (226, 1729, "abc"));
    assert!(list.has_body_fingerprints());
    assert_eq!(list.http().iter().filter(|fingerprint| fingerprint.header().is_some()).count(), 118 + 275 + 25);
    let first = &list.http()[0];
    assert_eq!((first.name.as_str(), first.scope, first.confidence_no_fp), ("ooni.ae_0", Scope::Nat, 5));
    assert_eq!(first.expected_countries, ["AE", "SA"]);
}

#[test]
fn self_test_of_the_public_lists() {
    let findings = public().self_test();
    let count = |wanted: fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
    let counts = [
        count(|f| matches!(f, Finding::DeadHeader { pattern_type: PatternType::Contains, .. })),
        count(|f| matches!(f, Finding::DeadHeader { .. })),
        count(|f| matches!(f, Finding::DeadLocation { .. })),
        count(|f| matches!(f, Finding::SearchedAsText { pattern_type: PatternType::Regexp, .. })),
        count(|f| matches!(f, Finding::SearchedAsText { .. })),
        count(|f| matches!(f, Finding::Duplicate { .. })),
        count(|f| matches!(f, Finding::Contained { .. })),
        count(|f| matches!(f, Finding::EmptyPattern { .. })),
    ];
    assert_eq!(counts, [118, 118, 0, 14, 15, 11, 163, 0]);
    assert!(findings.iter().all(|finding| !finding.to_string().contains('\n')));
}

#[test]
fn every_literal_pattern_of_the_public_list_matches_itself() {
    let list = public();
    let mut scratch = Scratch::default();
    for (at, fingerprint) in (0..).zip(list.http()).filter(|(_, f)| f.location_found == "body") {
        let text = format!("<html>\n{}</html>", fingerprint.pattern);
        let found = list.find_in_body(Body::Bytes(text.as_bytes()), BodyRules::default(), &mut scratch);
        assert!(found.iter().any(|hit| (hit.http_index, hit.offset) == (at, 7)), "{fingerprint:?}");
    }
}

#[test]
fn countries() {
    assert_eq!(prepare_countries("IT, FR"), [" FR", "IT"]);
    assert_eq!(prepare_countries("AU,DE,DK,FR "), ["AU", "DE", "DK", "FR"]);
    assert_eq!(prepare_countries("fr,ZZ,de,,FR,zz"), ["DE", "FR"]);
    assert!(prepare_countries("").is_empty() && prepare_countries(",ZZ").is_empty());
}

#[test]
fn confirmation() {
    let mut one = fingerprint("body", PatternType::Contains, "p");
    assert_eq!(one.confirmed_by("IT"), Some(ConfirmedBy::Country), "a known false positive confirms too");
    assert_eq!(one.confirmed_by("DE"), None);
    one.expected_countries.push("ZZ".to_owned());
    assert_eq!(one.confirmed_by("ZZ"), None);
    for scope in [Scope::Isp, Scope::Nat] {
        one.scope = scope;
        assert_eq!(one.confirmed_by("DE"), Some(ConfirmedBy::Scope(scope)));
        assert_eq!(one.confirmed_by("FR"), Some(ConfirmedBy::Country));
    }
    for scope in [Scope::Prod, Scope::Inst, Scope::Vbw, Scope::Injb, Scope::Prov] {
        one.scope = scope;
        assert_eq!(one.confirmed_by("DE"), None);
    }
}

#[test]
fn localities() {
    let localities = ["nat", "isp", "prod", "inst", "vbw", "fp", "injb", "prov"]
        .map(|text| (text.parse::<Scope>().unwrap(), text))
        .map(|(scope, text)| {
            assert_eq!(scope.to_string(), text);
            locality(scope)
        });
    assert_eq!(localities, ["country", "isp", "general", "local", "general", "general", "general", "general"]);
    assert!("NAT".parse::<Scope>().is_err());
}

#[test]
fn dns_patterns_of_any_type_and_location_are_compared_for_equality() {
    let dns = vec![
        fingerprint("dns", PatternType::Full, "1.2.3.4"),
        fingerprint("body", PatternType::Prefix, "a.example"),
        fingerprint("dns", PatternType::Regexp, "1.2.3.4"),
    ];
    let list = Fingerprints::new(dns, Vec::new(), "").unwrap();
    assert_eq!(list.dns_matches(b"1.2.3.4"), [0, 2]);
    assert_eq!(list.dns_matches(b"a.example"), [1]);
    for none in [&b"1.2.3.40"[..], b"1.2.3", b"", b"\xed\xa0\x80"] {
        assert!(list.dns_matches(none).is_empty());
    }
}

#[test]
fn headers() {
    let http = vec![
        fingerprint("header.server", PatternType::Full, "ab"),
        fingerprint("header.Server", PatternType::Full, "ab"),
        fingerprint("body", PatternType::Contains, "ab"),
        fingerprint("header.server", PatternType::Prefix, "ab"),
        fingerprint("header.server", PatternType::Contains, "ab"),
        fingerprint("header.server", PatternType::Regexp, "ab"),
    ];
    let list = Fingerprints::new(Vec::new(), http, "").unwrap();
    assert!(list.header(b"").is_none());
    assert!(list.header(b"via").is_none());
    let header = list.header(b"SERVER").unwrap();
    assert_eq!((header.decoded_for(false), header.decoded_for(true)), (Some(3), Some(3)));
    let search = |value: &[u8], full, contains| -> Vec<(u32, usize)> {
        let mut found = Vec::new();
        header.find(list.http(), value, full, contains, &mut found);
        found.into_iter().map(|found| (found.http_index, found.offset)).collect()
    };
    assert_eq!(search(b"ab", false, true), [(3, 0), (4, 0)]);
    assert_eq!(search(b"xabab", true, true), [(4, 1)]);
    let matches =
        |value: &[u8], contains| -> Vec<u32> { search(value, true, contains).into_iter().map(|(at, _)| at).collect() };
    assert_eq!(matches(b"ab", false), [0, 3]);
    assert_eq!(matches(b"ab", true), [0, 3, 4]);
    assert_eq!(matches(b"abc", false), [3]);
    assert_eq!(matches(b"xab", true), [4]);
    assert!(matches(b"xab", false).is_empty());
}
