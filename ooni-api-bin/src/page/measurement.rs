//! `/m/{measurement_uid}`: a measurement, why it was scored as it was, and its JSON.

use super::layout::{document, scrolling};
use super::outcome::Outcome;
use super::pretty::pretty;
use super::search::search_path;
use super::text::{bytes, counted, country, encoded, hostile, link, network, test};
use crate::explanation::Explained;
use crate::explanation::answer::{Agrees, Body, Fingerprint, Fired, Reading, Row, Scored, Status};
use maud::{Markup, html};
use serde_json::Value;

/// Bytes of a measurement that are shown.
const SHOWN: usize = 256 << 10;
/// Bytes of scores, and of a value, that are shown.
const SHOWN_SCORES: usize = 8 << 10;
/// Characters of a text of a measurement that are shown.
const LONGEST: usize = 2000;

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct MeasurementPage<'a> {
    /// The measurement and its explanation.
    pub explained: &'a Explained,
    /// The name of its network.
    pub network: Option<&'a str>,
    /// Its JSON, if it is available.
    pub body: Option<&'a [u8]>,
    /// URL of this server.
    pub base_url: &'a str,
}

/// The page.
pub fn page(page: &MeasurementPage<'_>) -> Markup {
    let explained = page.explained;
    let content = html! {
        @match &explained.row {
            Some(row) => (heading(page, row)),
            None => (without_row(explained)),
        }
        @if let Some(scored) = explained.compared() { (explanation(explained, scored)) }
        @if explained.row.is_some() { (verification(page)) }
        @if let Some(body) = page.body { (raw(&explained.measurement_uid, body)) }
    };
    document(&format!("Measurement {}", explained.measurement_uid), "", &content)
}

/// The row.
fn heading(page: &MeasurementPage<'_>, row: &Row) -> Markup {
    let outcome = outcome(row.failure, row.confirmed, row.anomaly);
    html! {
        h1 { (test(&row.test_name)) }
        @if !row.input.is_empty() { p class="lead input" { (hostile(&row.input, LONGEST)) } }
        p class="verdict" { (outcome.badge()) ": " (outcome.meaning()) (other_flags(row, outcome)) }
        dl class="facts" {
            (fact("Started", iso(&row.measurement_start_time)))
            (fact("Country", html! { a href=(search_path("probe_cc", &row.probe_cc)) { (country(&row.probe_cc)) } }))
            (fact("Network", html! {
                a href=(search_path("probe_asn", &row.probe_asn.to_string())) { (network(row.probe_asn, page.network)) }
            }))
            (fact("Test", html! { a href=(search_path("test_name", &row.test_name)) { code { (hostile(&row.test_name, 100)) } } }))
            (fact("Report", html! {
                a href=(search_path("report_id", &row.report_id)) { span class="uid" { (hostile(&row.report_id, 200)) } }
            }))
            (fact("Measurement", html! { span class="uid" { (hostile(&page.explained.measurement_uid, 200)) } }))
        }
        section aria-labelledby="scores" {
            h2 id="scores" { "Scores" }
            pre class="json" tabindex="0" role="region" aria-label="Scores as JSON" dir="ltr" {
                (pretty(row.scores.to_string().as_bytes(), SHOWN_SCORES).0)
            }
        }
    }
}

/// The flags of a row that its outcome does not name.
fn other_flags(row: &Row, outcome: Outcome) -> Markup {
    let flags = [(row.confirmed, Outcome::Confirmed), (row.anomaly, Outcome::Anomaly)];
    let others = flags.into_iter().filter(|(is_set, flag)| *is_set && *flag != outcome);
    let others: Vec<&str> = others.map(|(_, flag)| flag.name()).collect();
    html! { @if !others.is_empty() { span class="note" { " (also flagged: " (others.join(", ")) ")" } } }
}

fn without_row(explained: &Explained) -> Markup {
    let (title, text) = match explained.status {
        Status::Stored | Status::Pending => (
            "This measurement is not scored yet",
            "It was accepted and is waiting to be scored, which takes about a second.",
        ),
        Status::Discarded => ("This measurement was discarded", "It was accepted, but is excluded on purpose."),
        Status::Rejected => ("This measurement was rejected", "It was accepted, but cannot be parsed or scored."),
        Status::Refused => ("This measurement has no row", "It was scored, but its row cannot be stored."),
    };
    html! {
        h1 { (title) }
        p class="lead" { (text) }
        @if let Some(reason) = &explained.reason { p { (hostile(reason, LONGEST)) } }
        dl class="facts" { (fact("Measurement", html! { span class="uid" { (hostile(&explained.measurement_uid, 200)) } })) }
    }
}

fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn outcome(failure: bool, confirmed: bool, anomaly: bool) -> Outcome {
    match (failure, confirmed, anomaly) {
        (true, ..) => Outcome::Failure,
        (_, true, _) => Outcome::Confirmed,
        (_, _, true) => Outcome::Anomaly,
        _ => Outcome::Ok,
    }
}

/// A time as `2025-07-15T10:30:00Z`.
fn iso(text: &str) -> Markup {
    html! { time datetime=(text) { (text.replace('T', " ").trim_end_matches('Z')) " UTC" } }
}

/// Why it has these scores.
fn explanation(explained: &Explained, scored: &Scored) -> Markup {
    html! {
        section aria-labelledby="why" {
            h2 id="why" { "Why" }
            @if scored.fired.is_empty() && scored.fingerprints.is_empty() {
                p { "No rule found anything unusual." }
            }
            @if !scored.fired.is_empty() {
                h3 { "Rules that fired" }
                (rules(scored))
            }
            @if !scored.fingerprints.is_empty() {
                h3 { "Fingerprints that were found" }
                (fingerprints(scored))
            }
            h3 { "Results of both sets of rules" }
            (both(explained))
        }
    }
}

fn rules(scored: &Scored) -> Markup {
    let table = html! {
        table class="wide" {
            caption id="rules" { "Paths are JSON pointers into the measurement" }
            thead { tr { th scope="col" { "Rule" } th scope="col" { "Sets" } th scope="col" { "Values" } } }
            tbody { @for fired in &scored.fired { (rule(fired)) } }
        }
    };
    html! {
        (scrolling("rules", &table))
        @if scored.fired_omitted > 0 { p class="note" { "And " (counted(scored.fired_omitted as u64, "more rule", "more rules")) "." } }
    }
}

fn rule(fired: &Fired) -> Markup {
    html! {
        tr {
            th scope="row" { (fired.rule) }
            td class="key-name" { code { (fired.sets) } }
            td {
                ul class="values" { @for reading in &fired.reads { li { (value(reading)) } } }
                @if fired.reads_omitted > 0 { span class="note" { "and " (counted(fired.reads_omitted as u64, "more value", "more values")) } }
            }
        }
    }
}

fn value(reading: &Reading) -> Markup {
    html! {
        code { (hostile(&reading.path, LONGEST)) } " "
        @match &reading.value {
            None => span class="note" { "is missing" },
            Some(Value::String(text)) if reading.is_cut => { "is " (hostile(text, LONGEST)) },
            Some(value) => { "= " code { (hostile(&value.to_string(), LONGEST)) } },
        }
    }
}

fn fingerprints(scored: &Scored) -> Markup {
    let table = html! {
        table class="wide" {
            caption id="fingerprints" { "Offsets are in bytes of the decoded text" }
            thead {
                tr {
                    th scope="col" { "Fingerprint" }
                    th scope="col" { "Scope" }
                    th scope="col" { "Pattern" }
                    th scope="col" { "Found in" }
                    th scope="col" class="number" { "Offset" }
                    th scope="col" { "Confirms blocking" }
                }
            }
            tbody { @for found in &scored.fingerprints { (fingerprint(found)) } }
        }
    };
    html! {
        (scrolling("fingerprints", &table))
        @if scored.fingerprints_omitted > 0 {
            p class="note" { "And " (counted(scored.fingerprints_omitted as u64, "more fingerprint", "more fingerprints")) "." }
        }
    }
}

fn fingerprint(found: &Fingerprint) -> Markup {
    let more = found.also_at.len() + found.also_at_omitted;
    html! {
        tr {
            th scope="row" { code { (hostile(&found.name, 200)) } }
            td { (found.scope) }
            td { (found.pattern_type) " " code { (hostile(&found.pattern, 300)) } }
            td { (found.location_found) " " code { (hostile(&found.path, 500)) } }
            td class="number" { (found.offset) @if more > 0 { " and " (more) " more" } }
            td { @if found.confirmed { "Yes: " } @else { "No: " } (found.why) }
        }
    }
}

/// The results of both sets of rules, and where they differ.
fn both(explained: &Explained) -> Markup {
    let all = [("fixed", &explained.fixed), ("compat", &explained.compat)];
    let table = html! {
        table {
            caption id="both" { code { "compat" } " gives exactly the results of OONI's Python backend; " code { "fixed" } " repairs its known errors" }
            thead { tr { th scope="col" { "Rules" } th scope="col" { "Outcome" } th scope="col" { "Notes" } } }
            tbody {
                @for (name, scored) in all {
                    tr {
                        th scope="row" { code { (name) } }
                        td { (in_words(scored.as_ref())) }
                        td {
                            @if name == explained.compared_with { "the rules of the row" }
                            @if let Some(reason) = scored.as_ref().and_then(|scored| scored.reason.as_deref()) { " " (hostile(reason, LONGEST)) }
                        }
                    }
                }
            }
        }
    };
    html! {
        (scrolling("both", &table))
        @for difference in &explained.differences {
            p { "The repair " code { (difference.repair) } " makes a difference: " (hostile(&difference.with, LONGEST)) " instead of " (hostile(&difference.without, LONGEST)) "." }
        }
    }
}

fn in_words(scored: Option<&Scored>) -> Markup {
    let Some(scored) = scored else { return html! { "not known" } };
    match scored.outcome {
        Status::Stored | Status::Pending => {
            let is = |flag: Option<bool>| flag == Some(true);
            outcome(is(scored.failure), is(scored.confirmed), is(scored.anomaly)).badge()
        }
        Status::Discarded => html! { "discarded" },
        Status::Rejected => html! { "rejected" },
        Status::Refused => html! { "refused" },
    }
}

/// Whether the row is what this server computes, and how to check that elsewhere.
fn verification(page: &MeasurementPage<'_>) -> Markup {
    let explained = page.explained;
    let (agrees, row) = (&explained.agrees, explained.row.as_ref());
    let Agrees { row: of_row, ruleset, fingerprints, hash, .. } = agrees;
    let checks = [
        ("Row", "Scoring the body again gives this row.", of_row),
        ("Rules", "The row was made by the rules of this server.", ruleset),
        ("Fingerprints", "The row was made with the fingerprint lists of this server.", fingerprints),
        ("Body", "The body has the SHA-256 that the row names.", hash),
    ];
    let table = html! {
        table {
            caption id="checks" { "What agrees" }
            thead { tr { th scope="col" { "Part" } th scope="col" { "Agrees" } th scope="col" { "What that means" } } }
            tbody {
                @for (name, meaning, check) in checks {
                    tr {
                        th scope="row" { (name) }
                        td {
                            @match check {
                                Some(true) => strong class="good" { "Yes" },
                                Some(false) => strong class="bad" { "No" },
                                None => span class="note" { "Not known" },
                            }
                        }
                        td { (meaning) }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="verify" {
            h2 id="verify" { "Verification" }
            p { (hostile(&agrees.sentence, LONGEST)) }
            (scrolling("checks", &table))
            @if explained.body.is_some() {
                p { "You can verify this on another machine. This command fetches the body, scores it, and compares the result:" }
                pre class="command" tabindex="0" role="region" aria-label="Command that verifies this measurement" {
                    code { "ooni-api verify " (explained.measurement_uid) " --url " (page.base_url) }
                }
            }
            dl class="facts wide" {
                (fact("Rules of the row", html! { code { (row.map_or("", |row| &row.ruleset)) } }))
                (fact("Rules of this server", html! { code { (explained.ruleset) } }))
                (fact("Lists of the row", sha(row.map_or("", |row| &row.fingerprints_sha256))))
                (fact("Lists of this server", sha(&explained.fingerprints_sha256)))
                (fact("Body of the row", sha(row.map_or("", |row| &row.body_sha256))))
                @if let Some(body) = &explained.body { (fact("Body as it is kept", of_body(body))) }
            }
        }
    }
}

fn of_body(body: &Body) -> Markup {
    html! {
        (sha(&body.sha256))
        p class="note" {
            (bytes(body.bytes))
            @if !body.is_original { "; not the bytes that were scored" }
        }
    }
}

fn sha(sha: &str) -> Markup {
    html! { @if sha.is_empty() { span class="note" { "not known" } } @else { span class="uid" { (sha) } } }
}

/// The JSON, or its beginning.
fn raw(uid: &str, body: &[u8]) -> Markup {
    let (text, is_all) = pretty(body, SHOWN);
    html! {
        section aria-labelledby="raw" {
            h2 id="raw" { "Measurement as JSON" }
            p {
                a href=(link("/api/v1/raw_measurement", &[("measurement_uid", uid)])) { "As it was submitted" } ", "
                a href={ "/api/v1/measurement/" (encoded(uid)) "?download=true" } { "as a file" }
                " (" (bytes(body.len() as u64)) "), and "
                a href={ "/api/v1/measurement/" (encoded(uid)) "/explanation" } { "its explanation as data" } "."
            }
            @if !is_all { p class="note" { "This is the beginning of the measurement, with line breaks added." } }
            pre class="json" tabindex="0" role="region" aria-label="JSON of the measurement" dir="ltr" { (text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An explanation, with some members replaced.
    fn explained(change: impl FnOnce(&mut Value)) -> Explained {
        let scored = json!({
            "outcome": "stored", "reason": null, "anomaly": true, "confirmed": false, "failure": false, "scores": {},
            "fired": [{"rule": "a rule", "sets": "blocking_general", "reads_omitted": 3, "reads": [
                {"path": "/test_keys/x", "value": "<i>\u{202e}", "is_cut": false}, {"path": "/test_keys/y", "is_cut": false}]}],
            "fired_omitted": 1, "fingerprints": [], "fingerprints_omitted": 0,
        });
        let mut value = json!({
            "measurement_uid": "20250715000000.000000_IT_webconnectivity_0000000000000000", "status": "stored", "reason": null,
            "row": {
                "report_id": "20250715T000000Z_webconnectivity_IT_30722_n1_0000000000000000", "input": "javascript:alert(1)//<script>",
                "probe_cc": "IT", "probe_asn": 30722, "test_name": "web_connectivity", "test_start_time": "2025-07-15T00:00:00Z",
                "measurement_start_time": "2025-07-15T00:00:01Z", "anomaly": true, "confirmed": false, "failure": false,
                "is_verified": "u", "scores": {"blocking_general": 1.0}, "ruleset": "fixed/1", "fingerprints_sha256": "ab",
                "body_sha256": "cd",
            },
            "body": {"sha256": "cd", "bytes": 2, "is_original": true, "report_id": null, "is_verified": null},
            "ruleset": "fixed/1", "fingerprints_sha256": "ab", "compared_with": "fixed", "fixed": scored, "compat": scored,
            "differences": [],
            "agrees": {"row": true, "ruleset": true, "fingerprints": null, "hash": false, "differing": [], "sentence": "It agrees."},
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn render(explained: &Explained, body: &[u8]) -> String {
        let page_of =
            MeasurementPage { explained, network: Some("<b>Net</b>"), body: Some(body), base_url: "https://api.test" };
        page(&page_of).into_string()
    }

    #[test]
    fn hostile_text_is_text() {
        let html = render(&explained(|_| {}), b"{\"a\":\"</pre><script>\\u202e\xe2\x80\xae\"}");
        assert!(!html.contains("<script") && !html.contains("<i>") && !html.contains('\u{202e}'), "{html}");
        assert!(!html.contains("href=\"javascript"), "{html}");
        assert!(html.contains("<bdi>javascript:alert(1)//&lt;script&gt;</bdi>"), "{html}");
        assert!(html.contains("&quot;a&quot;: &quot;&lt;/pre&gt;&lt;script&gt;\\u202e\\u202e&quot;"), "{html}");
    }

    #[test]
    fn it_says_why_and_how_to_verify() {
        let html = render(&explained(|value| value["row"]["failure"] = true.into()), b"{}");
        for text in [
            "a rule",
            "/test_keys/x",
            "is missing",
            "and 3 more values",
            "And 1 more rule.",
            "ooni-api verify 20250715000000.000000_IT_webconnectivity_0000000000000000 --url https://api.test",
            "<th scope=\"row\">Row</th><td><strong class=\"good\">Yes</strong></td>",
            "<th scope=\"row\">Fingerprints</th><td><span class=\"note\">Not known</span></td>",
            "<th scope=\"row\">Body</th><td><strong class=\"bad\">No</strong></td>",
            "the rules of the row",
            "(also flagged: anomaly)",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn without_a_row_it_says_what_became_of_it() {
        for (status, text) in
            [("pending", "not scored yet"), ("discarded", "was discarded"), ("rejected", "was rejected")]
        {
            let explained = explained(|value| {
                value["status"] = status.into();
                value["reason"] = "because <of> this".into();
                (value["row"], value["body"], value["fixed"], value["compat"]) = Default::default();
            });
            let html =
                page(&MeasurementPage { explained: &explained, network: None, body: None, base_url: "" }).into_string();
            assert!(
                html.contains(text) && html.contains("because &lt;of&gt; this") && !html.contains("Verification"),
                "{html}"
            );
        }
    }

    #[test]
    fn the_json_is_bounded() {
        let body = format!("[{}0]", "1,".repeat(1 << 20));
        let html = render(&explained(|_| {}), body.as_bytes());
        assert!(html.len() < 2 * SHOWN && html.contains("the beginning of the measurement"), "{}", html.len());
    }
}
