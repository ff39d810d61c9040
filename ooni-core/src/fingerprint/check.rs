//! Finds suspicious entries of the lists, for their maintainers: entries that cannot match, or match twice. Every list that
//! loads is usable.

use super::body_index::Work;
use super::entry::{Fingerprint, PatternType};
use super::lists::Fingerprints;
use std::collections::HashMap;
use std::fmt;

/// A suspicious fingerprint, or two. `Display` writes one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A header fingerprint of a type that never matches without a repair.
    DeadHeader {
        /// Its name.
        name: String,
        /// Its type.
        pattern_type: PatternType,
    },
    /// A location that is not searched for its list.
    DeadLocation {
        /// `dns` or `http`.
        list: &'static str,
        /// Its name.
        name: String,
        /// The location.
        location_found: String,
    },
    /// A body pattern that is treated as literal text despite its type.
    SearchedAsText {
        /// Its name.
        name: String,
        /// Its type.
        pattern_type: PatternType,
    },
    /// The same location, type and pattern as an earlier fingerprint.
    Duplicate {
        /// `dns` or `http`.
        list: &'static str,
        /// The name of the later one.
        name: String,
        /// The name of the earlier one.
        of: String,
    },
    /// Every body that contains its pattern also contains another pattern.
    Contained {
        /// The name of the one with the longer pattern.
        name: String,
        /// The name of the other one, which matches whenever it does.
        by: String,
    },
    /// An empty pattern: it matches everything, or only empty values.
    EmptyPattern {
        /// `dns` or `http`.
        list: &'static str,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadHeader { name, pattern_type } => {
                write!(f, "http {name:?}: never matches: {pattern_type} patterns are not supported for headers")
            }
            Self::DeadLocation { list, name, location_found } => {
                write!(f, "{list} {name:?}: never matches: {location_found:?} is not searched")
            }
            Self::SearchedAsText { name, pattern_type } => {
                write!(f, "http {name:?}: its {pattern_type} pattern is treated as literal text")
            }
            Self::Duplicate { list, name, of } => {
                write!(f, "{list} {name:?}: same pattern as {of:?}")
            }
            Self::Contained { name, by } => {
                write!(f, "http {name:?}: its pattern contains the pattern of {by:?}")
            }
            Self::EmptyPattern { list, name } => write!(f, "{list} {name:?}: empty pattern"),
        }
    }
}

impl Fingerprints {
    /// Finds fingerprints that are suspicious under the rules `compat`, in list order, DNS first.
    #[must_use]
    pub fn self_test(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        check_each("dns", self.dns(), &mut findings);
        check_each("http", self.http(), &mut findings);
        self.check_contained(&mut findings);
        findings
    }

    fn check_contained(&self, findings: &mut Vec<Finding>) {
        let mut work = Work::default();
        for fingerprint in self.http().iter().filter(|fingerprint| fingerprint.location_found == "body") {
            for by in self.body.patterns_inside(&fingerprint.pattern, &mut work) {
                let by = &self.http()[by as usize];
                // An empty pattern occurs in every text, and has a finding of its own.
                if by.pattern != fingerprint.pattern && !by.pattern.is_empty() {
                    findings.push(Finding::Contained { name: fingerprint.name.clone(), by: by.name.clone() });
                }
            }
        }
    }
}

fn check_each(list: &'static str, fingerprints: &[Fingerprint], findings: &mut Vec<Finding>) {
    let mut first = HashMap::new();
    for fingerprint in fingerprints {
        let name = fingerprint.name.clone();
        let pattern_type = fingerprint.pattern_type;
        let is_dns = list == "dns";
        match (fingerprint.location_found.as_str(), pattern_type) {
            ("dns", _) if is_dns => {}
            ("body", PatternType::Contains) if !is_dns => {}
            ("body", _) if !is_dns => findings.push(Finding::SearchedAsText { name: name.clone(), pattern_type }),
            (header, _) if !is_dns && header.starts_with("header.") && header.to_lowercase() == header => {
                if matches!(pattern_type, PatternType::Contains | PatternType::Regexp) {
                    findings.push(Finding::DeadHeader { name: name.clone(), pattern_type });
                }
            }
            (location_found, _) => {
                let location_found = location_found.to_owned();
                findings.push(Finding::DeadLocation { list, name: name.clone(), location_found });
            }
        }
        if fingerprint.pattern.is_empty() {
            findings.push(Finding::EmptyPattern { list, name: name.clone() });
        }
        let key = (fingerprint.location_found.as_str(), pattern_type.as_str(), fingerprint.pattern.as_str());
        let of = *first.entry(key).or_insert(fingerprint.name.as_str());
        if of != fingerprint.name {
            findings.push(Finding::Duplicate { list, name, of: of.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    fn fingerprint(name: &str, location: &str, pattern_type: PatternType, pattern: &str) -> Fingerprint {
        Fingerprint {
            name: name.to_owned(),
            scope: Scope::Nat,
            other_names: String::new(),
            location_found: location.to_owned(),
            pattern_type,
            pattern: pattern.to_owned(),
            confidence_no_fp: 5,
            expected_countries: Vec::new(),
        }
    }

    #[test]
    fn each_finding() {
        use PatternType::{Contains, Full, Prefix, Regexp};
        let dns = vec![fingerprint("d1", "dns", Full, "1.1.1.1"), fingerprint("d2", "body", Full, "")];
        let http = vec![
            fingerprint("dead", "header.server", Contains, "x"),
            fingerprint("case", "header.Server", Prefix, "x"),
            fingerprint("dns", "dns", Full, "x"),
            fingerprint("live", "header.server", Prefix, "x"),
            fingerprint("short", "body", Contains, "pattern"),
            fingerprint("long", "body", Contains, "a pattern here"),
            fingerprint("again", "body", Contains, "pattern"),
            fingerprint("expr", "body", Regexp, "zzz.*y"),
            fingerprint("empty", "body", Contains, ""),
        ];
        let list = Fingerprints::new(dns, http, "").unwrap();
        let lines: Vec<String> = list.self_test().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                r#"dns "d2": never matches: "body" is not searched"#,
                r#"dns "d2": empty pattern"#,
                r#"http "dead": never matches: contains patterns are not supported for headers"#,
                r#"http "case": never matches: "header.Server" is not searched"#,
                r#"http "dns": never matches: "dns" is not searched"#,
                r#"http "again": same pattern as "short""#,
                r#"http "expr": its regexp pattern is treated as literal text"#,
                r#"http "empty": empty pattern"#,
                r#"http "long": its pattern contains the pattern of "short""#,
                r#"http "long": its pattern contains the pattern of "again""#,
            ]
        );
    }
}
