//! `/search`: the form, the measurements that it finds, and their chart.

use super::chart::Chart;
use super::layout::{document, scrolling};
use super::outcome::Outcome;
use super::text::{counted, country, hostile, link, network, test, time};
use crate::http::Query;
use crate::names::{COUNTRIES, TEST_NAMES};
use maud::{Markup, html};
use ooni_store::query::filter::Window;
use ooni_store::query::list::MeasurementSummary;
use std::collections::BTreeMap;

/// Characters of an input in a list. The page of a measurement has all of it.
const LONGEST_INPUT: usize = 200;
/// Characters of a parameter that the form shows again.
const LONGEST_VALUE: usize = 2000;

/// Parameters of the page: those of the list of the API, and `outcome`.
pub const PARAMETERS: [&str; 20] = [
    "probe_cc",
    "probe_asn",
    "test_name",
    "domain",
    "input",
    "category_code",
    "since",
    "until",
    "outcome",
    "report_id",
    "anomaly",
    "confirmed",
    "failure",
    "software_version",
    "ooni_run_link_id",
    "order_by",
    "order",
    "limit",
    "offset",
    "after",
];

/// The fields of the form, and their labels.
const FIELDS: [(&str, &str); 9] = [
    ("probe_cc", "Country"),
    ("probe_asn", "Network"),
    ("test_name", "Test"),
    ("outcome", "Outcome"),
    ("domain", "Domain"),
    ("input", "Address that was tested"),
    ("category_code", "Category"),
    ("since", "From"),
    ("until", "Before"),
];

/// Categories of the test lists.
const CATEGORIES: [(&str, &str); 31] = [
    ("ALDR", "Alcohol and drugs"),
    ("ANON", "Anonymization and circumvention"),
    ("COMM", "E-commerce"),
    ("COMT", "Communication tools"),
    ("CTRL", "Control content"),
    ("CULTR", "Culture"),
    ("DATE", "Online dating"),
    ("ECON", "Economics"),
    ("ENV", "Environment"),
    ("FILE", "File sharing"),
    ("GAME", "Gaming"),
    ("GMB", "Gambling"),
    ("GOVT", "Government"),
    ("GRP", "Social networking"),
    ("HACK", "Hacking tools"),
    ("HATE", "Hate speech"),
    ("HOST", "Hosting and blogging"),
    ("HUMR", "Human rights"),
    ("IGO", "Intergovernmental organizations"),
    ("LGBT", "LGBT"),
    ("MILX", "Terrorism and militants"),
    ("MISC", "Miscellaneous"),
    ("MMED", "Media sharing"),
    ("NEWS", "News media"),
    ("POLR", "Political criticism"),
    ("PORN", "Pornography"),
    ("PROV", "Provocative attire"),
    ("PUBH", "Public health"),
    ("REL", "Religion"),
    ("SRCH", "Search engines"),
    ("XED", "Sex education"),
];

/// What the page shows.
#[derive(Clone, Debug)]
pub struct SearchPage<'a> {
    /// The parameters of the request.
    pub query: &'a Query,
    /// The parameters of the same search of the API.
    pub of_api: &'a Query,
    /// What was found, or why nothing could be.
    pub result: Result<Found, String>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The measurements of this page of the list.
    pub rows: Vec<MeasurementSummary>,
    /// Names of their networks.
    pub networks: BTreeMap<u32, String>,
    /// The period.
    pub window: Window,
    /// Measurements of the selection over time; `None` if counting them took too long.
    pub chart: Option<Chart>,
    /// The path of the next page of the list.
    pub next: Option<String>,
    /// Whether this is not the first page of the list.
    pub is_later: bool,
}

/// The page.
pub fn page(page: &SearchPage<'_>) -> Markup {
    let content = html! {
        h1 { "Search for measurements" }
        (form(page))
        @if let Ok(found) = &page.result { (results(page, found)) }
    };
    document("Search", "/search", &content)
}

fn form(page: &SearchPage<'_>) -> Markup {
    let query = page.query;
    let problem = page.result.as_ref().err().map(|message| Problem::of(message));
    let wrong = problem.as_ref().and_then(|problem| problem.field);
    let field = |name: &'static str, hint: &str, input: &dyn Fn(Attributes<'_>) -> Markup| {
        let label = FIELDS.iter().find(|(field, _)| *field == name).map_or(name, |(_, label)| label);
        let is_wrong = wrong == Some(name);
        let described = match (is_wrong, hint.is_empty()) {
            (true, _) => Some("problem".to_owned()),
            (false, false) => Some(format!("{name}-hint")),
            (false, true) => None,
        };
        html! {
            div class="field" {
                label for=(name) { (label) }
                (input(Attributes { name, is_wrong, described: described.as_deref() }))
                @if !hint.is_empty() { p class="hint" id={ (name) "-hint" } { (hint) } }
            }
        }
    };
    let text = |field: Attributes<'_>| text_field(query, &field, None);
    html! {
        form class="search" action="/search" method="get" {
            @if let Some(problem) = &problem {
                p class="problem" id="problem" role="alert" {
                    @if let Some(label) = problem.label { strong { (label) ": " } }
                    (problem.text)
                }
            }
            div class="fields" {
                (field("probe_cc", "A name or code, such as Italy or IT", &|field| text_field(query, &field, Some("countries"))))
                (field("probe_asn", "A number, such as AS3269", &text))
                (field("test_name", "", &|field| select(query, &field, &TEST_NAMES)))
                (field("outcome", "", &|field| select(query, &field, &Outcome::ALL.map(|outcome| (outcome.name(), outcome.label())))))
                (field("domain", "Such as www.example.com", &text))
                (field("input", "Exactly as it was tested, such as https://www.example.com/", &text))
                (field("category_code", "", &|field| select(query, &field, &CATEGORIES)))
                (field("since", "", &|field| date_field(query, &field)))
                (field("until", "", &|field| date_field(query, &field)))
            }
            datalist id="countries" {
                @for (code, name) in COUNTRIES { option value=(code) { (name) } }
            }
            p class="buttons" {
                button type="submit" { "Search" }
                " " a href="/search" { "Start again" }
            }
        }
    }
}

/// Attributes of a field.
struct Attributes<'a> {
    name: &'static str,
    is_wrong: bool,
    described: Option<&'a str>,
}

/// A message about a parameter, in the words of the form.
struct Problem<'m> {
    field: Option<&'static str>,
    label: Option<&'static str>,
    text: &'m str,
}

impl Problem<'_> {
    fn of(message: &str) -> Problem<'_> {
        let named = FIELDS.iter().find_map(|(name, label)| {
            Some((*name, *label, message.strip_prefix(name)?.strip_prefix(':')?.trim_start()))
        });
        match named {
            Some((name, label, text)) => Problem { field: Some(name), label: Some(label), text },
            None => Problem { field: None, label: None, text: message },
        }
    }
}

fn value<'q>(query: &'q Query, name: &str) -> &'q str {
    let value = query.get(name).unwrap_or_default();
    &value[..value.char_indices().nth(LONGEST_VALUE).map_or(value.len(), |(at, _)| at)]
}

fn text_field(query: &Query, field: &Attributes<'_>, list: Option<&str>) -> Markup {
    html! {
        input type="text" id=(field.name) name=(field.name) value=(value(query, field.name)) list=[list]
            autocomplete="off" autocapitalize="off" spellcheck="false"
            aria-invalid=[field.is_wrong.then_some("true")] aria-describedby=[field.described];
    }
}

/// A field for a date. A value that is not a date, such as a time, is shown as text.
fn date_field(query: &Query, field: &Attributes<'_>) -> Markup {
    let value = value(query, field.name);
    let is_date = value.is_empty()
        || value.len() == 10
            && value.bytes().enumerate().all(
                |(at, byte)| {
                    if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
                },
            );
    html! {
        input type=(if is_date { "date" } else { "text" }) id=(field.name) name=(field.name) value=(value)
            aria-invalid=[field.is_wrong.then_some("true")] aria-describedby=[field.described];
    }
}

/// A list to choose from. A value that is not in it, such as two tests, is added.
fn select(query: &Query, field: &Attributes<'_>, options: &[(&str, &str)]) -> Markup {
    let chosen = value(query, field.name);
    let is_known = chosen.is_empty() || options.iter().any(|(code, _)| *code == chosen);
    html! {
        select id=(field.name) name=(field.name)
            aria-invalid=[field.is_wrong.then_some("true")] aria-describedby=[field.described] {
            option value="" { "Any" }
            @if !is_known { option value=(chosen) selected { (chosen) } }
            @for (code, name) in options { option value=(code) selected[*code == chosen] { (name) } }
        }
    }
}

fn results(page: &SearchPage<'_>, found: &Found) -> Markup {
    let period = match (found.window.from, found.window.to) {
        // The bounds of the window are a second later than those of the query.
        (Some(from), Some(to)) => html! { "From " (time(before(from))) " to " (time(before(to))) "." },
        (Some(from), None) => html! { "Since " (time(before(from))) "." },
        (None, Some(to)) => html! { "Until " (time(before(to))) "." },
        (None, None) => html! { "Of any time." },
    };
    html! {
        section aria-labelledby="over-time" {
            h2 id="over-time" { "Over time" }
            p class="note" { (period) }
            @match &found.chart {
                Some(chart) => (chart.render()),
                None => p class="note" { "Counting these measurements took too long. Try a shorter period, one country or one test." },
            }
        }
        section aria-labelledby="results" {
            h2 id="results" { "Measurements" }
            @if found.rows.is_empty() {
                p { @if found.is_later { "There are no more measurements." } @else { "No measurement matches. Try a longer period or fewer conditions." } }
            } @else {
                (table(found, page.query.given("order").or(page.query.given("order_by")).is_none()))
            }
            @if let Some(next) = &found.next { p class="buttons" { a class="button" rel="next" href=(next) { "Next page" } } }
            p class="note api" {
                "As data: " a href=(api_path(page.of_api, None)) { "the same search in the API" } ", "
                a href=(api_path(page.of_api, Some("csv"))) { "all of it as CSV" } "."
            }
        }
    }
}

/// The path of the same search in the API, from its first measurement.
fn api_path(query: &Query, format: Option<&str>) -> String {
    let is_of_page = |name: &str| matches!(name, "offset" | "after") || format.is_some() && name == "limit";
    let pairs = query.pairs().iter().map(|(name, value)| (&**name, &**value));
    let pairs: Vec<_> =
        pairs.filter(|(name, _)| !is_of_page(name)).chain(format.map(|format| ("format", format))).collect();
    link("/api/v1/measurements", &pairs)
}

fn before(time: ooni_core::time::DateTime) -> ooni_core::time::DateTime {
    time.plus_seconds(-1).unwrap_or(time)
}

fn table(found: &Found, is_latest_first: bool) -> Markup {
    // With roles, because on narrow screens rows are shown as cards, and then browsers no longer treat it as a table.
    let table = html! {
        table class="cards" role="table" {
            caption id="results-caption" {
                (counted(found.rows.len() as u64, "measurement", "measurements"))
                @if is_latest_first { ", the latest first" }
            }
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["Time", "Outcome", "Country", "Network", "Test", "Input"] {
                        th role="columnheader" scope="col" { (name) }
                    }
                }
            }
            tbody role="rowgroup" { @for row in &found.rows { (line(row, &found.networks)) } }
        }
    };
    scrolling("results-caption", &table)
}

fn line(row: &MeasurementSummary, networks: &BTreeMap<u32, String>) -> Markup {
    let path = format!("/m/{}", super::text::encoded(&row.measurement_uid));
    let cell = |label: &str, content: Markup| html! { td role="cell" data-label=(label) { div { (content) } } };
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { a href=(path) { (time(row.measurement_start_time)) } }
            (cell("Outcome", Outcome::of(row).badge()))
            (cell("Country", country(&row.probe_cc)))
            (cell("Network", network(row.probe_asn, networks.get(&row.probe_asn).map(String::as_str))))
            (cell("Test", test(&row.test_name)))
            (cell("Input", html! {
                @if row.input.is_empty() { span class="note" { "none" } } @else { span class="input" { (hostile(&row.input, LONGEST_INPUT)) } }
            }))
        }
    }
}

/// The path of a search with one parameter.
pub fn search_path(name: &str, value: &str) -> String {
    link("/search", &[(name, value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(query: &str, result: Result<Found, String>) -> String {
        let query = Query::parse(Some(query));
        page(&SearchPage { query: &query, of_api: &query, result }).into_string()
    }

    #[test]
    fn an_error_is_beside_the_form_with_the_name_of_its_field() {
        let html = render("probe_asn=%22%3E%3Cscript%3E", Err("probe_asn: a number is expected".to_owned()));
        assert!(html.contains("<strong>Network: </strong>a number is expected</p>"), "{html}");
        assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{html}");
        assert!(
            html.contains("aria-invalid=\"true\" aria-describedby=\"problem\"") && !html.contains("<script"),
            "{html}"
        );
        assert_eq!(html.matches("aria-invalid").count(), 1, "{html}");
    }

    #[test]
    fn parameters_are_shown_again() {
        let html = render("test_name=a,b&since=2025-07-01&until=2025-07-01T10:00&outcome=anomaly", Err("x".to_owned()));
        assert!(html.contains("<option value=\"a,b\" selected>a,b</option>"), "{html}");
        assert!(html.contains("<option value=\"anomaly\" selected>Anomaly</option>"), "{html}");
        assert!(html.contains("type=\"date\" id=\"since\" name=\"since\" value=\"2025-07-01\""), "{html}");
        assert!(html.contains("type=\"text\" id=\"until\" name=\"until\" value=\"2025-07-01T10:00\""), "{html}");
        let long = render(&format!("domain={}", "ä".repeat(100_000)), Err("x".to_owned()));
        assert!(long.matches('ä').count() == LONGEST_VALUE);
    }

    #[test]
    fn the_api_gets_the_same_search() {
        let query = Query::parse(Some("probe_cc=IT&limit=5&offset=5&after=x"));
        assert_eq!(api_path(&query, None), "/api/v1/measurements?probe_cc=IT&limit=5");
        assert_eq!(api_path(&query, Some("csv")), "/api/v1/measurements?probe_cc=IT&format=csv");
        assert_eq!(api_path(&Query::default(), Some("csv")), "/api/v1/measurements?format=csv");
    }

    #[test]
    fn every_field_is_a_parameter() {
        assert!(FIELDS.iter().all(|(name, _)| PARAMETERS.contains(name)));
    }
}
