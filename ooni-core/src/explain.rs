//! Explains the outcome of a measurement.
//!
//! The measurement is scored again with a trace, and once more for each repair, so that ordinary scoring has no overhead.

use crate::error::Error;
use crate::fingerprint::Fingerprints;
use crate::json::{Json, Reader, Value, write_json};
use crate::measurement::SideRecord;
use crate::process::{Outcome, Scorer};
use crate::rules::{Repair, Repairs, Rules, Ruleset};
use crate::trace::{Fired, Found, Reading, Trace};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// The outcome of a measurement, and why.
///
/// What it lists decided the outcome: if the values at all paths that set a key change, or the bytes at the offsets of a
/// fingerprint, so does the outcome. (Only non-overlapping matches of a regular expression are listed; after they are
/// changed, an overlapping match may remain.) `Display` writes a few lines of text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The measurement's UID.
    pub measurement_uid: String,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The rules that fired, in order.
    pub fired: Vec<Fired>,
    /// The fingerprints that were found, in order.
    pub fingerprints: Vec<Found>,
    /// Where the reference's rules and the repaired ones differ on this measurement, by repair.
    pub differences: Vec<Difference>,
    /// The ruleset.
    pub ruleset: Arc<Ruleset>,
}

/// The effect of one repair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The repair.
    pub repair: Repair,
    /// The outcome without it, in a few words.
    pub without: String,
    /// The outcome with it.
    pub with: String,
}

/// Explains one measurement or POST body; see [`process`](crate::process::process).
pub fn explain(bytes: &[u8], uid: &str, fingerprints: &Fingerprints, rules: Rules) -> Explanation {
    explain_with(bytes, uid, &SideRecord::EMPTY, fingerprints, rules)
}

/// Explains one measurement or POST body that has a side record; see [`process_with`](crate::process::process_with).
pub fn explain_with(
    bytes: &[u8],
    uid: &str,
    side: &SideRecord<'_>,
    fingerprints: &Fingerprints,
    rules: Rules,
) -> Explanation {
    let scorer = Scorer::new(fingerprints, rules);
    match Reader::new().read(bytes) {
        Ok(document) => scorer.explain_with(document.root(), uid, side),
        Err(error) => scorer.explain_unread(error.into(), uid),
    }
}

impl Scorer<'_> {
    /// Explains a value that has been parsed: a measurement, with or without an envelope.
    pub fn explain(&self, value: Value<'_>, uid: &str) -> Explanation {
        self.explain_with(value, uid, &SideRecord::EMPTY)
    }

    /// Explains a value that has been parsed, and that has a side record. The paths of what the record replaces are those
    /// in the document.
    pub fn explain_with(&self, value: Value<'_>, uid: &str, side: &SideRecord<'_>) -> Explanation {
        let trace = Trace::default();
        let outcome = self.process_traced(value, uid, side, Some(&trace));
        let (mut fired, mut fingerprints) = (trace.fired.into_inner(), trace.found.into_inner());
        if matches!(outcome, Outcome::Rejected { .. }) {
            fired.clear();
            fingerprints.clear();
        }
        Explanation {
            measurement_uid: uid.to_owned(),
            outcome,
            fired,
            fingerprints,
            differences: self.differences(value, uid, side),
            ruleset: Arc::clone(self.ruleset()),
        }
    }

    /// The explanation of a text that cannot be read, or that a container skips.
    pub fn explain_unread(&self, error: Error, uid: &str) -> Explanation {
        Explanation {
            measurement_uid: uid.to_owned(),
            outcome: Outcome::Rejected { error },
            fired: Vec::new(),
            fingerprints: Vec::new(),
            differences: Vec::new(),
            ruleset: Arc::clone(self.ruleset()),
        }
    }

    /// The effect of each repair: removed from the full set, or else as the only one.
    fn differences(&self, value: Value<'_>, uid: &str, side: &SideRecord<'_>) -> Vec<Difference> {
        let outcome = |repairs: Repairs| self.with_repairs(repairs).process_with(value, uid, side);
        let (none, all) = (Repairs::NONE, Rules::Fixed.repairs());
        let (compat, fixed) = (outcome(none), outcome(all));
        if compat == fixed {
            return Vec::new();
        }
        let difference = |repair: Repair| {
            let removed = outcome(all.without(repair));
            let (without, with) =
                if removed == fixed { (&compat, &outcome(none.with(repair))) } else { (&removed, &fixed) };
            (without != with).then(|| Difference { repair, without: in_words(without), with: in_words(with) })
        };
        Repair::ALL.into_iter().filter_map(difference).collect()
    }
}

/// The outcome in a few words, such as `anomaly, confirmed, 2 fingerprints`.
fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Rejected { error } => format!("rejected: {error}"),
        Outcome::Discarded { reason } => format!("discarded: {reason}"),
        Outcome::Stored { row, .. } => {
            let found = match row.scores.get("fingerprints") {
                Some(Json::Array(found)) => found.len(),
                _ => 0,
            };
            let verdict = verdict(row.anomaly, row.confirmed, row.msm_failure);
            match found {
                0 => format!("{verdict}, no fingerprint"),
                1 => format!("{verdict}, 1 fingerprint"),
                found => format!("{verdict}, {found} fingerprints"),
            }
        }
    }
}

/// The flags of a row in words.
fn verdict(anomaly: bool, confirmed: bool, failure: bool) -> String {
    let flags = [(anomaly, "anomaly"), (confirmed, "confirmed"), (failure, "failure")];
    let names: Vec<_> = flags.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
    if names.is_empty() { "ok".to_owned() } else { names.join(", ") }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} ({})", plain(&self.measurement_uid), in_words(&self.outcome), self.ruleset.rules)?;
        if let Outcome::Stored { row, .. } = &self.outcome {
            writeln!(f, "  scores {}", row.scores.to_json_text())?;
        }
        for fired in &self.fired {
            writeln!(f, "  {}: {}", fired.sets, fired.rule)?;
            for reading in fired.reads.iter().take(SHOWN) {
                writeln!(f, "    {}", Shown(reading))?;
            }
            if fired.reads.len() > SHOWN {
                writeln!(f, "    and {} more", fired.reads.len() - SHOWN)?;
            }
        }
        for found in &self.fingerprints {
            let Found { name, scope, location_found, pattern_type, pattern, path, offset, confirmed, why, .. } = found;
            let confirms = if *confirmed { "confirms" } else { "does not confirm" };
            writeln!(f, "  fingerprint {}, {scope}, {location_found}: {confirms}, {}", plain(name), plain(why))?;
            writeln!(f, "    {} at byte {offset}: {pattern_type} {:?}", plain(path), Cut(pattern))?;
        }
        for Difference { repair, without, with } in &self.differences {
            writeln!(f, "  repair {repair}: without it {}; with it {}", plain(without), plain(with))?;
        }
        Ok(())
    }
}

/// The maximum number of values shown for one rule.
const SHOWN: usize = 5;

/// A value that was read, as text.
struct Shown<'a>(&'a Reading);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { path, value, described } = self.0;
        let path = plain(path);
        match value {
            None => write!(f, "{path} is missing"),
            Some(value) if *described => write!(f, "{path} is {}", value.as_str().unwrap_or("a long value")),
            Some(value) => {
                let mut text = Vec::new();
                write_json(value, &mut text);
                write!(f, "{path} is {}", String::from_utf8_lossy(&text))
            }
        }
    }
}

/// A pattern, shortened to fit a line.
struct Cut<'a>(&'a str);

impl fmt::Debug for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Text from a measurement without characters that could affect a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str =
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries\n";

    fn fingerprints() -> Fingerprints {
        let dns = format!("{NAMES}d1,nat,,dns,full,10.10.34.36,10,IR\n");
        let http = format!(
            "{NAMES}{}",
            concat!(
                "page,nat,,body,contains,BLOCK,5,IT\nregexp,isp,,body,regexp,a.c,5,IT\nfull,prod,,body,full,whole,5,FR\n",
                "header,inst,,header.server,contains,Wall,5,\"IT,DE\"\n",
            )
        );
        Fingerprints::from_csv(dns.as_bytes(), http.as_bytes(), "").unwrap()
    }

    fn measurement(test_name: &str, keys: &str) -> String {
        format!(
            r#"{{"report_id":"R","probe_cc":"IT","probe_asn":"AS1","input":"http://x.org/","test_name":"{test_name}",
            "measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:05","test_keys":{keys}}}"#
        )
    }

    fn explained(text: &str, uid: &str, rules: Rules) -> String {
        explain(text.as_bytes(), uid, &fingerprints(), rules).to_string()
    }

    #[track_caller]
    fn check(text: &str, rules: Rules, expected: &[&str]) {
        let shown = explained(text, "20240102030410.000000_IT_x_0123456789abcdef", rules);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines, expected, "\n{shown}");
    }

    #[test]
    fn an_anomaly() {
        check(
            &measurement("web_connectivity", r#"{"blocking":"dns"}"#),
            Rules::Compat,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: anomaly, no fingerprint (compat/1)",
                r#"  scores {"blocking_general":1.0,"blocking_global":0.0,"blocking_country":0.0,"blocking_isp":0.0,"blocking_local":0.0,"analysis":{"blocking_type":"dns"}}"#,
                "  blocking_general: the probe reports that the site is blocked",
                r#"    /test_keys/blocking is "dns""#,
            ],
        );
    }

    #[test]
    fn confirmed() {
        let keys =
            r#"{"blocking":false,"requests":[{"response":{"body":"a BLOCK, a BLOCK","headers":{"Server":"A Wall"}}}]}"#;
        check(
            &measurement("web_connectivity", keys),
            Rules::Fixed,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: anomaly, confirmed, 2 fingerprints (fixed/1)",
                concat!(
                    r#"  scores {"blocking_general":2.0,"blocking_global":0.0,"blocking_country":1.0,"blocking_isp":0.0,"#,
                    r#""blocking_local":1.0,"fingerprints":[{"name":"page","scope":"nat","location_found":"body","#,
                    r#""confidence_no_fp":5,"expected_countries":["IT"]},{"name":"header","scope":"inst","#,
                    r#""location_found":"header.server","confidence_no_fp":5,"expected_countries":["DE","IT"]}],"confirmed":true}"#
                ),
                "  confirmed: a fingerprint of this country was found",
                r#"    /test_keys/requests/0/response/body is "a BLOCK, a BLOCK""#,
                "  confirmed: a fingerprint of this country was found",
                r#"    /test_keys/requests/0/response/headers/Server is "A Wall""#,
                "  blocking_general: confirmed fingerprints also count in the general score",
                r#"    /test_keys/requests/0/response/body is "a BLOCK, a BLOCK""#,
                r#"    /test_keys/requests/0/response/headers/Server is "A Wall""#,
                "  fingerprint page, nat, body: confirms, expected in IT",
                r#"    /test_keys/requests/0/response/body at byte 2: contains "BLOCK""#,
                "  fingerprint header, inst, header.server: confirms, expected in IT",
                r#"    /test_keys/requests/0/response/headers/Server at byte 2: contains "Wall""#,
                "  repair header-contains: without it anomaly, confirmed, 1 fingerprint; with it anomaly, confirmed, 2 fingerprints",
            ],
        );
    }

    #[test]
    fn a_failure() {
        check(
            &measurement("urlgetter", "{}"),
            Rules::Fixed,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: failure, no fingerprint (fixed/1)",
                r#"  scores {"blocking_general":0.0,"blocking_global":0.0,"blocking_country":0.0,"blocking_isp":0.0,"blocking_local":0.0,"accuracy":0.0}"#,
                "  accuracy: no rule for a test of this name",
                r#"    /test_name is "urlgetter""#,
            ],
        );
    }

    #[test]
    fn rejected() {
        check(
            &measurement("telegram", r#"{"requests":[{"request":{"url":"x"}}]}"#),
            Rules::Fixed,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: rejected: E-KEY at /test_keys/requests/0/failure: a required key is missing (fixed/1)",
            ],
        );
        check(
            "[1",
            Rules::Fixed,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: rejected: E-PARSE: the text ends inside an object or array at byte 2 (fixed/1)",
            ],
        );
    }

    #[test]
    fn discarded() {
        check(
            r#"{"report_id":"R","probe_cc":"zz"}"#,
            Rules::Fixed,
            &[
                "20240102030410.000000_IT_x_0123456789abcdef: discarded: unknown_country (fixed/1)",
                "  outcome: measurements with this value are discarded",
                r#"    /probe_cc is "zz""#,
            ],
        );
    }

    #[test]
    fn control_characters_are_replaced() {
        let text = measurement("stunreachability", r#"{"failure":"\u001b[2J\u009b","endpoint":5}"#);
        let broken = r#"{"report_id":"R","\u001b[2J":5,"probe_cc":"IT","probe_asn":"AS1","test_name":"dash","test_keys":{"failure":{"\u001b":5}}}"#;
        for text in [&*text, broken] {
            for rules in [Rules::Compat, Rules::Fixed] {
                let shown = explained(text, "\u{1b}[2J\r\u{9b}", rules);
                assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
            }
        }
    }

    /// A repair is reported only if it makes a difference to some set of repairs, and always if removing it from the full
    /// set makes one. Repairs that cancel each other out are not reported.
    #[test]
    fn reported_differences_are_real() {
        let fingerprints = fingerprints();
        let requests = [
            r#"{"response":{"body":"xabcx"}}"#,
            r#"{"response":{"body":"the whole"}}"#,
            r#"{"response":{"headers":{"server":"a Wall"}}}"#,
            r#"{"response":{"body":{"format":"base64","data":"A"}}}"#,
            r#"{"response":{"body":{"format":"base64","data":5}}}"#,
            r#"{"response":{"headers":{"server":{"format":"base64","data":"A"}}}}"#,
            r#"{"response":{"body":"BLOCK a.c whole"}}"#,
        ];
        let mut reported = [0; 4];
        for test_name in ["web_connectivity", "http_requests"] {
            for chosen in 0..1 << requests.len() {
                let chosen: Vec<_> = requests
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| chosen >> i & 1 == 1)
                    .map(|(_, request)| *request)
                    .collect();
                let keys = format!(
                    r#"{{"blocking":false,"body_length_match":true,"headers_match":true,"requests":[{}]}}"#,
                    chosen.join(",")
                );
                let text = measurement(test_name, &keys);
                let mut reader = Reader::new();
                let document = reader.read(text.as_bytes()).unwrap();
                let scorer = Scorer::new(&fingerprints, Rules::Fixed);
                let set = |bits: usize| {
                    let chosen = Repair::ALL.into_iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
                    chosen.fold(Repairs::NONE, |set, (_, repair)| set.with(repair))
                };
                let outcomes: Vec<_> =
                    (0..16).map(|bits| scorer.with_repairs(set(bits)).process(document.root(), "x")).collect();
                let differences = scorer.explain(document.root(), "x").differences;
                assert_eq!(differences.is_empty(), outcomes[0] == outcomes[15], "{text}");
                for (i, repair) in Repair::ALL.into_iter().enumerate() {
                    let is_reported = differences.iter().any(|difference| difference.repair == repair);
                    reported[i] += usize::from(is_reported);
                    let matters = (0..16).any(|bits| outcomes[bits] != outcomes[bits | 1 << i]);
                    assert!(matters || !is_reported, "{repair}: {text}");
                    let removed = &outcomes[15 & !(1 << i)];
                    assert!(is_reported || differences.is_empty() || outcomes[15] == *removed, "{repair}: {text}");
                }
                for Difference { repair, without, with } in &differences {
                    assert_ne!(without, with, "{repair}: {text}");
                }
            }
        }
        assert!(reported.iter().all(|&n| n > 20), "{reported:?}");
    }
}
