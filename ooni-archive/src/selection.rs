//! [`Selection`]: days, countries and tests of the archive.

use crate::day::DayRange;
use std::collections::BTreeSet;

/// Days, countries and tests to read. An empty set selects all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Days of upload.
    pub days: DayRange,
    /// Countries in upper case.
    pub ccs: BTreeSet<String>,
    /// Tests in lower case, without underscores.
    pub testnames: BTreeSet<String>,
}

impl Selection {
    /// Whether a country and a test are selected; `None` if that depends on one that is unknown.
    pub fn takes(&self, cc: Option<&str>, testname: Option<&str>) -> Option<bool> {
        let known = |set: &BTreeSet<String>, value: Option<&str>| match value {
            _ if set.is_empty() => Some(true),
            value => value.map(|value| set.contains(value)),
        };
        match (known(&self.ccs, cc), known(&self.testnames, testname)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    /// Whether a measurement with this content is selected.
    pub fn takes_measurement(&self, cc: &str, test_name: &str) -> bool {
        let (cc, testname) = (cc.to_ascii_uppercase(), plain_testname(test_name));
        self.takes(Some(&cc), Some(&testname)) == Some(true)
    }
}

/// A test's name normalized for comparison: in lower case, without underscores.
pub fn plain_testname(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Parses a country code.
///
/// # Errors
/// A sentence, for anything but two letters or digits. Geolocation databases have codes with a digit, such as `A1`.
pub fn parse_cc(text: &str) -> Result<String, String> {
    let cc = text.trim().to_ascii_uppercase();
    if cc.len() == 2 && cc.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
        return Ok(cc);
    }
    Err("expected a country code of two letters, such as IT".to_owned())
}

/// Parses the name of a test, with or without underscores.
///
/// # Errors
/// A sentence, for what cannot be the name of a test.
pub fn parse_testname(text: &str) -> Result<String, String> {
    let name = plain_testname(text.trim());
    // A name is a part of a key, and so of the path of a file.
    if !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-') {
        return Ok(name);
    }
    Err("expected a test name of letters, digits, _ and -, such as web_connectivity".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        let days = DayRange { start: "2021-01-01".parse().unwrap(), end: "2021-01-02".parse().unwrap() };
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let wanted = |ccs: &[&str], tests: &[&str]| Selection { days, ccs: set(ccs), testnames: set(tests) };
        let (all, cc, test) = (wanted(&[], &[]), wanted(&["IT"], &[]), wanted(&[], &["webconnectivity"]));
        let both = wanted(&["IT", "US"], &["webconnectivity"]);
        for (wanted, cc, testname, takes) in [
            (&all, None, None, Some(true)),
            (&cc, Some("IT"), None, Some(true)),
            (&cc, Some("US"), None, Some(false)),
            (&cc, None, Some("ndt"), None),
            (&test, None, Some("ndt"), Some(false)),
            (&test, Some("IT"), None, None),
            (&both, None, Some("ndt"), Some(false)),
            (&both, None, Some("webconnectivity"), None),
            (&both, Some("FR"), None, Some(false)),
            (&both, Some("US"), Some("webconnectivity"), Some(true)),
        ] {
            assert_eq!(wanted.takes(cc, testname), takes, "{wanted:?} {cc:?} {testname:?}");
        }
        assert!(both.takes_measurement("it", "web_connectivity") && !both.takes_measurement("IT", "ndt"));
    }

    #[test]
    fn names() {
        assert_eq!(parse_cc(" it "), Ok("IT".to_owned()));
        assert_eq!(parse_cc("a1"), Ok("A1".to_owned()));
        assert_eq!(parse_testname(" Web_Connectivity"), Ok("webconnectivity".to_owned()));
        for text in ["", "I", "ITA", "I-", "İ"] {
            assert!(parse_cc(text).is_err(), "{text:?}");
        }
        for text in ["", "_", "a/b", "..", "web connectivity"] {
            assert!(parse_testname(text).is_err(), "{text:?}");
        }
    }
}
