//! Templates: fixtures with placeholders where measurements differ.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::error::Error;
use super::json::Value;
use super::rng::{Weighted, power};
use super::urls::host_of;

/// The value of a placeholder; the discriminant is its index in [`Placeholder::NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    ReportId,
    Country,
    Network,
    Id,
    MeasurementStart,
    TestStart,
    Runtime,
    Url,
    Host,
    Address,
    /// The first HTTP body.
    Body,
    /// Every other HTTP body.
    OtherBody,
}

impl Placeholder {
    /// In a template's text, a placeholder is its name between `@@`.
    const NAMES: [(&str, Self); 12] = [
        ("RID", Self::ReportId),
        ("CC", Self::Country),
        ("ASN", Self::Network),
        ("ID", Self::Id),
        ("MST", Self::MeasurementStart),
        ("TST", Self::TestStart),
        ("RT", Self::Runtime),
        ("URL", Self::Url),
        ("HOST", Self::Host),
        ("IP", Self::Address),
        ("B0", Self::Body),
        ("B1", Self::OtherBody),
    ];
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Placeholder(Placeholder),
}

/// A fixture.
pub(super) struct Template {
    /// Name of the test, with underscores.
    pub(super) test: String,
    /// The input of the fixture, escaped, if it is text.
    pub(super) input: Option<String>,
    /// The number of HTTP bodies; only those of web_connectivity are counted and replaced.
    pub(super) bodies: usize,
    /// The measurement, with placeholders.
    pub(super) value: Value,
    pub(super) parts: Vec<Part>,
    weight: f64,
}

pub(super) const WEB_CONNECTIVITY: &str = "web_connectivity";

impl Template {
    /// `None` if the text is not a measurement.
    fn new(text: &str) -> Option<Self> {
        let mut msm = Value::parse(text)?;
        let test = match msm.get("test_name")?.as_text()? {
            "stun_reachability" => "stunreachability".to_owned(),
            other => other.to_owned(),
        };
        msm.set("test_name", Value::spelled(&test));
        let input = msm.get("input").and_then(Value::as_text).map(str::to_owned);
        for (key, placeholder) in [
            ("report_id", "@@RID@@"),
            ("probe_cc", "@@CC@@"),
            ("probe_asn", "@@ASN@@"),
            ("measurement_start_time", "@@MST@@"),
            ("test_start_time", "@@TST@@"),
        ] {
            msm.set(key, Value::spelled(placeholder));
        }
        if let Some(id) = msm.get_mut("id") {
            *id = Value::spelled("@@ID@@");
        }
        if let Some(Value::Bare(runtime)) = msm.get_mut("test_runtime")
            && runtime != "null"
        {
            *runtime = RUNTIME.into();
        }
        msm.remove("measurement_uid");
        let (mut bodies, mut host, mut address) = (0, String::new(), String::new());
        if test == WEB_CONNECTIVITY {
            let named = input.as_deref().and_then(host_of).unwrap_or("");
            host = named.split(':').next().unwrap_or("").to_owned();
            msm.set("input", Value::spelled("@@URL@@"));
            if let Some(test_keys) = msm.get_mut("test_keys") {
                bodies = mark_bodies(test_keys);
                address = first_address(test_keys).unwrap_or_default();
            }
        }
        let mut text = msm.dump();
        if host.len() >= 6 {
            text = text.replace(&host, "@@HOST@@");
        }
        if address.len() >= 7 {
            text = text.replace(&format!("\"{address}"), "\"@@IP@@");
        }
        // Small measurements are more common.
        let weight = power(5000.0 / text.len() as f64, 1.7).min(1.0);
        let value = Value::parse(&text)?;
        Some(Self { test, input, bodies, weight, parts: split(&value), value })
    }
}

/// Replaces the runtime placeholder until the text is split, because the placeholder would not be valid JSON.
const RUNTIME: &str = "0.987654321";

/// The text of a value, split at its placeholders.
pub(super) fn split(value: &Value) -> Vec<Part> {
    let text = value.dump().replace(RUNTIME, "@@RT@@");
    let (mut parts, mut rest) = (Vec::new(), text.as_str());
    let mut from = 0; // where in `rest` to look for the next placeholder
    while let Some(at) = rest[from..].find("@@").map(|at| from + at) {
        let found = Placeholder::NAMES.iter().find_map(|&(name, placeholder)| {
            let after = rest[at + 2..].strip_prefix(name)?.strip_prefix("@@")?;
            Some((placeholder, after))
        });
        match found {
            Some((placeholder, after)) => {
                parts.push(Part::Text(rest[..at].into()));
                parts.push(Part::Placeholder(placeholder));
                (rest, from) = (after, 0);
            }
            None => from = at + 1,
        }
    }
    parts.push(Part::Text(rest.into()));
    parts
}

/// Replaces existing HTTP bodies with placeholders, and counts them.
fn mark_bodies(test_keys: &mut Value) -> usize {
    let mut bodies = 0;
    let requests = test_keys.get_mut("requests").map(Value::items_mut).unwrap_or_default();
    for request in requests {
        let body = request.get_mut("response").and_then(|response| response.get_mut("body"));
        if let Some(Value::Text(body)) = body
            && !body.is_empty()
        {
            *body = if bodies == 0 { "@@B0@@" } else { "@@B1@@" }.into();
            bodies += 1;
        }
    }
    bodies
}

/// The first IPv4 address that DNS answered.
fn first_address(test_keys: &Value) -> Option<String> {
    let queries = test_keys.get("queries")?.items();
    let mut answers = queries.iter().filter_map(|query| query.get("answers")).flat_map(Value::items);
    answers.find_map(|answer| answer.get("ipv4")?.as_text().filter(|ip| !ip.is_empty()).map(str::to_owned))
}

/// Templates of one kind, with their weights.
pub(super) struct Group {
    templates: Vec<Template>,
    weights: Weighted,
}

impl Group {
    pub(super) fn new(templates: Vec<Template>) -> Self {
        let weights = Weighted::new(templates.iter().map(|t| t.weight));
        Self { templates, weights }
    }

    pub(super) fn pick(&self, rng: &mut super::rng::Rng) -> &Template {
        &self.templates[self.weights.draw(rng)]
    }

    pub(super) fn templates(&self) -> &[Template] {
        &self.templates
    }
}

/// The fixtures of a folder, sorted by name, without those that produce no row.
pub(super) fn load(folder: &Path) -> Result<Vec<Template>, Error> {
    let unusable = without_row(&folder.join("expected.jsonl"))?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let name = entry.map_err(Error::io(folder))?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.ends_with(".json"))
            && !unusable.contains(name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    let mut templates = Vec::new();
    for name in names {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        templates.extend(std::str::from_utf8(&bytes).ok().and_then(Template::new));
    }
    Ok(templates)
}

/// Fixtures without a row in the expectations beside them; none if there are no expectations.
fn without_row(path: &Path) -> Result<BTreeSet<String>, Error> {
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let cases = text.lines().filter_map(Value::parse).filter(|case| case.get("row").is_none());
    Ok(cases.filter_map(|case| Some(case.get("file")?.as_text()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_in_order() {
        let template = Template::new(
            r#"{"test_name":"web_connectivity","input":"http://site.example/a","test_runtime":2,"z":"@@no@@ site.example",
                "test_keys":{"queries":[{"answers":[{"ipv4":"192.0.2.1"}]}],"requests":[{"response":{"body":"x"}},{"response":{"body":"y"}}]}}"#,
        )
        .unwrap();
        let text: String = template
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Placeholder(placeholder) => format!("<{placeholder:?}>"),
            })
            .collect();
        assert_eq!(
            text,
            r#"{"test_name":"web_connectivity","input":"<Url>","test_runtime":<Runtime>,"z":"@@no@@ <Host>","test_keys":{"queries":[{"answers":[{"ipv4":"<Address>"}]}],"requests":[{"response":{"body":"<Body>"}},{"response":{"body":"<OtherBody>"}}]},"report_id":"<ReportId>","probe_cc":"<Country>","probe_asn":"<Network>","measurement_start_time":"<MeasurementStart>","test_start_time":"<TestStart>"}"#
        );
        assert_eq!(template.bodies, 2);
    }

    #[test]
    fn not_a_measurement() {
        for text in ["", "[]", "{}", r#"{"test_name":3}"#] {
            assert!(Template::new(text).is_none(), "{text}");
        }
    }
}
