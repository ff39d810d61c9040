//! `/`: an overview of the measurements, and the state of the server.

use super::chart::{Chart, inline};
use super::layout::{document, scrolling};
use super::outcome::Outcome;
use super::text::{counted, date, duration, hostile, link, number, time};
use crate::health::{Health, Status};
use maud::{Markup, html};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::Counts;

/// Countries and tests that are shown at first.
const TOP: usize = 10;
/// Countries and tests that are shown, including those under "more".
const MOST: usize = 300;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Home {
    /// When it is shown.
    pub now: DateTime,
    /// All measurements.
    pub counts: Counts,
    /// Measurements by country, with the name of the country.
    pub countries: Vec<Entry>,
    /// Measurements by test.
    pub tests: Vec<Entry>,
    /// Number of networks.
    pub networks: u64,
    /// The starts of the first and the last measurement.
    pub span: Option<(DateTime, DateTime)>,
    /// Measurements per hour.
    pub hours: Chart,
    /// The state of the server.
    pub health: Health,
    /// URL of this server.
    pub base_url: String,
}

/// A country or a test, and its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its value in searches.
    pub code: String,
    /// Its display name.
    pub name: String,
    /// Its counts.
    pub counts: Counts,
}

/// The page.
pub fn page(home: &Home) -> Markup {
    let content = html! {
        h1 { "Measurements of internet censorship" }
        p class="lead" {
            "This backend collects measurements of OONI Probe, scores them, archives them every hour, and publishes them here."
        }
        @if home.counts.measurements == 0 { (first_run(home)) } @else { (holdings(home)) }
        (pipeline(&home.health))
        (ways(home))
    };
    document("Overview", "/", &content)
}

fn holdings(home: &Home) -> Markup {
    html! {
        section aria-labelledby="holds" {
            h2 id="holds" { "Totals" }
            dl class="figures" {
                (figure("Measurements", html! { (number(home.counts.measurements)) }))
                (figure("Countries", html! { (number(home.countries.len() as u64)) }))
                (figure("Networks", html! { (number(home.networks)) }))
                @if let Some((first, last)) = home.span {
                    (figure("First day", date(first)))
                    (figure("Last day", date(last)))
                }
            }
            dl class="figures outcomes" {
                @for outcome in Outcome::ALL {
                    div {
                        dt { (outcome.badge()) }
                        dd {
                            a href=(link("/search", &[("outcome", outcome.name())])) { (number(outcome.count(&home.counts))) }
                            span class="note" { (outcome.meaning()) }
                        }
                    }
                }
            }
        }
        section aria-labelledby="hours" {
            h2 id="hours" { "Measurements per hour, last seven days" }
            (home.hours.render())
        }
        div class="columns" {
            (ranking("countries", "Countries", "Country", "probe_cc", &home.countries))
            (ranking("tests", "Tests", "Test", "test_name", &home.tests))
        }
    }
}

fn figure(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Countries or tests by their number of measurements.
fn ranking(id: &str, title: &str, column: &str, parameter: &str, entries: &[Entry]) -> Markup {
    let of = entries.first().map_or(0, |entry| entry.counts.measurements);
    let (top, rest) = entries[..entries.len().min(MOST)].split_at(entries.len().min(TOP));
    let (caption, more) = (format!("{id}-caption"), format!("{id}-more"));
    let table = |id: &str, caption: String, entries: &[Entry]| {
        let table = html! {
            table class="ranking" {
                caption id=(id) { (caption) }
                thead {
                    tr {
                        th scope="col" { (column) }
                        th scope="col" class="number" { "All" }
                        th scope="col" class="number" { "Confirmed" }
                        th scope="col" class="number" { "Anomaly" }
                    }
                }
                tbody {
                    @for entry in entries {
                        tr {
                            th scope="row" {
                                a href=(link("/search", &[(parameter, &entry.code)])) { (hostile(&entry.name, 60)) }
                                (inline(&entry.counts, of))
                            }
                            td class="number" { (number(entry.counts.measurements)) }
                            td class="number" { (number(entry.counts.confirmed)) }
                            td class="number" { (number(entry.counts.anomaly)) }
                        }
                    }
                }
            }
        };
        scrolling(id, &table)
    };
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            (table(&caption, format!("{title} with the most measurements"), top))
            @if !rest.is_empty() {
                details {
                    summary { (number(rest.len() as u64)) " more" }
                    (table(&more, format!("{title} with fewer measurements"), rest))
                }
            }
        }
    }
}

/// How to get the first measurements.
fn first_run(home: &Home) -> Markup {
    html! {
        section aria-labelledby="empty" {
            h2 id="empty" { "There are no measurements yet" }
            p { "A probe submits a measurement in two steps: it opens a report, and posts the measurement to it." }
            pre tabindex="0" aria-label="Commands that submit a measurement" {
                code {
                    "curl " (home.base_url) "/report \\\n    -d '{\"probe_cc\":\"IT\",\"probe_asn\":\"AS30722\",\"test_name\":\"torsf\"}'\n"
                    "curl " (home.base_url) "/report/REPORT_ID --data-binary @measurement.json"
                }
            }
            p { "Files and folders of measurements are imported when the server starts:" }
            pre tabindex="0" aria-label="Command that imports measurements" { code { "ooni-api serve --import examples/data" } }
            p { "A submitted measurement is scored within a second, and this page shows it within a minute." }
        }
    }
}

/// How many measurements were accepted, scored and archived.
fn pipeline(health: &Health) -> Markup {
    let (intake, scoring, archive) = (&health.parts.intake, &health.parts.scoring, &health.parts.archive);
    let (scored, archived) = (scoring.outcomes, archive.archived);
    html! {
        section aria-labelledby="pipeline" {
            h2 id="pipeline" { "From submission to archive" }
            p {
                @match health.status {
                    Status::Ok => { span class="state good" { "Everything works." } }
                    Status::Degraded => { span class="state fair" { "Submissions are accepted, but something else needs attention." } }
                    Status::Fail => { span class="state bad" { "Submissions are not accepted at the moment." } }
                }
                @if !health.errors.is_empty() { " " code { (health.errors.join(", ")) } }
                " " a href="/health" { "Details" }
            }
            ol class="steps" {
                li {
                    h3 { "Accepted" }
                    p class="figure" { (number(intake.accepted)) }
                    p class="note" { "submissions since this server was set up" }
                }
                li {
                    h3 { "Scored" }
                    p class="figure" { (number(scored.total())) }
                    p class="note" {
                        (number(scored.stored)) " stored, " (number(scored.discarded)) " discarded, "
                        (number(scored.rejected + scored.refused + scored.damaged)) " not usable. "
                        (waiting(scoring.pending, scoring.lag_seconds))
                    }
                }
                li {
                    h3 { "Archived" }
                    p class="figure" { (number(archived.postcans + archived.quarantined)) }
                    p class="note" {
                        "in " (counted(archived.cans, "file", "files")) ". " (waiting(archive.pending, archive.lag_seconds))
                    }
                }
            }
        }
    }
}

fn waiting(pending: u64, lag: f64) -> String {
    match pending {
        0 => "None waiting.".to_owned(),
        1 => format!("1 waiting, for {}.", duration(lag)),
        _ => format!("{} waiting, the oldest for {}.", number(pending), duration(lag)),
    }
}

/// Where to go from here.
fn ways(home: &Home) -> Markup {
    html! {
        section aria-labelledby="ways" {
            h2 id="ways" { "Use the data" }
            ul class="ways" {
                li { a href="/search" { "Search" } " for measurements by country, network, test, domain and address." }
                li { a href="/apidocs/" { "API" } " with measurements as JSON and CSV, and counts by time, country, network, test and more." }
            }
            p class="note" { "As of " (time(home.now)) "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Parts;
    use ooni_store::query::filter::Window;
    use ooni_store::query::grain::Grain;

    fn home(countries: Vec<Entry>) -> Home {
        let measurements = countries.iter().map(|entry| entry.counts.measurements).sum();
        Home {
            now: DateTime::new(2025, 7, 15, 10, 30, 0).unwrap(),
            counts: Counts { measurements, ..Counts::default() },
            countries,
            tests: Vec::new(),
            networks: 0,
            span: None,
            hours: Chart::new("hours", "Hours".to_owned(), Grain::Hour, Window::default(), &[]),
            health: Health::new(Parts::default(), false),
            base_url: "http://test".to_owned(),
        }
    }

    fn country(name: &str) -> Entry {
        Entry { code: name.to_owned(), name: name.to_owned(), counts: Counts { measurements: 1, ..Counts::default() } }
    }

    #[test]
    fn an_empty_store_says_what_to_do() {
        let html = page(&home(Vec::new())).into_string();
        assert!(html.contains("There are no measurements yet") && html.contains("curl http://test/report"), "{html}");
        assert!(!html.contains("Totals"), "{html}");
    }

    #[test]
    fn lists_are_bounded() {
        let countries: Vec<Entry> = (0..1000).map(|number| country(&format!("<{number}>"))).collect();
        let html = page(&home(countries)).into_string();
        assert_eq!(html.matches("/search?probe_cc=").count(), MOST);
        assert!(html.contains("290 more") && html.contains("&lt;0&gt;") && !html.contains("<0>"), "{html}");
    }
}
