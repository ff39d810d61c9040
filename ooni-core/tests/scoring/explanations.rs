//! What an explanation lists decided the outcome.
//!
//! The tests change every value that an explanation reports as read, and every match of a reported fingerprint; the outcome
//! must change.

use crate::support::edit::{self, Dice, at, at_mut, base64, replace};
use crate::support::{FULL, fixtures, json, text};
use ooni_core::explain::{Explanation, explain};
use ooni_core::fingerprint::{Fingerprint, PatternType};
use ooni_core::json::Json;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use ooni_core::trace::Found;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

const RULES: [Rules; 2] = [Rules::Compat, Rules::Fixed];

/// Each is the only value that changes the result of some rule; `None` removes the value.
static REPLACEMENTS: LazyLock<Vec<Option<Json>>> = LazyLock::new(|| {
    let texts = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "200",
        "0.5",
        r#""""#,
        r#""x""#,
        r#""ok""#,
        r#""success""#,
        r#""blocked""#,
        "[]",
        "{}",
        r#"{"requests":"x"}"#,
        r#"{"engine_version":"9.9"}"#,
        r#""2000-01-01 00:00:00""#,
        // Valid values for rules that found none.
        r#""ndt""#,
        r#""{\"headers_dict\":{}}""#,
        r#"{"url":"x"}"#,
        r#"{"code":200,"headers":{"Server":"ECAcc (x)"}}"#,
        r#"{"a":{"failure":null,"network_events":[]}}"#,
        r#"[{"request":{"url":"x"},"failure":null,"response":{"body":"{\"headers_dict\":{}}"}}]"#,
    ];
    texts.iter().map(|text| Some(json(text.as_bytes()))).chain([None]).collect()
});

struct Document {
    name: String,
    uid: String,
    whole: Json,
}

fn documents() -> Vec<Document> {
    let read = fixtures().into_iter();
    read.map(|fixture| Document { name: fixture.file, uid: fixture.uid, whole: json(&fixture.bytes) }).collect()
}

fn outcome(whole: &Json, uid: &str, rules: Rules) -> Outcome {
    process(text(whole).as_bytes(), uid, &FULL, rules)
}

/// The outcome without its ruleset.
fn bare(mut outcome: Outcome) -> Outcome {
    if let Outcome::Stored { row, .. } = &mut outcome {
        row.ruleset = Arc::default();
    }
    outcome
}

/// Checks an explanation of the document, and returns it.
fn check(document: &Document, rules: Rules) -> Explanation {
    let Document { name, uid, whole } = document;
    let explanation = explain(text(whole).as_bytes(), uid, &FULL, rules);
    assert!(explanation.outcome == outcome(whole, uid, rules), "{name}");
    check_fired(document, rules, &explanation);
    check_found(document, rules, &explanation);
    if let Outcome::Rejected { error } = &explanation.outcome {
        assert!(decides(document, rules, &explanation.outcome, &[&error.path]), "{name}: {error}");
    }
    let (compat, fixed) = RULES.map(|rules| bare(outcome(whole, uid, rules))).into();
    assert_eq!(explanation.differences.is_empty(), compat == fixed, "{name}: {:?}", explanation.differences);
    explanation
}

/// Whether other values at these paths change the outcome.
fn decides(document: &Document, rules: Rules, before: &Outcome, paths: &[&str]) -> bool {
    alternatives(document, rules, paths).any(|after| after != *before)
}

fn score<'o>(outcome: &'o Outcome, key: &str) -> Option<&'o Json> {
    match outcome {
        Outcome::Stored { row, .. } => row.scores.get(key),
        _ => None,
    }
}

/// The outcomes with other values at these paths.
fn alternatives(document: &Document, rules: Rules, paths: &[&str]) -> impl Iterator<Item = Outcome> {
    let own = paths.iter().filter_map(|path| at(&document.whole, path)).map(slightly_different).map(Some);
    REPLACEMENTS.iter().cloned().chain(own).map(move |value| {
        let mut changed = document.whole.clone();
        // From the last to the first, so that removals from an array do not move other elements.
        for path in paths.iter().rev() {
            replace(&mut changed, path, value.as_ref());
        }
        outcome(&changed, &document.uid, rules)
    })
}

fn slightly_different(value: &Json) -> Json {
    match value {
        Json::Text(text) => Json::Text([text, &b"x"[..]].concat()),
        Json::Int(_) | Json::Float(_) => Json::Float(value.as_f64().unwrap_or(0.0) + 1.0),
        Json::Bool(value) => Json::Bool(!value),
        Json::Array(items) => Json::Array(items.iter().chain(&[Json::Null]).cloned().collect()),
        other => other.clone(),
    }
}

/// A key that one rule set because of one value changes with that value.
fn check_single(document: &Document, rules: Rules, explanation: &Explanation) -> usize {
    let mut single = 0;
    for fired in &explanation.fired {
        let alone = explanation.fired.iter().filter(|other| other.sets == fired.sets).count() == 1;
        let ([read], true, true) = (&fired.reads[..], alone, fired.sets != "outcome") else { continue };
        let own = score(&explanation.outcome, fired.sets);
        let differs = |after: Outcome| matches!(after, Outcome::Stored { .. }) && score(&after, fired.sets) != own;
        let Document { name, .. } = document;
        // Another request follows the one without a URL.
        if name == "telegram--fastpath--telegram_nourl.json" {
            continue;
        }
        assert!(alternatives(document, rules, &[&read.path]).any(differs), "{name} {rules:?}: {fired:?}");
        single += 1;
    }
    single
}

fn check_fired(document: &Document, rules: Rules, explanation: &Explanation) {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for fired in &explanation.fired {
        assert!(!fired.reads.is_empty(), "{}: {}", document.name, fired.rule);
        for read in &fired.reads {
            let there = at(&document.whole, &read.path);
            match &read.value {
                _ if read.described => assert!(there.is_some(), "{}: {}", document.name, read.path),
                value => assert_eq!(value.as_ref(), there, "{}: {}", document.name, read.path),
            }
            places.entry(fired.sets).or_default().push(&read.path);
        }
    }
    for (sets, paths) in places {
        let decisive = decides(document, rules, &explanation.outcome, &paths);
        assert!(decisive, "{} {rules:?}: {sets} does not depend on {paths:?}", document.name);
    }
}

/// The searched bytes at a path, and whether they are base64 in the document.
fn searched(whole: &Json, path: &str) -> (Vec<u8>, bool) {
    let Some(Json::Text(text)) = at(whole, path) else { return (Vec::new(), false) };
    let container = edit::parent(path).and_then(|parent| at(whole, parent));
    let is_base64 =
        path.ends_with("/data") && container.and_then(|c| c.get("format")).and_then(Json::as_str) == Some("base64");
    match is_base64 {
        true => (ooni_core::base64::decode(text).unwrap(), true),
        false => (text.clone(), false),
    }
}

fn check_found(document: &Document, rules: Rules, explanation: &Explanation) {
    let Document { name, uid, whole } = document;
    for found in &explanation.fingerprints {
        let same = |other: &&Found| (&other.name, &other.path) == (&found.name, &found.path);
        let (mut changed, mut now) = (whole.clone(), found.clone());
        // Matches of a regular expression do not overlap, so a new one may start inside a removed one.
        let tries = if found.pattern_type == "regexp" { 40 } else { 1 };
        let gone = (0..tries).any(|_| {
            without(&mut changed, &now);
            let after = explain(text(&changed).as_bytes(), uid, &FULL, rules);
            match after.fingerprints.iter().find(same) {
                None => {
                    assert!(after.outcome != explanation.outcome, "{name} {rules:?}: {found:?} makes no difference");
                    true
                }
                Some(again) => {
                    let stays = places(again).iter().any(|offset| places(&now).contains(offset));
                    assert!(!stays, "{name} {rules:?}: {now:?} is found again: {again:?}");
                    now = again.clone();
                    false
                }
            }
        });
        assert!(
            gone || found.pattern_type == "regexp",
            "{name} {rules:?}: {found:?} is found at another place: {now:?}"
        );
    }
}

fn places(found: &Found) -> Vec<usize> {
    [found.offset].iter().chain(&found.also_at).copied().collect()
}

/// Changes a character of every match of a fingerprint.
fn without(whole: &mut Json, found: &Found) {
    let (mut bytes, is_base64) = searched(whole, &found.path);
    let offsets = places(found);
    assert!(offsets.is_sorted_by(|a, b| a < b), "{found:?}");
    for &offset in offsets.iter().rev() {
        let tail = bytes.get(offset..).filter(|tail| !tail.is_empty());
        let tail = tail.unwrap_or_else(|| panic!("nothing at {offset}: {found:?}"));
        // A whole character, so that the text stays valid, and of the same length, so that no offset changes.
        let length = match is_base64 {
            true => 1,
            false => 1 + tail[1..].iter().take_while(|&&byte| byte & 0xc0 == 0x80).count(),
        };
        bytes[offset..offset + length].fill(1);
    }
    let value = if is_base64 { Json::from(base64(&bytes)) } else { Json::Text(bytes) };
    *at_mut(whole, &found.path).unwrap() = value;
}

#[test]
fn explanations_of_fixtures_are_decisive() {
    let (mut fired, mut single, mut found, mut rejected) = (0, 0, 0, 0);
    for document in documents() {
        for rules in RULES {
            let explanation = check(&document, rules);
            single += check_single(&document, rules, &explanation);
            fired += explanation.fired.len();
            found += explanation.fingerprints.len();
            rejected += usize::from(matches!(explanation.outcome, Outcome::Rejected { .. }));
        }
    }
    assert!(fired > 300 && single > 60 && found > 5 && rejected == 10, "{fired} {single} {found} {rejected}");
}

/// Inserts a fingerprint into a measurement, in one of the forms of answers, bodies and headers.
fn insert(whole: &mut Json, fingerprint: &Fingerprint, dice: &mut Dice) {
    let Fingerprint { location_found, pattern_type, pattern, .. } = fingerprint;
    let content = match whole.get("content") {
        Some(_) => at_mut(whole, "/content").unwrap(),
        None => whole,
    };
    let Some(keys @ Json::Object(_)) = at_mut(content, "/test_keys") else { panic!("no test keys") };
    if location_found == "dns" {
        let kind = *dice.pick(&["ipv4", "ipv6", "hostname"]);
        let query =
            Json::object([("answers", Json::Array(vec![Json::object([(kind, Json::from(pattern.as_str()))])]))]);
        return push(keys, "queries", query, dice);
    }
    let encoded =
        |bytes: Vec<u8>| Json::object([("format", Json::from("base64")), ("data", Json::from(base64(&bytes)))]);
    let surroundings = ["", "<p>", "ünï🙂", "\n\t/\"\\", "<html><body>&amp;"];
    let (before, after) = (*dice.pick(&surroundings), *dice.pick(&surroundings));
    let response = match location_found.strip_prefix("header.") {
        None => {
            let repeated = if dice.roll(3) == 0 { pattern.as_str() } else { "" };
            let body = match (pattern_type, dice.roll(2)) {
                (PatternType::Full, 0) => pattern.clone(),
                _ => format!("{before}{pattern}{after}{repeated}"),
            };
            let body = if dice.roll(3) == 0 { encoded(body.into_bytes()) } else { Json::from(body) };
            Json::object([("body", body), ("headers", Json::object([]))])
        }
        Some(header) => {
            let value = match pattern_type {
                PatternType::Full => pattern.clone(),
                PatternType::Prefix => format!("{pattern}{after}"),
                _ => format!("{before}{pattern}{after}"),
            };
            // Headers in base64 are Latin-1.
            let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            let value = match latin1 {
                Some(bytes) if dice.roll(3) == 0 => encoded(bytes),
                _ => Json::from(value),
            };
            let name = if dice.roll(2) == 0 { header.to_uppercase() } else { header.to_owned() };
            Json::object([("body", Json::from("")), ("headers", Json::object([(&name, value)]))])
        }
    };
    push(keys, "requests", Json::object([("request", Json::object([])), ("response", response)]), dice);
}

/// Adds an element to the array of this name, which is created if missing.
fn push(object: &mut Json, key: &str, value: Json, dice: &mut Dice) {
    if !matches!(object.get(key), Some(Json::Array(_))) {
        replace(object, &format!("/{key}"), Some(&Json::Array(Vec::new())));
    }
    if let Some(Json::Array(items)) = at_mut(object, &format!("/{key}")) {
        items.insert(dice.roll(items.len() + 1), value);
    }
}

/// Measurements with one to four inserted fingerprints of the full lists.
fn with_fingerprints(count: usize) -> Vec<Document> {
    let searched = |document: &Document| {
        let name = document.whole.get("test_name").and_then(Json::as_str);
        let is_stored = matches!(outcome(&document.whole, &document.uid, Rules::Fixed), Outcome::Stored { .. });
        matches!(name, Some("web_connectivity" | "http_requests")) && is_stored && text(&document.whole).len() < 60_000
    };
    let mut documents = documents();
    documents.retain(searched);
    assert!(documents.len() > 20);
    // The kinds affected by repairs are rare in the lists, but are selected as often as the others.
    let kind = |fingerprint: &Fingerprint| {
        (fingerprint.header().is_some(), fingerprint.location_found == "dns", fingerprint.pattern_type.as_str())
    };
    let mut kinds: BTreeMap<_, Vec<&Fingerprint>> = BTreeMap::new();
    FULL.dns()
        .iter()
        .chain(FULL.http())
        .for_each(|fingerprint| kinds.entry(kind(fingerprint)).or_default().push(fingerprint));
    let kinds: Vec<_> = kinds.into_values().collect();
    let mut dice = Dice(2026);
    let made = (0..count).map(|i| {
        let Document { name, uid, whole } = &documents[i % documents.len()];
        let mut whole = whole.clone();
        let mut name = format!("{name}, {i}");
        if dice.roll(4) == 0 {
            replace(&mut whole, "/test_name", Some(&Json::from("http_requests")));
            for key in ["/test_keys/body_length_match", "/test_keys/headers_match"] {
                replace(&mut whole, key, Some(&Json::Bool(dice.roll(2) == 0)));
            }
        }
        for _ in 0..=dice.roll(4) {
            let fingerprint = dice.pick(dice_kind(&kinds, i));
            insert(&mut whole, fingerprint, &mut dice);
            name += &format!(", {}", fingerprint.name);
        }
        if dice.roll(3) == 0 {
            let country = *dice.pick(&["IT", "RU", "IR", "ZZZ"]);
            replace(&mut whole, "/probe_cc", Some(&Json::from(country)));
        }
        // Base64 that cannot be decoded.
        if dice.roll(6) == 0 {
            let body = Json::object([("format", Json::from("base64")), ("data", dice.pick(&broken()).clone())]);
            let request = Json::object([("response", Json::object([("body", body)]))]);
            push(at_mut(&mut whole, "/test_keys").unwrap(), "requests", request, &mut dice);
        }
        Document { name, uid: uid.clone(), whole }
    });
    made.collect()
}

fn dice_kind<'k, 'f>(kinds: &'k [Vec<&'f Fingerprint>], i: usize) -> &'k [&'f Fingerprint] {
    &kinds[i / 3 % kinds.len()]
}

fn broken() -> [Json; 3] {
    [Json::from("QkxPQ0s"), Json::from("é"), Json::from(5)]
}

#[test]
fn explanations_of_fingerprints_are_decisive() {
    let mut seen: BTreeMap<(bool, bool, String), usize> = BTreeMap::new();
    let mut repairs: BTreeMap<String, usize> = BTreeMap::new();
    for document in with_fingerprints(220) {
        for rules in RULES {
            let explanation = check(&document, rules);
            for Found { location_found, pattern_type, path, .. } in &explanation.fingerprints {
                let key = (location_found.starts_with("header."), path.ends_with("/data"), pattern_type.clone());
                *seen.entry(key).or_default() += 1;
            }
            for difference in &explanation.differences {
                *repairs.entry(difference.repair.to_string()).or_default() += 1;
            }
        }
    }
    // Headers and bodies, plain and in base64, of every kind that can match: all except full patterns for base64 headers.
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert!(repairs.len() == 4 && repairs.values().all(|&n| n >= 6), "{repairs:?}");
}

/// Measurements that no probe creates reach rules that the fixtures do not reach.
#[test]
fn explanations_of_changed_fixtures_are_decisive() {
    let (documents, mut dice) = (documents(), Dice(7));
    let values: Vec<_> = REPLACEMENTS.iter().flatten().cloned().collect();
    for i in 0..600 {
        let Document { name, uid, whole } = &documents[i % documents.len()];
        let (mut whole, name) = (whole.clone(), format!("{name}, changed {i}"));
        if text(&whole).len() > 60_000 {
            continue;
        }
        for _ in 0..=dice.roll(3) {
            edit::mutate(&mut whole, &values, &["failure", "x_failure", "requests", "success", "x"], &mut dice);
        }
        // With repeated keys, a pointer is ambiguous.
        let document = Document { name, uid: uid.clone(), whole: json(text(&whole).as_bytes()) };
        check(&document, RULES[i % 2]);
    }
}
