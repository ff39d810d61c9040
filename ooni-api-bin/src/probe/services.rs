//! [`Services`]: the features, test helpers and collectors that probes are told about (API spec §5.6, §5.10).
//!
//! The built-in ones are in `services.json`. A file of the same form changes them: a feature, the helpers of a name, the
//! collectors, or a key of the bouncer.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What probes are told about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Experiments that are switched on or off.
    pub features: BTreeMap<String, bool>,
    /// Test helpers by name.
    pub test_helpers: BTreeMap<String, Vec<Endpoint>>,
    /// Collectors.
    pub collectors: Vec<Endpoint>,
    /// The answer for the oldest probes.
    pub bouncer: Bouncer,
}

/// Where a test helper or a collector is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// URL or address.
    pub address: String,
    /// `https`, `cloudfront`, `onion` or `legacy`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name for domain fronting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<String>,
}

/// Collectors and test helpers of the oldest probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bouncer {
    /// The collector.
    pub collector: String,
    /// Other ways to the collector.
    pub collector_alternate: Vec<Endpoint>,
    /// Test helpers by name.
    pub test_helpers: BTreeMap<String, String>,
    /// Other ways to the test helpers.
    pub test_helpers_alternate: BTreeMap<String, Vec<Endpoint>>,
}

/// What a file changes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    features: BTreeMap<String, bool>,
    test_helpers: BTreeMap<String, Vec<Endpoint>>,
    collectors: Option<Vec<Endpoint>>,
    bouncer: BouncerChanges,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct BouncerChanges {
    collector: Option<String>,
    collector_alternate: Option<Vec<Endpoint>>,
    test_helpers: Option<BTreeMap<String, String>>,
    test_helpers_alternate: Option<BTreeMap<String, Vec<Endpoint>>>,
}

impl Services {
    /// The built-in services.
    ///
    /// # Errors
    /// A sentence. The built-in document is valid, see the test.
    pub fn built_in() -> Result<Services, String> {
        parse(include_str!("services.json"))
    }

    /// The built-in services with the changes of a file.
    ///
    /// # Errors
    /// A sentence with the line and the key.
    pub fn read(path: &Path) -> Result<Services, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Services::built_in()?.with(&text)
    }

    fn with(mut self, text: &str) -> Result<Services, String> {
        // A list is a structure without names to serde.
        if text.trim_start().starts_with('[') {
            return Err("an object is expected".to_owned());
        }
        let changes: Changes = parse(text)?;
        self.features.extend(changes.features);
        self.test_helpers.extend(changes.test_helpers);
        replace(&mut self.collectors, changes.collectors);
        replace(&mut self.bouncer.collector, changes.bouncer.collector);
        replace(&mut self.bouncer.collector_alternate, changes.bouncer.collector_alternate);
        replace(&mut self.bouncer.test_helpers, changes.bouncer.test_helpers);
        replace(&mut self.bouncer.test_helpers_alternate, changes.bouncer.test_helpers_alternate);
        Ok(self)
    }

    /// The test helpers for one request: those of `web-connectivity` in random order, since probes try the first one
    /// first. Fronted ones stay at the end.
    pub fn shuffled_test_helpers(&self) -> BTreeMap<&str, Vec<&Endpoint>> {
        let lists = self.test_helpers.iter().map(|(name, endpoints)| {
            let mut endpoints: Vec<&Endpoint> = endpoints.iter().collect();
            if name == "web-connectivity" {
                fastrand::shuffle(&mut endpoints);
                endpoints.sort_by_key(|endpoint| endpoint.front.is_some());
            }
            (&**name, endpoints)
        });
        lists.collect()
    }
}

fn replace<T>(value: &mut T, change: Option<T>) {
    if let Some(change) = change {
        *value = change;
    }
}

/// Parses a document. The error names the last key before it.
fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| match key_before(text, error.line(), error.column()) {
        Some(key) => format!("{key}: {error}"),
        None => error.to_string(),
    })
}

/// The last key that begins before a place in a document.
fn key_before(text: &str, line: usize, column: usize) -> Option<&str> {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let before = text.get(..start.saturating_add(column).min(text.len()))?;
    let mut colons = before.rmatch_indices(':');
    colons.find_map(|(at, _)| {
        let key = before[..at].trim_end().strip_suffix('"')?;
        Some(&key[key.rfind('"')? + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn built_in_services() {
        let services = Services::built_in().unwrap();
        assert_eq!((services.features.len(), services.test_helpers.len(), services.collectors.len()), (4, 6, 6));
        for (name, endpoints) in &services.test_helpers {
            assert_eq!(endpoints.len(), if name == "web-connectivity" { 7 } else { 2 }, "{name}");
        }
    }

    #[test]
    fn web_connectivity_helpers_are_shuffled() {
        let services = Services::built_in().unwrap();
        let mut firsts = BTreeSet::new();
        for _ in 0..1000 {
            let helpers = &services.shuffled_test_helpers()["web-connectivity"];
            let fronted: Vec<_> = helpers.iter().map(|helper| helper.front.is_some()).collect();
            assert_eq!(fronted, [false, false, false, false, false, false, true]);
            firsts.insert(&helpers[0].address);
        }
        assert_eq!(firsts.len(), 6);
    }

    #[test]
    fn changes_of_a_file() {
        let text = r#"{
            "features": {"torsf_enabled": true, "new": false},
            "test_helpers": {"dns": [], "web-connectivity": [{"address": "https://th.example.org", "type": "https"}]},
            "bouncer": {"collector": "https://example.org"}
        }"#;
        let built_in = Services::built_in().unwrap();
        let changed = built_in.clone().with(text).unwrap();
        assert_eq!((changed.features["torsf_enabled"], changed.features["new"]), (true, false));
        assert!(changed.features["webconnectivity_0.5"]);
        assert_eq!(changed.test_helpers["dns"], []);
        assert_eq!(changed.test_helpers["web-connectivity"].len(), 1);
        assert_eq!(changed.test_helpers["ssl"], built_in.test_helpers["ssl"]);
        assert_eq!(changed.collectors, built_in.collectors);
        assert_eq!(changed.bouncer.collector, "https://example.org");
        assert_eq!(changed.bouncer.test_helpers, built_in.bouncer.test_helpers);
        assert_eq!(built_in.clone().with("{}").unwrap(), built_in);
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, error) in [
            (
                "{\n\"features\": {\n\"torsf_enabled\": 1}}",
                "torsf_enabled: invalid type: integer `1`, expected a boolean at line 3 column 18",
            ),
            ("{\"collectors\": [{\"type\": \"x\"}]}", "type: missing field `address` at line 1 column 29"),
            (
                "{\"collectors\": [{\"address\": \"x:y\", \"type\": 5}]}",
                "type: invalid type: integer `5`, expected a string at line 1 column 44",
            ),
            ("[]", "an object is expected"),
            ("", "EOF while parsing a value at line 1 column 0"),
        ] {
            assert_eq!(Services::built_in().unwrap().with(text).unwrap_err(), error);
        }
        let unknown = Services::built_in().unwrap().with("{\"feature\": {}}").unwrap_err();
        assert!(unknown.starts_with("unknown field `feature`"), "{unknown}");
    }

    /// No text may cause a panic.
    #[test]
    fn keys_before_any_place() {
        for text in ["", ":", "\":", "\"\":", "é\":\"x\"", "\"é\": {\n\"a\" :1", "a\":"] {
            for line in 0..4 {
                for column in 0..12 {
                    key_before(text, line, column);
                }
            }
        }
        assert_eq!(key_before("{\"é\": {\n\"a\" :1", 2, 6), Some("a"));
    }
}
