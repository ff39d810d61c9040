//! [`Scores`]: the result of a nettest's rule, in the order in which its keys were set.

use crate::json::{Json, write_json, write_key};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The scores of one measurement, an ordered object (scoring spec §5.1, §7).
///
/// Most tests begin with five floats, `blocking_general`, `blocking_global`, `blocking_country`, `blocking_isp` and
/// `blocking_local`: 0.0 means no sign of blocking; some tests add 0.5 or 1.0 for each failed check, so `blocking_general`
/// can exceed 1.0. `accuracy` below 0.5 means that the measurement itself failed. A key that is set again keeps its
/// position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(Vec<(Cow<'static, str>, Json)>);

/// The general score, which decides whether a measurement is an anomaly.
pub const BLOCKING_GENERAL: &str = "blocking_general";
/// The score of worldwide blocking.
pub const BLOCKING_GLOBAL: &str = "blocking_global";
/// The score of nationwide blocking.
pub const BLOCKING_COUNTRY: &str = "blocking_country";
/// The score of blocking by the network operator.
pub const BLOCKING_ISP: &str = "blocking_isp";
/// The score of blocking in the probe's own local network.
pub const BLOCKING_LOCAL: &str = "blocking_local";

impl Scores {
    /// No scores, `{}`, for tests that are not scored.
    pub fn empty() -> Scores {
        Scores::default()
    }

    /// The five blocking scores, all 0.0.
    pub fn initial() -> Scores {
        let mut entries = Vec::with_capacity(8);
        for key in [BLOCKING_GENERAL, BLOCKING_GLOBAL, BLOCKING_COUNTRY, BLOCKING_ISP, BLOCKING_LOCAL] {
            entries.push((Cow::Borrowed(key), Json::Float(0.0)));
        }
        Scores(entries)
    }

    /// The initial scores with `accuracy` 0.0, for a measurement that failed.
    pub fn failed() -> Scores {
        let mut scores = Scores::initial();
        scores.inaccurate();
        scores
    }

    /// Sets a key: in place if it exists, otherwise after all others.
    pub fn set(&mut self, key: &'static str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Borrowed(key), value)),
        }
    }

    /// Sets `blocking_general`.
    pub fn block(&mut self, score: f64) {
        self.set(BLOCKING_GENERAL, score);
    }

    /// Sets `accuracy` to 0.0.
    pub fn inaccurate(&mut self) {
        self.set("accuracy", 0.0);
    }

    /// Whether the scores contain a value that JSON cannot represent. The reference cannot write such scores.
    pub(crate) fn has_foreign(&self) -> bool {
        self.0.iter().any(|(_, value)| value.has_foreign())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// One of the blocking scores; 0.0 when it is not set.
    pub fn blocking(&self, key: &str) -> f64 {
        self.get(key).and_then(Json::as_f64).unwrap_or(0.0)
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Whether `blocking_general` is greater than 0.5 (scoring spec §9).
    pub fn is_anomaly(&self) -> bool {
        self.blocking(BLOCKING_GENERAL) > 0.5
    }

    /// Whether `accuracy` is less than 0.5 (scoring spec §9).
    pub fn is_failure(&self) -> bool {
        self.get("accuracy").and_then(Json::as_f64).unwrap_or(1.0) < 0.5
    }

    /// Whether a fingerprint confirmed the blocking (scoring spec §9).
    pub fn is_confirmed(&self) -> bool {
        matches!(self.get("confirmed"), Some(Json::Bool(true)))
    }

    /// The kind of blocking that `web_connectivity` found: `dns`, `tcp_ip`, `http-diff` or `http-failure`.
    pub fn blocking_type(&self) -> Option<&Json> {
        self.get("analysis")?.get("blocking_type")
    }

    /// Appends the JSON object in the reference's form (scoring spec §14).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (key, value) in self.entries() {
            write_key(key, out);
            write_json(value, out);
        }
        out.push(b'}');
    }

    /// The JSON object in the reference's form, which is ASCII.
    pub fn to_json_text(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries())
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scores, D::Error> {
        deserializer.deserialize_map(ScoresVisitor)
    }
}

struct ScoresVisitor;

impl<'de> Visitor<'de> for ScoresVisitor {
    type Value = Scores;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of scores")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scores, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            entries.push((Cow::Owned(key), value));
        }
        Ok(Scores(entries))
    }
}
