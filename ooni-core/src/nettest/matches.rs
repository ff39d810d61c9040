//! Finds fingerprints of blocking in a measurement and determines what they confirm (scoring spec §5.4, §6).
//!
//! `fingerprint` searches one value; this module selects the values of a measurement.

use super::context::Context;
use super::shared::object;
use crate::base64::{self, Base64Error};
use crate::error::{Code, Error};
use crate::fingerprint::{
    Body, BodyRules, ConfirmedBy, Fingerprint, Fingerprints, Header, HeaderMatch, PatternType, Scratch, locality,
};
use crate::json::{Json, Kind, Value, push_code_point};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python::is_truthy;
use crate::rules::{Repair, Rules};
use crate::scores::{BLOCKING_COUNTRY, BLOCKING_GENERAL, BLOCKING_ISP, BLOCKING_LOCAL, Scores};
use crate::text::upper;
use crate::trace::{Found, HasPath};
use std::borrow::Cow;

/// A fingerprint that was found in a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Match<'c> {
    /// The fingerprint.
    pub fingerprint: &'c Fingerprint,
    /// The answer, body or header in which it was found.
    pub place: Value<'c>,
}

/// Finds all fingerprints in a `web_connectivity` measurement, in the order of scoring spec §6.2.
///
/// A fingerprint is listed once for each answer, body or header in which it occurs.
///
/// # Errors
/// Fields of kinds that cannot be searched; with [`Rules::Compat`] also bodies and headers that cannot be decoded.
pub fn match_fingerprints<'c>(
    measurement: Measurement<'c>,
    fingerprints: &'c Fingerprints,
    rules: Rules,
) -> Result<Vec<Match<'c>>, Error> {
    let context = Context::new(measurement, fingerprints, rules.repairs(), Scratch::default(), None);
    let mut search = Search::new(&context);
    search.measurement()?;
    Ok(search.matches)
}

impl Match<'_> {
    /// The fingerprint in scores (scoring spec §6.4).
    pub fn to_json(&self) -> Json {
        let Fingerprint { name, scope, location_found, confidence_no_fp, expected_countries, .. } = self.fingerprint;
        let countries = expected_countries.iter().map(|country| Json::from(country.as_str())).collect();
        Json::object([
            ("name", Json::from(name.as_str())),
            ("scope", Json::from(scope.as_str())),
            ("location_found", Json::from(location_found.as_str())),
            ("confidence_no_fp", Json::Int(Int::Small(i64::from(*confidence_no_fp)))),
            ("expected_countries", Json::Array(countries)),
        ])
    }
}

/// A search for fingerprints and its results.
pub(super) struct Search<'x, 'c> {
    context: &'x Context<'c>,
    pub(super) matches: Vec<Match<'c>>,
    /// A body or header was skipped because it cannot be decoded; only with [`Repair::BadBase64`].
    pub(super) skipped: bool,
}

impl<'x, 'c> Search<'x, 'c> {
    pub(super) fn new(context: &'x Context<'c>) -> Search<'x, 'c> {
        Search { context, matches: Vec::new(), skipped: false }
    }

    /// DNS answers, then bodies and headers, of `web_connectivity`.
    pub(super) fn measurement(&mut self) -> Result<(), Error> {
        self.context.field("probe_cc").required()?;
        let tk = self.context.test_keys();
        for query in tk.get("queries")?.objects()? {
            self.answers(query?.field("answers").if_null(Value::EMPTY_ARRAY))?;
        }
        for request in tk.field("requests").objects()? {
            let response = request?.field("response").value();
            if !response.is_null() {
                self.response(response)?;
            }
        }
        Ok(())
    }

    /// Body and headers of one response.
    pub(super) fn response(&mut self, response: Value<'c>) -> Result<(), Error> {
        object(response)?;
        self.body(response.field("body").value())?;
        self.headers(response.field("headers").if_null(Value::EMPTY_OBJECT))
    }

    fn found(&mut self, fingerprint: &'c Fingerprint, place: Value<'c>, offsets: &[usize]) {
        self.matches.push(Match { fingerprint, place });
        if let Some(trace) = self.context.trace {
            trace.found.borrow_mut().push(self.explained(fingerprint, place, offsets));
        }
    }

    fn explained(&self, fingerprint: &Fingerprint, place: Value<'c>, offsets: &[usize]) -> Found {
        let cc = country(self.context).unwrap_or_default();
        let by = fingerprint.confirmed_by(&String::from_utf8_lossy(&cc));
        let why = match by {
            Some(ConfirmedBy::Country) => format!("expected in {}", String::from_utf8_lossy(&cc)),
            Some(ConfirmedBy::Scope(scope)) => format!("scope {} confirms in every country", scope.as_str()),
            None if fingerprint.expected_countries.is_empty() => "expected in no country".to_owned(),
            None => format!("expected in {} only", fingerprint.expected_countries.join(", ")),
        };
        Found {
            name: fingerprint.name.clone(),
            scope: fingerprint.scope.as_str().to_owned(),
            location_found: fingerprint.location_found.clone(),
            pattern_type: fingerprint.pattern_type.as_str().to_owned(),
            pattern: fingerprint.pattern.clone(),
            path: place.reading().path,
            offset: offsets.first().copied().unwrap_or(0),
            also_at: offsets.get(1..).unwrap_or_default().to_vec(),
            confirmed: by.is_some(),
            why,
        }
    }

    /// The answers of one query, which may have any kind that Python iterates over.
    fn answers(&mut self, answers: Value<'c>) -> Result<(), Error> {
        match answers.kind() {
            Kind::Array => answers.elements().try_for_each(|answer| self.answer(answer)),
            // Its keys, which are strings.
            Kind::Object => answers.members().try_for_each(|(key, _)| self.answer(key)),
            // Its characters, which are too short to contain the key of an address, so each counts as an empty answer.
            Kind::Text => {
                let characters = answers.text().map_or(0, |text| crate::text::chars(&text).count());
                (0..characters).for_each(|_| self.address(b"", answers));
                Ok(())
            }
            _ => Err(answers.wrong_kind("a list of answers")),
        }
    }

    fn answer(&mut self, answer: Value<'c>) -> Result<(), Error> {
        const ADDRESSES: [&str; 3] = ["ipv4", "hostname", "ipv6"];
        if self.context.fingerprints.dns().is_empty() {
            return Ok(());
        }
        if answer.is_object() {
            match ADDRESSES.iter().find_map(|key| answer.field(key).found()) {
                Some(address) => {
                    if let Some(text) = address.text() {
                        self.address(&text, address);
                    }
                }
                None => self.address(b"", answer),
            }
            return Ok(());
        }
        for key in ADDRESSES {
            if crate::python::contains(answer, key)? {
                return Err(answer.wrong_kind("an object"));
            }
        }
        self.address(b"", answer);
        Ok(())
    }

    fn address(&mut self, address: &[u8], place: Value<'c>) {
        let fingerprints = self.context.fingerprints;
        for &index in fingerprints.dns_matches(address) {
            self.found(&fingerprints.dns()[index as usize], place, &[0]);
        }
    }

    /// A body: text, or base64 in an object (scoring spec §6.3).
    fn body(&mut self, body: Value<'c>) -> Result<(), Error> {
        let fingerprints = self.context.fingerprints;
        match body.kind() {
            Kind::Null => Ok(()),
            Kind::Text => {
                if let Some((raw, spelling)) = body.raw_text() {
                    self.search(Body::Raw { raw, spelling }, body);
                }
                Ok(())
            }
            Kind::Object => {
                let data = body.field("data");
                if data.is_missing() || !body.field("format").value().is_text("base64") {
                    return Ok(());
                }
                if let Some(bytes) = self.decoded(data.value())? {
                    self.search(Body::Bytes(&bytes), data.value());
                }
                Ok(())
            }
            _ if fingerprints.has_body_fingerprints() => Err(body.wrong_kind("a string or object")),
            _ => Ok(()),
        }
    }

    fn search(&mut self, body: Body<'_>, place: Value<'c>) {
        let context = self.context;
        let rules = BodyRules { regexp: context.repairs(Repair::BodyRegexp), full: context.repairs(Repair::BodyFull) };
        let mut scratch = context.scratch.borrow_mut();
        if context.trace.is_some() {
            for (index, offsets) in context.fingerprints.find_all_in_body(body, rules, &mut scratch) {
                self.found(&context.fingerprints.http()[index as usize], place, &offsets);
            }
        } else {
            for found in context.fingerprints.find_in_body(body, rules, &mut scratch) {
                self.found(&context.fingerprints.http()[found.http_index as usize], place, &[found.offset]);
            }
        }
    }

    /// Headers by lower-case name; the last one counts if a name is repeated.
    fn headers(&mut self, headers: Value<'c>) -> Result<(), Error> {
        if !is_truthy(headers) {
            return Ok(());
        }
        let fingerprints = self.context.fingerprints;
        // A repeated key has its first position and its last value. This matters only for headers that have fingerprints.
        let mut wanted = Wanted::default();
        if !wanted.collect(fingerprints, object(headers)?.pairs()) {
            wanted = Wanted::default();
            wanted.collect(fingerprints, headers.members());
        }
        let contains = self.context.repairs(Repair::HeaderContains);
        // In the order of the list, which decides which of several errors is reported.
        wanted.0.sort_by_key(|(header, _)| header.decoded_for(contains).unwrap_or(u32::MAX));
        let mut found = Vec::new();
        for (header, value) in wanted.0 {
            self.header(header, value, contains, &mut found)?;
        }
        found.sort_unstable_by_key(|(found, ..)| *found);
        for (HeaderMatch { http_index, offset }, place, more) in found {
            let offsets = [&[offset], &*more].concat();
            self.found(&fingerprints.http()[http_index as usize], place, &offsets);
        }
        Ok(())
    }

    /// Searches one header value: text, or base64 in an object, for which `full` patterns are ignored.
    fn header(
        &mut self,
        header: &Header,
        value: Value<'c>,
        contains: bool,
        found: &mut Vec<(HeaderMatch, Value<'c>, Vec<usize>)>,
    ) -> Result<(), Error> {
        let http = self.context.fingerprints.http();
        let mut matches = Vec::new();
        if let Some(text) = value.text() {
            header.find(http, &text, true, contains, &mut matches);
            for one in matches {
                found.push((one, value, self.further_offsets(one, &text)));
            }
        } else if header.decoded_for(contains).is_some() && value.field("format").value().is_text("base64") {
            let data = value.field("data").if_missing(Value::EMPTY_TEXT);
            if let Some(bytes) = self.decoded(data)? {
                // The reference decodes the bytes as Latin-1: each is a character.
                let mut text = Vec::with_capacity(bytes.len());
                bytes.iter().for_each(|&byte| push_code_point(u32::from(byte), &mut text));
                header.find(http, &text, false, contains, &mut matches);
                for mut one in matches {
                    let mut more = self.further_offsets(one, &text);
                    for offset in more.iter_mut().chain([&mut one.offset]) {
                        *offset = crate::text::chars(&text[..*offset]).count();
                    }
                    found.push((one, data, more));
                }
            }
        }
        Ok(())
    }

    /// Further offsets of a pattern in a header; only for explanations.
    fn further_offsets(&self, found: HeaderMatch, text: &[u8]) -> Vec<usize> {
        let fingerprint = &self.context.fingerprints.http()[found.http_index as usize];
        let wanted = self.context.trace.is_some() && fingerprint.pattern_type == PatternType::Contains;
        if !wanted || fingerprint.pattern.is_empty() {
            return Vec::new();
        }
        memchr::memmem::find_iter(text, fingerprint.pattern.as_bytes()).skip(1).collect()
    }

    /// Decodes base64. `None` if it cannot be decoded and the repair skips it.
    fn decoded(&mut self, data: Value<'c>) -> Result<Option<Vec<u8>>, Error> {
        let error = match data.text() {
            None => data.wrong_kind("a base64 string"),
            Some(text) => match base64::decode(&text) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) => {
                    let code = match error {
                        Base64Error::NotAscii => Code::Value,
                        Base64Error::Padding => Code::Pad,
                    };
                    Error::new(code, data.path(), error.to_string())
                }
            },
        };
        let repaired = self.context.repairs(Repair::BadBase64);
        if repaired || error.code == Code::Pad {
            self.context.fired("a body or header cannot be decoded", "accuracy", &[&data]);
        }
        if repaired {
            self.skipped = true;
            return Ok(None);
        }
        Err(error)
    }
}

/// Headers for which there are fingerprints.
#[derive(Default)]
struct Wanted<'c>(Vec<(&'c Header, Value<'c>)>);

impl<'c> Wanted<'c> {
    /// Collects the headers of fingerprints; false when a name is repeated.
    fn collect(
        &mut self,
        fingerprints: &'c Fingerprints,
        headers: impl Iterator<Item = (Value<'c>, Value<'c>)>,
    ) -> bool {
        let mut once = true;
        for (name, value) in headers {
            let Some(header) = name.text().and_then(|name| fingerprints.header(&name)) else { continue };
            match self.0.iter_mut().find(|(same, _)| same.name() == header.name()) {
                Some((_, last)) => (*last, once) = (value, false),
                None => self.0.push((header, value)),
            }
        }
        once
    }
}

/// Country of the probe in upper case, `ZZ` when missing or null.
fn country<'c>(context: &Context<'c>) -> Result<Cow<'c, [u8]>, Error> {
    let cc = context.field("probe_cc");
    if cc.is_null() {
        return Ok(Cow::Borrowed(b"ZZ"));
    }
    let text = cc.value().text().ok_or_else(|| cc.value().wrong_kind("a string"))?;
    Ok(Cow::Owned(upper(&text).into_owned()))
}

/// Adds the matches, and what they confirm, to the scores (scoring spec §5.4).
pub(super) fn confirm(context: &Context<'_>, matches: &[Match<'_>], scores: &mut Scores) -> Result<(), Error> {
    if !matches.is_empty() {
        scores.set("fingerprints", Json::Array(matches.iter().map(Match::to_json).collect()));
    }
    let cc = country(context)?;
    let cc = String::from_utf8_lossy(&cc);
    for found in matches {
        let Some(by) = found.fingerprint.confirmed_by(&cc) else { continue };
        let score = match locality(found.fingerprint.scope) {
            "country" => BLOCKING_COUNTRY,
            "isp" => BLOCKING_ISP,
            "local" => BLOCKING_LOCAL,
            _ => BLOCKING_GENERAL,
        };
        scores.set(score, 1.0);
        scores.set("confirmed", true);
        let rule = match by {
            ConfirmedBy::Country => "a fingerprint of this country was found",
            ConfirmedBy::Scope(_) => "a fingerprint of a network or nation was found",
        };
        context.fired(rule, "confirmed", &[&found.place]);
        if score == BLOCKING_GENERAL {
            context.fired(rule, BLOCKING_GENERAL, &[&found.place]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use crate::nettest::tests::{check_listed, check_with, error_listed, found_listed, list};

    const DNS: &str = concat!(
        "addr,nat,,dns,full,1.2.3.4,5,IR\n",
        "host,prod,,dns,prefix,x.org,5,IT\n",
        "part,prod,,dns,contains,1.2,5,IT\n",
        "none,prod,,dns,full,,5,IT\n",
        "again,isp,,body,regexp,1.2.3.4,5,\n",
    );
    const HTTP: &str = concat!(
        "needle,prod,,body,contains,NEEDLE,5,\n",
        "accent,prod,,body,contains,né,5,\n",
        "regexp,prod,,body,regexp,a.c,5,\n",
        "full,prod,,body,full,whole,5,\n",
        "prefix,prod,,body,prefix,pre,5,\n",
        "full_h,prod,,header.server,full,Wall,5,\n",
        "prefix_h,prod,,header.server,prefix,Wa,5,\n",
        "contains_h,prod,,header.server,contains,al,5,\n",
        "regexp_h,prod,,header.server,regexp,W.*,5,\n",
        "upper_h,prod,,header.Server,prefix,Wa,5,\n",
        "latin_h,prod,,header.via,prefix,né,5,\n",
        "other,prod,,elsewhere,contains,NEEDLE,5,\n",
    );

    /// The names of the fingerprints in a measurement of `web_connectivity`, or the code of the error.
    fn names(fingerprints: &Fingerprints, rules: Rules, keys: &str) -> String {
        let text = format!(r#"{{"report_id":"R","probe_cc":"IT","test_keys":{keys}}}"#);
        let mut reader = Reader::new();
        let document = reader.read(text.as_bytes()).unwrap();
        match match_fingerprints(Measurement::new(document.root()).unwrap(), fingerprints, rules) {
            Ok(matches) => matches.iter().map(|found| found.fingerprint.name.as_str()).collect::<Vec<_>>().join(" "),
            Err(error) => error.code.as_str().to_owned(),
        }
    }

    fn in_answers(answers: &str) -> String {
        names(&list(DNS, HTTP), Rules::Compat, &format!(r#"{{"queries":[{{"answers":{answers}}}]}}"#))
    }

    fn in_response(rules: Rules, response: &str) -> String {
        names(&list(DNS, HTTP), rules, &format!(r#"{{"requests":[{{"response":{response}}}]}}"#))
    }

    fn in_body(rules: Rules, body: &str) -> String {
        in_response(rules, &format!(r#"{{"body":{body}}}"#))
    }

    fn in_headers(rules: Rules, headers: &str) -> String {
        in_response(rules, &format!(r#"{{"headers":{headers}}}"#))
    }

    /// Scoring spec §6.2.
    #[test]
    fn answers() {
        for (answer, expected) in [
            (r#"{"ipv4":"1.2.3.4"}"#, "addr again"),
            (r#"{"ipv6":"1.2.3.4"}"#, "addr again"),
            (r#"{"hostname":"x.org"}"#, "host"),
            (r#"{"ipv6":"x.org","hostname":"y","ipv4":"1.2.3.4"}"#, "addr again"),
            (r#"{"ipv6":"1.2.3.4","hostname":"x.org"}"#, "host"),
            (r#"{"ipv4":"1\u002e2.3.4"}"#, "addr again"),
            // The first one that is present counts, whatever its value.
            (r#"{"ipv4":null,"hostname":"x.org"}"#, ""),
            (r#"{"ipv4":5,"hostname":"x.org"}"#, ""),
            (r#"{"ipv4":["1.2.3.4"]}"#, ""),
            (r#"{"ipv4":"1.2.3.45"}"#, ""),
            (r#"{"ipv4":"1.2.3.4 "}"#, ""),
            (r#"{"ipv4":"","hostname":"x.org"}"#, "none"),
            ("{}", "none"),
            (r#"{"answer":"1.2.3.4"}"#, "none"),
            (r#""x""#, "none"),
            (r#""""#, "none"),
            ("[]", "none"),
            (r#"["ipv4x",5]"#, "none"),
            (r#""my ipv4""#, "E-TYPE"),
            (r#""hostname""#, "E-TYPE"),
            (r#"["ipv6"]"#, "E-TYPE"),
            ("null", "E-TYPE"),
            ("true", "E-TYPE"),
            ("5", "E-TYPE"),
            ("0.5", "E-TYPE"),
        ] {
            assert_eq!(in_answers(&format!("[{answer}]")), expected, "{answer}");
        }
        for (answers, expected) in [
            ("null", ""),
            ("[]", ""),
            ("{}", ""),
            (r#""""#, ""),
            (r#""ipv4""#, "none none none none"),
            (r#""\ud83dé""#, "none none"),
            (r#"{"a":null,"b":5,"a":6}"#, "none none"),
            (r#"{"a ipv4":null}"#, "E-TYPE"),
            ("true", "E-TYPE"),
            ("0", "E-TYPE"),
            (r#"[{"ipv4":"1.2.3.4"},{"hostname":"x.org"},{}]"#, "addr again host none"),
        ] {
            assert_eq!(in_answers(answers), expected, "{answers}");
        }
        // Without a list, answers are only iterated over.
        let empty = |answers: &str| {
            names(&list("", HTTP), Rules::Compat, &format!(r#"{{"queries":[{{"answers":{answers}}}]}}"#))
        };
        assert_eq!(empty(r#"[null,5,"ipv4"]"#), "");
        assert_eq!(empty("5"), "E-TYPE");
    }

    #[test]
    fn order_and_lists() {
        let list = list(DNS, HTTP);
        let names = |keys: &str| names(&list, Rules::Compat, keys);
        assert_eq!(
            names(
                r#"{"requests":[{"response":{"headers":{"Server":"Wall"},"body":"pre NEEDLE"}},{"response":null},{},
                    {"response":{"body":"NEEDLE"}}],"queries":[{"answers":[{"hostname":"x.org"}]}]}"#
            ),
            "host needle prefix full_h prefix_h needle"
        );
        for keys in [
            "null",
            "{}",
            r#"{"queries":[],"requests":{}}"#,
            r#"{"queries":"","requests":null}"#,
            r#"{"queries":[{}]}"#,
        ] {
            assert_eq!(names(keys), "", "{keys}");
        }
        for keys in [
            "5",
            "[]",
            r#"{"queries":5}"#,
            r#"{"queries":[5]}"#,
            r#"{"queries":{"a":1}}"#,
            r#"{"requests":false}"#,
            r#"{"requests":[null]}"#,
            r#"{"requests":"x"}"#,
            r#"{"requests":[{"response":5}]}"#,
            r#"{"requests":[{"response":[]}]}"#,
            r#"{"requests":[{"response":""}]}"#,
        ] {
            assert_eq!(names(keys), "E-TYPE", "{keys}");
        }
        // Queries are searched first, so their error is reported.
        let place = |keys: &str| error_listed(&list, Rules::Compat, "web_connectivity", keys).1;
        assert_eq!(place(r#"{"requests":5,"queries":[{},{"answers":[{},5]}]}"#), "/test_keys/queries/1/answers/1");
        assert_eq!(place(r#"{"requests":[{},{"response":7}]}"#), "/test_keys/requests/1/response");
        check_with("web_connectivity", r#"{"queries":5}"#, &[("probe_cc", "")], "E-KEY");
    }

    /// Scoring spec §6.3.
    #[test]
    fn bodies() {
        for rules in [Rules::Compat, Rules::Fixed] {
            for (body, expected) in [
                ("null", ""),
                (r#""""#, ""),
                (r#""a NEEDLE b NEEDLE""#, "needle"),
                (r#""needle""#, ""),
                (r#""NEE\u0044LE""#, "needle"),
                (r#""n\u00e9""#, "accent"),
                (r#""né""#, "accent"),
                (r#""it pre-fix NEEDLE""#, "needle prefix"),
                (r#"{"data":"TkVFRExF","format":"base64"}"#, "needle"),
                (r#"{"data":"TkVF\nRExF==","format":"base64","x":1}"#, "needle"),
                (r#"{"data":"bsOp","format":"base64"}"#, "accent"),
                // In Latin-1 it would be one byte.
                (r#"{"data":"buk=","format":"base64"}"#, ""),
                (r#"{"data":"","format":"base64"}"#, ""),
                (r#"{"format":"base64"}"#, ""),
                (r#"{"data":"TkVFRExF"}"#, ""),
                (r#"{"data":"TkVFRExF","format":"BASE64"}"#, ""),
                (r#"{"data":"TkVFRExF","format":null}"#, ""),
                (r#"{"data":5,"format":"hex"}"#, ""),
                (r#"{"NEEDLE":"NEEDLE"}"#, ""),
                ("{}", ""),
                ("true", "E-TYPE"),
                ("0", "E-TYPE"),
                ("1.5", "E-TYPE"),
                ("[]", "E-TYPE"),
                (r#"["NEEDLE"]"#, "E-TYPE"),
            ] {
                assert_eq!(in_body(rules, body), expected, "{body}");
            }
        }
        // Without fingerprints for bodies, bodies are decoded but not searched.
        let list = list("", "full_h,prod,,header.server,full,Wall,5,\n");
        let bodies =
            |body: &str| names(&list, Rules::Compat, &format!(r#"{{"requests":[{{"response":{{"body":{body}}}}}]}}"#));
        for body in ["true", "0", "[]", r#""NEEDLE""#] {
            assert_eq!(bodies(body), "", "{body}");
        }
        assert_eq!(bodies(r#"{"data":"A","format":"base64"}"#), "E-PAD");
        assert_eq!(bodies(r#"{"data":5,"format":"base64"}"#), "E-TYPE");
    }

    #[test]
    fn an_empty_pattern_is_in_every_body() {
        let list = list("", "empty,prod,,body,contains,,5,\n");
        let bodies =
            |body: &str| names(&list, Rules::Compat, &format!(r#"{{"requests":[{{"response":{{"body":{body}}}}}]}}"#));
        for body in
            [r#""""#, r#""x""#, r#""\n""#, r#"{"data":"","format":"base64"}"#, r#"{"data":"eA==","format":"base64"}"#]
        {
            assert_eq!(bodies(body), "empty", "{body}");
        }
        for body in ["null", "{}"] {
            assert_eq!(bodies(body), "", "{body}");
        }
    }

    #[test]
    fn headers() {
        for (headers, expected) in [
            ("null", ""),
            ("{}", ""),
            ("[]", ""),
            (r#""""#, ""),
            ("0", ""),
            ("false", ""),
            ("true", "E-TYPE"),
            ("5", "E-TYPE"),
            (r#""Server""#, "E-TYPE"),
            (r#"[["Server","Wall"]]"#, "E-TYPE"),
            (r#"{"server":"Wall"}"#, "full_h prefix_h"),
            (r#"{"SERVER":"Wall"}"#, "full_h prefix_h"),
            (r#"{"s\u0065rver":"Wa"}"#, "prefix_h"),
            (r#"{"server":"xWall"}"#, ""),
            (r#"{"server":["Wall"]}"#, ""),
            (r#"{"server":null}"#, ""),
            (r#"{"server":5}"#, ""),
            // The last of repeated names counts.
            (r#"{"Server":"Wall","SERVER":"x"}"#, ""),
            (r#"{"Server":"x","SERVER":"Wall"}"#, "full_h prefix_h"),
            // A repeated key has its first position and its last value.
            (r#"{"Server":"x","SERVER":"Wall","Server":"y"}"#, "full_h prefix_h"),
            (r#"{"Server":"x","SERVER":"y","Server":"Wall"}"#, ""),
            // Base64 is decoded only for prefixes, as Latin-1.
            (r#"{"server":{"data":"V2FsbA==","format":"base64"}}"#, "prefix_h"),
            (r#"{"server":{"data":"V2FsbA==","format":"hex"}}"#, ""),
            (r#"{"server":{"format":"base64"}}"#, ""),
            (r#"{"server":{"data":"V2F","format":"base64"}}"#, "E-PAD"),
            (r#"{"server":{"data":5,"format":"base64"}}"#, "E-TYPE"),
            (r#"{"server":{"data":null,"format":"base64"}}"#, "E-TYPE"),
            (r#"{"server":{"data":"é","format":"base64"}}"#, "E-VALUE"),
            (r#"{"via":{"data":"bul4","format":"base64"}}"#, "latin_h"),
            (r#"{"via":{"data":"bsOp","format":"base64"}}"#, ""),
            (r#"{"via":"néx"}"#, "latin_h"),
            // No fingerprint requires decoding it.
            (r#"{"date":{"data":"A","format":"base64"}}"#, ""),
            (r#"{"Via":"né","server":"Wall"}"#, "full_h prefix_h latin_h"),
        ] {
            assert_eq!(in_headers(Rules::Compat, headers), expected, "{headers}");
        }
        for lists in [r#"{"header_list":[["Server","Wall"]]}"#, r#"{"headers_list":[["Server","Wall"]]}"#] {
            assert_eq!(in_response(Rules::Compat, lists), "");
        }
        // Only a prefix fingerprint requires decoding.
        let full = list("", "full_h,prod,,header.server,full,Wall,5,\n");
        let keys = r#"{"requests":[{"response":{"headers":{"server":{"data":"A","format":"base64"}}}}]}"#;
        assert_eq!(names(&full, Rules::Compat, keys), "");
    }

    #[test]
    fn repaired_contains_headers() {
        for (value, compat, fixed) in [
            (r#""Wall""#, "full_h prefix_h", "full_h prefix_h contains_h"),
            (r#""the wall""#, "", "contains_h"),
            (r#""Al""#, "", ""),
            (r#"{"data":"eCBhbA==","format":"base64"}"#, "", "contains_h"),
            (r#"["al"]"#, "", ""),
        ] {
            let headers = format!(r#"{{"Server":{value}}}"#);
            assert_eq!(in_headers(Rules::Compat, &headers), compat, "{value}");
            assert_eq!(in_headers(Rules::Fixed, &headers), fixed, "{value}");
        }
    }

    #[test]
    fn repaired_bodies() {
        for (body, compat, fixed) in [
            (r#""a.c""#, "regexp", "regexp"),
            (r#""xabcx""#, "", "regexp"),
            (r#""a\nc""#, "", ""),
            (r#""a\u00e9c""#, "", "regexp"),
            (r#"{"data":"YWJj","format":"base64"}"#, "", "regexp"),
            (r#""whole""#, "full", "full"),
            (r#""the whole""#, "full", ""),
            (r#""whole\n""#, "full", ""),
            (r#"{"data":"d2hvbGU=","format":"base64"}"#, "full", "full"),
            (r#"{"data":"d2hvbGUu","format":"base64"}"#, "full", ""),
        ] {
            assert_eq!(in_body(Rules::Compat, body), compat, "{body}");
            assert_eq!(in_body(Rules::Fixed, body), fixed, "{body}");
        }
    }

    /// With the repair, values that cannot be decoded are skipped: everything else is found as if they were missing.
    #[test]
    fn repaired_base64() {
        let list = list(DNS, HTTP);
        let keys = |bad: &str| {
            format!(
                r#"{{"blocking":false,"queries":[{{"answers":[{{"ipv4":"1.2.3.4"}}]}}],"requests":[{{"response":{{"body":"NEEDLE"}}}},
                    {{"response":{bad}}},{{"response":{{"headers":{{"server":"Wall"}}}}}}]}}"#
            )
        };
        let is_lost = r#"0.0,"accuracy":0.0}"#;
        for (data, compat) in [
            (r#""A""#, is_lost),
            (r#""TkVFRExF=A""#, is_lost),
            (r#""é""#, "E-VALUE"),
            ("5", "E-TYPE"),
            ("null", "E-TYPE"),
            ("[]", "E-TYPE"),
        ] {
            // A skipped header loses its own fingerprints, but not those of the body.
            for (bad, more) in [
                (
                    format!(r#"{{"body":{{"format":"base64","data":{data}}},"headers":{{"server":"Wall"}}}}"#),
                    "full_h,prefix_h,contains_h,",
                ),
                (
                    format!(r#"{{"body":"NEEDLE","headers":{{"server":{{"format":"base64","data":{data}}}}}}}"#),
                    "needle,",
                ),
            ] {
                let keys = keys(&bad);
                check_listed(&list, Rules::Compat, "web_connectivity", &keys, &[], compat);
                let expected = format!(
                    r#"1.0 country=1.0 isp=0.0,"fingerprints":[addr,again,needle,{more}full_h,prefix_h,contains_h],"confirmed":true,"accuracy":0.0}}"#
                )
                .replace("1.0 country=1.0 isp=0.0", "2.0 country=1.0 isp=1.0");
                check_listed(&list, Rules::Fixed, "web_connectivity", &keys, &[], &expected);
                let found = found_listed(&list, Rules::Fixed, "web_connectivity", &keys);
                assert_eq!(found.len(), expected.split("\"confirmed\"").next().unwrap().matches(',').count() - 1);
                if compat == is_lost {
                    assert!(found_listed(&list, Rules::Compat, "web_connectivity", &keys).is_empty());
                }
            }
        }
    }

    /// Scoring spec §5.4 and §6.5.
    #[test]
    fn confirmation() {
        for (scope, countries, cc, expected) in [
            ("nat", "", r#""IT""#, "country"),
            ("nat", "FR", r#""IT""#, "country"),
            ("isp", "FR", r#""ZZ""#, "isp"),
            ("isp", "", "null", "isp"),
            ("inst", "IT", r#""IT""#, "local"),
            ("inst", "FR", r#""IT""#, ""),
            ("prod", "IT", r#""IT""#, "general"),
            ("vbw", "IT", r#""it""#, "general"),
            ("fp", "IT", r#""IT""#, "general"),
            ("injb", "\"FR,IT\"", r#""IT""#, "general"),
            ("prov", "IT", r#""IT""#, "general"),
            ("prod", "\"FR, IT\"", r#""IT""#, ""),
            ("prod", "ZZ", r#""ZZ""#, ""),
            ("prod", "IT", r#""ZZ""#, ""),
            ("prod", "IT", "null", ""),
            ("prod", "", r#""IT""#, ""),
            ("prod", "SS", r#""ß""#, "general"),
            ("prod", "IT", r#""IT ""#, ""),
        ] {
            let list = list("", &format!("it,{scope},,body,contains,NEEDLE,5,{countries}\n"));
            let scores = match expected {
                "" => r#"0.0,"fingerprints":[it]}"#.to_owned(),
                "general" => r#"1.0,"fingerprints":[it],"confirmed":true}"#.to_owned(),
                locality => format!(r#"1.0 {locality}=1.0,"fingerprints":[it],"confirmed":true}}"#),
            };
            let keys = r#"{"blocking":false,"requests":[{"response":{"body":"NEEDLE"}}]}"#;
            check_listed(&list, Rules::Compat, "web_connectivity", keys, &[("probe_cc", cc)], &scores);
        }
    }

    #[test]
    fn explanation() {
        let list = list(DNS, HTTP);
        let keys = r#"{"queries":[{"answers":[{"ipv4":"1.2.3.4"}]}],"requests":[{"response":{
            "body":"\u00e9 NEEDLE NEEDLE","headers":{"Server":"a wall, al"}}},{"response":{
            "body":{"format":"base64","data":"IE5FRURMRQ=="},"headers":{"server":{"format":"base64","data":"6SBhbA=="}}}}]}"#;
        let found = found_listed(&list, Rules::Fixed, "web_connectivity", keys);
        let described: Vec<_> = found
            .iter()
            .map(|found| (&*found.name, &*found.path, found.offset, &*found.also_at, found.confirmed, &*found.why))
            .collect();
        let nowhere = "expected in no country";
        assert_eq!(
            described,
            [
                (
                    "addr",
                    "/test_keys/queries/0/answers/0/ipv4",
                    0,
                    &[][..],
                    true,
                    "scope nat confirms in every country"
                ),
                ("again", "/test_keys/queries/0/answers/0/ipv4", 0, &[], true, "scope isp confirms in every country"),
                ("needle", "/test_keys/requests/0/response/body", 3, &[10], false, nowhere),
                ("contains_h", "/test_keys/requests/0/response/headers/Server", 3, &[8], false, nowhere),
                ("needle", "/test_keys/requests/1/response/body/data", 1, &[], false, nowhere),
                // Offsets in the decoded bytes, not in the Latin-1 text.
                ("contains_h", "/test_keys/requests/1/response/headers/server/data", 2, &[], false, nowhere),
            ]
        );
    }
}
