//! [`Jsonl`]: one JSON object per line, serialized as the reference does (scoring spec §14).
//!
//! There is one difference: a lone surrogate, which the reference writes as `\ud83d`, is written as `\ufffd`, because
//! DuckDB and other readers reject the former. Only [`Jsonl::exact`] keeps it.
//!
//! | Key | When | What |
//! |---|---|---|
//! | `measurement_uid` | always | text, or `null` if there is none |
//! | `outcome` | always | `stored`, `discarded` or `rejected` |
//! | `row` | stored | the 26 columns of `fastpath` in order |
//! | `openvpn` | stored, for that test | the columns of `obs_openvpn` |
//! | `reason` | discarded | `no_report_id`, `unknown_country` or `unknown_network` |
//! | `error` | rejected | `code`, `path`, `message` |
//! | `source` | rejected | `file`, and `member`, `line`, `entry`, `byte` if known, see [`Place`] |
//! | `ruleset` | always | `rules`, `version`, `fingerprints` |
//! | `explanation` | requested | `fired`, `fingerprints`, `differences` |

use super::{Place, ScoredEntry, Sink};
use ooni_core::error::Error;
use ooni_core::explain::Explanation;
use ooni_core::json::{Json, replace_lone_surrogates, write_json, write_text};
use ooni_core::process::Outcome;
use ooni_core::rules::Ruleset;
use serde::Serialize;

/// JSON lines.
#[derive(Debug)]
pub struct Jsonl {
    /// The end of each line, without the explanation: `,"ruleset":{…}`.
    ruleset: Vec<u8>,
    /// Whether lone surrogates are kept.
    is_exact: bool,
}

impl Jsonl {
    /// A sink for measurements scored with this ruleset.
    pub fn new(ruleset: &Ruleset) -> Jsonl {
        let Ruleset { rules, version, fingerprints } = ruleset;
        let members = [("rules", rules), ("version", version), ("fingerprints", fingerprints)];
        let value = Json::object(members.map(|(key, text)| (key, Json::from(text.as_str()))));
        let mut ruleset = b",\"ruleset\":".to_vec();
        write_json(&value, &mut ruleset);
        Jsonl { ruleset, is_exact: false }
    }

    /// Keeps lone surrogates as the reference writes them, to compare scorers.
    pub fn exact(self) -> Jsonl {
        Jsonl { is_exact: true, ..self }
    }
}

impl Sink for Jsonl {
    fn write(&mut self, entry: &ScoredEntry<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"{\"measurement_uid\":");
        match entry.uid {
            Some(uid) => write_text(uid.as_bytes(), out),
            None => out.extend_from_slice(b"null"),
        }
        match entry.outcome {
            Outcome::Stored { row, openvpn } => {
                out.extend_from_slice(b",\"outcome\":\"stored\",\"row\":");
                row.write_json(out);
                if let Some(openvpn) = openvpn {
                    out.extend_from_slice(b",\"openvpn\":");
                    openvpn.write_json(out);
                }
            }
            Outcome::Discarded { reason } => {
                out.extend_from_slice(b",\"outcome\":\"discarded\",\"reason\":");
                write_text(reason.as_str().as_bytes(), out);
            }
            Outcome::Rejected { error } => {
                out.extend_from_slice(b",\"outcome\":\"rejected\",\"error\":");
                write_error(error, out);
                out.extend_from_slice(b",\"source\":");
                write_place(entry.place, out);
            }
        }
        out.extend_from_slice(&self.ruleset);
        if let Some(explanation) = entry.explanation {
            out.extend_from_slice(b",\"explanation\":");
            write_explanation(explanation, out);
        }
        out.extend_from_slice(b"}\n");
        if !self.is_exact {
            replace_lone_surrogates(&mut out[start..]);
        }
    }
}

fn write_error(error: &Error, out: &mut Vec<u8>) {
    let members = [("code", error.code.as_str()), ("path", &error.path), ("message", &error.message)];
    write_json(&Json::object(members.map(|(key, text)| (key, Json::from(text)))), out);
}

fn write_place(place: &Place<'_>, out: &mut Vec<u8>) {
    let int = |number: u64| Json::from(i64::try_from(number).unwrap_or(i64::MAX));
    let mut members = vec![(b"file".to_vec(), Json::from(place.file))];
    if let Some(member) = place.member {
        members.push((b"member".to_vec(), Json::from(&*String::from_utf8_lossy(member))));
    }
    for (key, number) in [("line", place.line), ("entry", place.entry), ("byte", place.byte)] {
        if let Some(number) = number {
            members.push((key.as_bytes().to_vec(), int(number)));
        }
    }
    write_json(&Json::Object(members), out);
}

fn write_explanation(explanation: &Explanation, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Part<'e> {
        fired: &'e [ooni_core::trace::Fired],
        fingerprints: &'e [ooni_core::trace::Found],
        differences: &'e [ooni_core::explain::Difference],
    }
    let Explanation { fired, fingerprints, differences, .. } = explanation;
    // Converted to a `Json` value to be serialized as the rest. Neither step can fail for these types.
    let text = serde_json::to_vec(&Part { fired, fingerprints, differences }).unwrap_or_default();
    let value: Json = serde_json::from_slice(&text).unwrap_or_default();
    write_json(&value, out);
}
