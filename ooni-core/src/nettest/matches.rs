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
use crate::json::{Field, Json, Kind, Spelling, Value, push_code_point};
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

/// Fingerprints that are recorded for an explanation; what is found after them is counted, but not recorded. Each record computes
/// a path, which takes the longer the further back it is.
const MAX_RECORDS: usize = 1000;

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
        let [queries, requests] = object(self.context.test_keys())?.fields(["queries", "requests"]);
        for query in queries.objects()? {
            self.answers(query?.field("answers").if_null(Value::EMPTY_ARRAY))?;
        }
        for request in requests.objects()? {
            let response = request?.field("response").value();
            if !response.is_null() {
                self.response(response)?;
            }
        }
        Ok(())
    }

    /// Body and headers of one response.
    pub(super) fn response(&mut self, response: Value<'c>) -> Result<(), Error> {
        let [body, headers] = object(response)?.fields(["body", "headers"]);
        self.body(body.value())?;
        self.headers(headers.if_null(Value::EMPTY_OBJECT))
    }

    fn found(&mut self, fingerprint: &'c Fingerprint, place: Value<'c>, offsets: &[usize]) {
        self.matches.push(Match { fingerprint, place });
        if let Some(trace) = self.context.trace
            && trace.found.borrow().len() < MAX_RECORDS
        {
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
            match answer.fields(ADDRESSES).into_iter().find_map(Field::found) {
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
            let Some((raw, spelling)) = name.raw_text() else { continue };
            let header = match spelling {
                Spelling::PLAIN => fingerprints.ascii_header(raw),
                _ => name.text().and_then(|name| fingerprints.header(&name)),
            };
            let Some(header) = header else { continue };
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
mod tests;
