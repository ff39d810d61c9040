//! Requests to check in (API spec §5.1): what a probe says about itself, and where it is.

use super::body::{Body, Unusable};
use super::metrics::ProbeMetrics;
use super::report_id::parse_asn;
use crate::geo::Geolocation;
use serde_json::Value;

/// URLs for a run that the user started.
const MANUAL: usize = 9999;
/// URLs for a run by schedule while the device is charging, and while it is not.
const CHARGING: usize = 100;
const ON_BATTERY: usize = 20;

/// A request to check in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIn {
    /// The country that the probe claims, in upper case.
    probe_cc: String,
    /// The network that the probe claims, such as `AS3269`.
    probe_asn: String,
    /// How many URLs it gets.
    pub limit: usize,
    /// The categories of the URLs; all if there are none.
    pub categories: Vec<String>,
}

impl CheckIn {
    /// Reads a request.
    ///
    /// # Errors
    /// A member has the wrong type, or a category that is not letters.
    pub fn read(body: &Body) -> Result<CheckIn, Unusable> {
        for key in ["platform", "software_name", "software_version"] {
            body.text(key)?;
        }
        body.boolean("on_wifi")?;
        let limit = match body.text("run_type")? {
            Some("manual") => MANUAL,
            _ if body.boolean("charging")?.unwrap_or(true) => CHARGING,
            _ => ON_BATTERY,
        };
        Ok(CheckIn {
            probe_cc: body.text("probe_cc")?.unwrap_or("ZZ").to_uppercase(),
            probe_asn: body.text("probe_asn")?.unwrap_or("AS0").to_owned(),
            limit,
            categories: categories(body.get("web_connectivity"))?,
        })
    }

    /// The country and the network for which the probe gets URLs and report ids: what it claims, unless it knows neither.
    /// Behind a circumvention tool its address is somewhere else.
    ///
    /// # Errors
    /// A country that is not two letters, or a network that is not `AS` and a number.
    pub fn location(&self, found: &Geolocation) -> Result<(String, u32), Unusable> {
        if self.is_unknown() {
            return Ok((found.cc_or_zz().to_owned(), found.asn_or_0()));
        }
        let is_country = self.probe_cc.len() == 2 && self.probe_cc.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_country {
            return Err(unusable("probe_cc: two letters are expected"));
        }
        let asn = self.probe_asn.strip_prefix("AS").and_then(parse_asn);
        let asn = asn.ok_or_else(|| unusable("probe_asn: AS and a number are expected"))?;
        Ok((self.probe_cc.clone(), asn))
    }

    /// Counts whether the address is known, and whether it is where the probe claims to be.
    pub fn count(&self, found: &Geolocation, metrics: &ProbeMetrics) {
        match found.is_unknown() {
            true => metrics.address_not_found.inc(),
            false => metrics.address_found.with_label_values(&[found.cc_or_zz()]).inc(),
        }
        if self.probe_cc != "ZZ" && found.cc.as_ref().is_some_and(|cc| *cc != self.probe_cc) {
            metrics.cc_differs.inc();
        }
        if self.probe_asn != "AS0" && found.asn.is_some_and(|asn| format!("AS{asn}") != self.probe_asn) {
            metrics.asn_differs.inc();
        }
    }

    fn is_unknown(&self) -> bool {
        self.probe_cc == "ZZ" && self.probe_asn == "AS0"
    }
}

fn unusable(sentence: &str) -> Unusable {
    Unusable(sentence.to_owned())
}

/// The categories in `web_connectivity`: a list of texts, or one text with commas. Empty ones are left out.
fn categories(web_connectivity: Option<&Value>) -> Result<Vec<String>, Unusable> {
    let refused = || unusable("category_codes: a list of texts is expected");
    let codes = match web_connectivity {
        None | Some(Value::Null) => None,
        Some(Value::Object(object)) => object.get("category_codes"),
        Some(_) => return Err(unusable("web_connectivity: an object is expected")),
    };
    let codes: Vec<&str> = match codes {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(codes)) => codes.split(',').collect(),
        Some(Value::Array(codes)) => codes.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(refused)?,
        Some(_) => return Err(refused()),
    };
    let codes: Vec<&str> = codes.into_iter().filter(|code| !code.is_empty()).collect();
    match codes.iter().all(|code| code.chars().all(char::is_alphabetic)) {
        true => Ok(codes.into_iter().map(str::to_owned).collect()),
        false => Err(unusable("category_codes: letters are expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<CheckIn, Unusable> {
        CheckIn::read(&Body::from(body.as_object().unwrap().clone()))
    }

    fn error(result: Result<impl std::fmt::Debug, Unusable>) -> String {
        result.unwrap_err().0
    }

    #[test]
    fn number_of_urls() {
        for (body, limit) in [
            (json!({}), 100),
            (json!({"charging": true}), 100),
            (json!({"charging": false}), 20),
            (json!({"run_type": "timed", "charging": false}), 20),
            (json!({"run_type": "manual", "charging": false}), 9999),
            (json!({"run_type": "other"}), 100),
        ] {
            assert_eq!(read(body.clone()).unwrap().limit, limit, "{body}");
        }
    }

    #[test]
    fn categories_of_all_probes() {
        let of = |codes: Value| read(json!({"web_connectivity": {"category_codes": codes}}));
        for (codes, expected) in [
            (json!([]), &[][..]),
            (json!(null), &[]),
            (json!(""), &[]),
            (json!(["NEWS", "", "news"]), &["NEWS", "news"]),
            (json!("NEWS,,HUMR,"), &["NEWS", "HUMR"]),
        ] {
            assert_eq!(of(codes.clone()).unwrap().categories, expected, "{codes}");
        }
        assert_eq!(read(json!({"web_connectivity": null})).unwrap().categories, [""; 0]);
        for (codes, sentence) in [
            (json!(["N3WS"]), "category_codes: letters are expected"),
            (json!("NEWS, HUMR"), "category_codes: letters are expected"),
            (json!([5]), "category_codes: a list of texts is expected"),
            (json!({}), "category_codes: a list of texts is expected"),
            (json!(5), "category_codes: a list of texts is expected"),
        ] {
            assert_eq!(error(of(codes)), sentence);
        }
        assert_eq!(error(read(json!({"web_connectivity": []}))), "web_connectivity: an object is expected");
    }

    #[test]
    fn members_of_the_wrong_type() {
        for key in ["probe_cc", "probe_asn", "platform", "software_name", "software_version", "run_type"] {
            for value in [json!(1), json!(null), json!([]), json!({}), json!(true)] {
                assert_eq!(error(read(json!({key: value}))), format!("{key}: a text is expected"));
            }
        }
        for key in ["on_wifi", "charging"] {
            assert_eq!(error(read(json!({key: "true"}))), format!("{key}: true or false is expected"));
        }
    }

    #[test]
    fn location() {
        let found = Geolocation { cc: Some("SE".into()), asn: None, network_name: None };
        let of = |cc: &str, asn: &str| read(json!({"probe_cc": cc, "probe_asn": asn})).unwrap().location(&found);
        assert_eq!(of("ZZ", "AS0").unwrap(), ("SE".to_owned(), 0));
        assert_eq!(of("zz", "AS0").unwrap(), ("SE".to_owned(), 0));
        assert_eq!(of("ZZ", "AS1").unwrap(), ("ZZ".to_owned(), 1));
        assert_eq!(of("it", "AS0").unwrap(), ("IT".to_owned(), 0));
        for (cc, asn, sentence) in [
            ("ITA", "AS1", "probe_cc: two letters are expected"),
            ("", "AS1", "probe_cc: two letters are expected"),
            ("I1", "AS1", "probe_cc: two letters are expected"),
            ("é", "AS1", "probe_cc: two letters are expected"),
            ("IT", "as1", "probe_asn: AS and a number are expected"),
            ("IT", "1", "probe_asn: AS and a number are expected"),
            ("IT", "AS", "probe_asn: AS and a number are expected"),
            ("IT", "AS-1", "probe_asn: AS and a number are expected"),
            ("IT", "AS4294967296", "probe_asn: AS and a number are expected"),
        ] {
            assert_eq!(error(of(cc, asn)), sentence, "{cc} {asn}");
        }
    }
}
