//! Real blocking fingerprints, and measurements that contain them.

use std::path::Path;

use serde::Deserialize;

use super::error::Error;
use super::json::Value;
use super::rng::Rng;
use super::templates::Template;

/// The relevant columns of a list entry.
#[derive(Deserialize)]
pub(super) struct Fingerprint {
    location_found: String,
    pub(super) pattern: String,
    expected_countries: String,
}

impl Fingerprint {
    pub(super) fn is_in_body(&self) -> bool {
        self.location_found == "body"
    }

    /// Indexes in `countries` of its expected countries.
    pub(super) fn countries(&self, countries: &[&str]) -> Vec<usize> {
        let expected = self.expected_countries.to_uppercase();
        let place = |cc: &str| countries.iter().position(|&known| known == cc.trim());
        expected.split(',').filter_map(place).collect()
    }
}

/// Both lists.
pub(super) struct Fingerprints {
    dns: Vec<Fingerprint>,
    http: Vec<Fingerprint>,
}

impl Fingerprints {
    pub(super) fn load(folder: &Path) -> Result<Self, Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            csv::Reader::from_path(&path)
                .and_then(|mut reader| reader.deserialize().collect())
                .map_err(|source| Error::Csv { path, source })
        };
        Ok(Self { dns: read("fingerprints_dns.csv")?, http: read("fingerprints_http.csv")? })
    }

    /// A fingerprint for a template: DNS if it has no bodies, else HTTP in two of three cases.
    pub(super) fn pick(&self, rng: &mut Rng, template: &Template) -> Option<&Fingerprint> {
        let dns = rng.chance(0.35) || template.bodies == 0;
        let (first, second) = if dns { (&self.dns, &self.http) } else { (&self.http, &self.dns) };
        let list = if first.is_empty() { second } else { first };
        (!list.is_empty()).then(|| rng.pick(list))
    }
}

/// The measurement of a template, with a fingerprint in its DNS answers or headers. Body fingerprints are inserted when
/// the body is generated.
pub(super) fn with_fingerprint(template: &Template, fingerprint: &Fingerprint, rng: &mut Rng) -> Value {
    let mut msm = template.value.clone();
    if msm.get("test_keys").is_none_or(|test_keys| test_keys.as_object().is_none()) {
        msm.set("test_keys", Value::object([]));
    }
    let Some(test_keys) = msm.get_mut("test_keys") else {
        return msm;
    };
    let blocking = if fingerprint.location_found == "dns" {
        into_answers(test_keys, fingerprint);
        "dns"
    } else {
        if let Some(name) = fingerprint.location_found.strip_prefix("header.") {
            let name = if rng.chance(0.7) { title(name) } else { name.to_owned() };
            into_headers(test_keys, &name, &fingerprint.pattern);
        }
        "http-diff"
    };
    test_keys.set("blocking", Value::spelled(blocking));
    test_keys.set("accessible", Value::bool(false));
    msm
}

fn into_answers(test_keys: &mut Value, fingerprint: &Fingerprint) {
    let answer = Value::object([
        ("answer_type", Value::spelled("A")),
        ("ipv4", Value::text(&fingerprint.pattern)),
        ("ttl", Value::null()),
    ]);
    let queries = test_keys.get_mut("queries").map(Value::items_mut).unwrap_or_default();
    match queries.iter_mut().find(|query| query.as_object().is_some()) {
        Some(query) => {
            query.set("failure", Value::null());
            query.set("answers", Value::List(vec![answer]));
        }
        None => {
            let query = Value::object([
                ("answers", Value::List(vec![answer])),
                ("failure", Value::null()),
                ("hostname", Value::spelled("@@HOST@@")),
                ("query_type", Value::spelled("A")),
                ("engine", Value::spelled("system")),
            ]);
            test_keys.set("queries", Value::List(vec![query]));
        }
    }
}

/// Inserts a header into the first response.
fn into_headers(test_keys: &mut Value, name: &str, pattern: &str) {
    let requests = test_keys.get_mut("requests").map(Value::items_mut).unwrap_or_default();
    let mut responses = requests.iter_mut().filter_map(|request| request.get_mut("response"));
    let Some(response) = responses.find(|response| response.as_object().is_some()) else {
        return;
    };
    if response.get("headers").is_none() {
        response.set("headers", Value::object([]));
    }
    if let Some(headers) = response.get_mut("headers") {
        headers.set(name, Value::text(pattern));
    }
    if let Some(Value::List(list)) = response.get_mut("headers_list") {
        list.push(Value::List(vec![Value::spelled(name), Value::text(pattern)]));
    }
}

/// `x-squid-error` → `X-Squid-Error`
fn title(name: &str) -> String {
    let mut start = true;
    let upper = |c: char| {
        let out = if start { c.to_ascii_uppercase() } else { c };
        start = !c.is_ascii_alphabetic();
        out
    };
    name.chars().map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_countries() {
        assert_eq!(title("x-squid-error"), "X-Squid-Error");
        let fingerprint = Fingerprint {
            location_found: "dns".into(),
            pattern: String::new(),
            expected_countries: "it, RU,XX".into(),
        };
        assert_eq!(fingerprint.countries(&["RU", "DE", "IT"]), [2, 0]);
    }
}
