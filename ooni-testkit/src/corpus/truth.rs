//! The expected outcome of every measurement of an archive, one JSON line each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ooni_core::time::DateTime;

use super::hashes;
use super::json::Value;

/// The fields that identify a measurement, as JSON text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    /// In the order of [`NAMES`].
    pub(super) fields: [String; 6],
}

const NAMES: [&str; 6] = ["test_name", "probe_cc", "probe_asn", "measurement_start_time", "report_id", "input"];

impl Identity {
    /// The identity of a measurement; missing fields are `null`.
    pub(super) fn of(msm: &Value) -> Self {
        Self { fields: NAMES.map(|name| msm.get(name).map_or_else(|| "null".into(), Value::dump)) }
    }

    /// The day of the start, if it is a valid time.
    pub(super) fn day(&self) -> Option<String> {
        let start = DateTime::parse(self.fields[3].trim_matches('"').as_bytes())?;
        Some(start.date_text().replace('-', ""))
    }
}

/// The expected outcome of a can's entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// It is read, and scored.
    Read(Identity),
    /// It cannot be read, with a short reason.
    Rejected(&'static str),
}

pub(super) const NO_JSON: Expected = Expected::Rejected("not JSON");
pub(super) const NO_OBJECT: Expected = Expected::Rejected("not an object");

impl Expected {
    /// The outcome of a stored text; `None` if it cannot be parsed.
    pub(super) fn of(stored: Option<&[u8]>) -> Self {
        let Some(text) = stored.and_then(|stored| std::str::from_utf8(stored).ok()) else { return NO_JSON };
        match Value::parse(text) {
            Some(msm @ Value::Object(_)) => Self::Read(Identity::of(&msm)),
            _ => NO_OBJECT,
        }
    }

    /// The uid of an entry whose only uid is derived from its bytes.
    pub(super) fn uid(&self, raw: &[u8]) -> Option<String> {
        match self {
            Self::Read(identity) => Some(hashes::of_entry(raw, identity.day().as_deref())),
            Self::Rejected(_) => None,
        }
    }
}

/// An entry of a can: a member, line, or YAML document after the first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) uid: Option<String>,
    pub(super) expected: Expected,
}

impl Entry {
    /// Its name in summaries.
    pub(super) fn kind(&self) -> &'static str {
        match self.expected {
            Expected::Read(_) => "yaml",
            Expected::Rejected(_) => "broken yaml",
        }
    }
}

/// A can, and the key under which the table `jsonl` locates its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) can: &'a str,
    pub(super) body_key: &'a str,
}

impl<'a> Place<'a> {
    /// A can that contains its bodies.
    pub(super) fn own(can: &'a str) -> Self {
        Self { can, body_key: can }
    }
}

/// The truth file. Lines are kept in memory until the cans being written are finished, and are then sorted by key.
pub(super) struct Truth {
    out: BufWriter<File>,
    cans: BTreeMap<String, Lines>,
}

#[derive(Default)]
struct Lines {
    count: u64,
    text: String,
}

impl Truth {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), cans: BTreeMap::new() })
    }

    /// Adds the next entry of a can.
    pub(super) fn add(&mut self, place: &Place<'_>, entry: &Entry) {
        if !self.cans.contains_key(place.can) {
            self.cans.insert(place.can.to_owned(), Lines::default());
        }
        let Some(lines) = self.cans.get_mut(place.can) else { return };
        let (count, text) = (lines.count, &mut lines.text);
        lines.count += 1;
        text.extend(["{\"can\":\"", place.can, "\",\"place\":", &count.to_string(), ",\"uid\":"]);
        match &entry.uid {
            Some(uid) => text.extend(["\"", uid, "\""]),
            None => text.push_str("null"),
        }
        match &entry.expected {
            Expected::Read(identity) => {
                text.push_str(",\"outcome\":\"read\"");
                for (name, value) in NAMES.iter().zip(&identity.fields) {
                    text.extend([",\"", name, "\":", value]);
                }
                text.extend([",\"body_key\":\"", place.body_key, "\",\"linenum\":", &count.to_string()]);
            }
            Expected::Rejected(why) => text.extend([",\"outcome\":\"rejected\",\"why\":\"", why, "\""]),
        }
        text.push_str("}\n");
    }

    /// Whether the can has unwritten lines.
    pub(super) fn has(&self, can: &str) -> bool {
        self.cans.contains_key(can)
    }

    /// Writes the kept lines. Cans that are added later must have greater keys.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        for lines in std::mem::take(&mut self.cans).into_values() {
            self.out.write_all(lines.text.as_bytes())?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_outcomes() {
        let stored =
            br#"{"probe_cc":"XX","measurement_start_time":"2020-01-02 03:04:05","input":["a\/b"],"probe_cc":"IT"}"#;
        let expected = Expected::of(Some(stored));
        let Expected::Read(identity) = &expected else { panic!("{expected:?}") };
        assert_eq!(identity.fields[1], "\"IT\"");
        assert_eq!(identity.fields[5], "[\"a\\/b\"]");
        assert_eq!(identity.fields[0], "null");
        assert!(expected.uid(stored).unwrap().starts_with("0120200102"));
        assert_eq!((Expected::of(Some(b"5")), Expected::of(None)), (NO_OBJECT, NO_JSON));
        assert_eq!(NO_JSON.uid(b"{"), None);
    }
}
