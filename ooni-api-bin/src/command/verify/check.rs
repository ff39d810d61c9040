//! Compares what a server publishes about a measurement with what this program computes.

use super::fetch::{Lists, Origin, Published};
use crate::explanation::answer::{Body, Explained, Row, Scored};
use crate::explanation::{ScoredBody, rules_of, score, summary};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::hex::hex;
use ooni_core::measurement::SideRecord;
use ooni_core::process::Outcome;
use ooni_core::rules::Rules;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Columns that depend on the fingerprint lists.
const OF_FINGERPRINTS: [&str; 4] = ["scores", "anomaly", "confirmed", "failure"];
/// Values up to so many bytes are shown.
const LONGEST_VALUE: usize = 60;
/// Columns that are compared.
const COLUMNS: [&str; 12] = [
    "report_id",
    "input",
    "probe_cc",
    "probe_asn",
    "test_name",
    "test_start_time",
    "measurement_start_time",
    "scores",
    "anomaly",
    "confirmed",
    "failure",
    "is_verified",
];

/// One comparison.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) sentence: String,
}

/// The result of a comparison; the largest one is that of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Agrees,
    Unchecked,
    Differs,
}

impl Verdict {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verdict::Agrees => "agrees",
            Verdict::Unchecked => "not checked",
            Verdict::Differs => "differs",
        }
    }

    fn of(agrees: bool) -> Verdict {
        if agrees { Verdict::Agrees } else { Verdict::Differs }
    }
}

/// All comparisons.
pub(super) fn checks(uid: &str, published: &Published) -> Vec<Check> {
    let Published { explained, row, body, lists: Lists { lists, origin } } = published;
    let side = explained.as_ref().and_then(|explained| explained.body.as_ref()).map(Body::side);
    let scored = score(body, uid, side.as_ref().unwrap_or(&SideRecord::EMPTY), lists);
    let ruleset = text(row, "ruleset");
    let rules = match explained {
        Some(explained) => rules_of(ruleset).unwrap_or(explained.rules()),
        // OONI's own backend.
        None => Rules::Compat,
    };
    let lists_agree = text(row, "fingerprints_sha256") == lists.list_sha256();
    let mut checks = vec![
        of_hash(explained.as_ref(), row, body),
        of_ruleset(ruleset, rules),
        of_lists(row, lists, *origin),
        of_row(uid, row, scored.outcome(rules), rules, lists_agree),
    ];
    checks.extend(explained.as_ref().map(|explained| of_explanation(explained, &scored, lists)));
    checks
}

fn of_hash(explained: Option<&Explained>, row: &Map<String, Value>, body: &[u8]) -> Check {
    let sha256 = hex(Sha256::digest(body));
    let stored = text(row, "body_sha256");
    let original = explained.and_then(|explained| explained.body.as_ref()).is_some_and(|body| body.is_original);
    let (verdict, sentence) = if explained.is_none() {
        (Verdict::Unchecked, "the server has no explanations, so it does not say which bytes were scored".to_owned())
    } else if stored.is_empty() {
        (Verdict::Unchecked, "the row has no SHA-256 of its body".to_owned())
    } else if sha256 == stored {
        (Verdict::Agrees, format!("the row has the SHA-256 of the body ({} bytes): {sha256}", body.len()))
    } else if original {
        (Verdict::Differs, format!("the body ({} bytes) has the SHA-256 {sha256}, the row {stored}", body.len()))
    } else {
        (Verdict::Unchecked, "the server does not keep the body as it was scored".to_owned())
    };
    Check { name: "hash", verdict, sentence }
}

fn of_ruleset(ruleset: &str, rules: Rules) -> Check {
    let (verdict, sentence) = match ruleset {
        "" => (Verdict::Unchecked, format!("the server does not say by which rules; {} is assumed", rules.name())),
        "reference" => {
            (Verdict::Unchecked, "the row is of OONI's Python backend, whose version is not known".to_owned())
        }
        _ if ruleset == rules.version() => (Verdict::Agrees, format!("the row was made by {ruleset}, as here")),
        _ => (Verdict::Differs, format!("the row was made by {ruleset}; this program has {}", rules.version())),
    };
    Check { name: "ruleset", verdict, sentence }
}

fn of_lists(row: &Map<String, Value>, lists: &Fingerprints, origin: Origin) -> Check {
    let (stored, used) = (text(row, "fingerprints_sha256"), lists.list_sha256());
    let (which, hint) = match origin {
        Origin::Given => ("the lists of --fingerprints", ""),
        Origin::Server => ("the lists of the server", ""),
        Origin::BuiltIn => ("the built-in lists", "; give its lists with --fingerprints"),
    };
    let (verdict, sentence) = if stored == used {
        (Verdict::Agrees, format!("the row was made with {which}"))
    } else if stored.is_empty() {
        (Verdict::Unchecked, format!("the server does not say with which lists; {which} are used here"))
    } else {
        let sentence = format!("the row was made with lists {stored}, and not with {which}, {used}{hint}");
        (Verdict::Unchecked, sentence)
    };
    Check { name: "fingerprints", verdict, sentence }
}

fn of_row(uid: &str, row: &Map<String, Value>, outcome: &Outcome, rules: Rules, lists_agree: bool) -> Check {
    let computed = match outcome {
        Outcome::Stored { row, .. } => summary(uid, row).map(|row| Row::new(&row)),
        Outcome::Discarded { .. } | Outcome::Rejected { .. } => None,
    };
    let name = rules.name();
    let computed = computed.and_then(|row| serde_json::to_value(row).ok());
    let (verdict, sentence) = match computed {
        None => (Verdict::Differs, format!("the rules {name} give no row for this body")),
        Some(computed) => {
            let differs = |column: &&str| row.get(*column).is_some_and(|value| !is_equal(value, &computed[*column]));
            let differing: Vec<&str> = COLUMNS.into_iter().filter(differs).collect();
            let is_empty = !COLUMNS.into_iter().any(|column| row.contains_key(column));
            let may_be_lists = !lists_agree && differing.iter().all(|column| OF_FINGERPRINTS.contains(column));
            let columns = differing.iter().map(|column| difference(column, &row[*column], &computed[*column]));
            match columns.collect::<Vec<_>>().join(", ") {
                _ if is_empty => (Verdict::Unchecked, "the server shows no column of the row".to_owned()),
                none if none.is_empty() => (Verdict::Agrees, format!("{}, by the rules {name}", flags(&computed))),
                columns if may_be_lists => {
                    (Verdict::Unchecked, format!("by the rules {name}, {columns}, perhaps because the lists differ"))
                }
                columns => (Verdict::Differs, format!("by the rules {name}, {columns}")),
            }
        }
    };
    Check { name: "row", verdict, sentence }
}

/// What differs in a column.
fn difference(column: &str, stored: &Value, computed: &Value) -> String {
    let [stored, computed] = [stored, computed].map(Value::to_string);
    match stored.len().max(computed.len()) <= LONGEST_VALUE {
        true => format!("{column} is {computed} and not {stored}"),
        false => format!("{column} differs"),
    }
}

/// Compares values of a column. `measurement_meta` has scores as text, and null for no input.
fn is_equal(stored: &Value, computed: &Value) -> bool {
    match (stored, computed) {
        (Value::Null, Value::String(text)) => text.is_empty(),
        (Value::String(text), Value::Object(_)) => {
            serde_json::from_str(text).is_ok_and(|stored: Value| stored == *computed)
        }
        _ => stored == computed,
    }
}

/// The flags of a row in words.
fn flags(row: &Value) -> String {
    let names: Vec<&str> = ["anomaly", "confirmed", "failure"].into_iter().filter(|name| row[*name] == true).collect();
    if names.is_empty() { "no anomaly".to_owned() } else { names.join(", ") }
}

fn of_explanation(explained: &Explained, scored: &ScoredBody, lists: &Fingerprints) -> Check {
    let equal = |theirs: &Option<Scored>, rules| theirs.as_ref() == Some(&Scored::new(scored.of(rules)));
    let (verdict, sentence) = if explained.fixed.is_none() {
        (Verdict::Unchecked, "the server does not score such a large body again".to_owned())
    } else if explained.fingerprints_sha256 != lists.list_sha256() {
        (Verdict::Unchecked, "the server has other fingerprint lists now".to_owned())
    } else {
        let equal = equal(&explained.fixed, Rules::Fixed) && equal(&explained.compat, Rules::Compat);
        let sentence = if equal {
            "the rules that fired and the fingerprints that were found are the same here"
        } else {
            "other rules fired here, or other fingerprints were found"
        };
        (Verdict::of(equal), sentence.to_owned())
    };
    Check { name: "explanation", verdict, sentence }
}

fn text<'r>(row: &'r Map<String, Value>, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}
