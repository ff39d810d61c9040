//! [`Mix`]: the requests of readers. Visitors of Explorer open pages, each of which makes a few requests; programs read
//! bodies and metadata. Values are random; those with the most rows are requested most often, so a cache has hits.

use super::held::Content;
use crate::rows;
use ooni_core::time::DateTime;
use ooni_testkit::corpus::rng::{Rng, Weighted};
use std::fmt::Write as _;
use std::sync::Arc;

/// A request.
#[derive(Debug)]
pub struct Call {
    /// The route, and what is asked of it.
    pub name: &'static str,
    /// Path and query.
    pub path: String,
}

/// What is visited.
#[derive(Clone, Copy, Debug)]
enum Visit {
    Measurement,
    Raw,
    Meta,
    Search,
    Chart,
    Country,
    Domain,
    Network,
    Home,
    Countries,
    Networks,
    Domains,
}

/// Visits and how often they occur.
const VISITS: [(Visit, f64); 12] = [
    (Visit::Measurement, 40.0),
    (Visit::Raw, 15.0),
    (Visit::Meta, 5.0),
    (Visit::Search, 20.0),
    (Visit::Chart, 8.0),
    (Visit::Country, 8.0),
    (Visit::Domain, 6.0),
    (Visit::Network, 5.0),
    (Visit::Home, 2.0),
    (Visit::Countries, 2.0),
    (Visit::Networks, 1.0),
    (Visit::Domains, 1.0),
];

/// Generates requests.
pub struct Mix {
    rng: Rng,
    visits: Weighted,
    countries: Weighted,
    networks: Weighted,
    sites: Weighted,
    content: Arc<Content>,
    archived: Arc<[String]>,
    /// The first day without rows.
    end: DateTime,
    next: Vec<Call>,
}

impl Mix {
    /// Creates a generator of requests for what a store contains and for archived bodies.
    pub fn new(seed: u64, content: &Arc<Content>, archived: &Arc<[String]>) -> Mix {
        let days = (content.rows / content.per_day.max(1)) as i64;
        let end = DateTime::from_timestamp(content.begin).and_then(|first| first.plus_days(days));
        Mix {
            rng: Rng::new(seed),
            visits: Weighted::new(VISITS.map(|(_, weight)| weight)),
            countries: Weighted::zipf(rows::COUNTRIES, 1.0),
            networks: Weighted::zipf(rows::NETWORKS, 0.9),
            sites: Weighted::zipf(rows::INPUTS, 0.6),
            content: Arc::clone(content),
            archived: Arc::clone(archived),
            end: end.unwrap_or(DateTime::MAX),
            next: Vec::new(),
        }
    }

    /// The next request.
    pub fn call(&mut self) -> Call {
        loop {
            if let Some(call) = self.next.pop() {
                return call;
            }
            let (visit, _) = VISITS[self.visits.draw(&mut self.rng)];
            self.visit(visit);
        }
    }

    fn visit(&mut self, visit: Visit) {
        let (month, year) = (self.window(30), self.window(365));
        match visit {
            Visit::Measurement => {
                let uid = self.archived_uid();
                self.add("measurement_meta, full", format!("/api/v1/measurement_meta?measurement_uid={uid}&full=true"));
            }
            Visit::Raw => {
                let uid = self.archived_uid();
                self.add("raw_measurement", format!("/api/v1/raw_measurement?measurement_uid={uid}"));
            }
            Visit::Meta => {
                let uid = &self.rng.pick(&self.content.noted).uid;
                let path = format!("/api/v1/measurement_meta?measurement_uid={uid}");
                self.add("measurement_meta", path);
            }
            Visit::Search => self.search(),
            Visit::Chart => self.chart(),
            Visit::Country => {
                let cc = self.country();
                self.add("country_overview", format!("/api/_/country_overview?probe_cc={cc}"));
                let of_month = format!("probe_cc={cc}{month}");
                self.aggregation("aggregation, country by day", &of_month, "measurement_start_day", "");
                self.aggregation(
                    "aggregation, country by day and test",
                    &of_month,
                    "measurement_start_day",
                    "test_name",
                );
                self.aggregation(
                    "aggregation, country by day, a year",
                    &format!("probe_cc={cc}{year}"),
                    "measurement_start_day",
                    "",
                );
            }
            Visit::Domain => {
                let domain = self.site().1;
                self.add("domain_metadata", format!("/api/_/domain_metadata?domain={domain}"));
                let of_month = format!("domain={domain}&test_name=web_connectivity{month}");
                self.aggregation("aggregation, domain by country", &of_month, "probe_cc", "");
                self.aggregation(
                    "aggregation, domain by day and country",
                    &of_month,
                    "measurement_start_day",
                    "probe_cc",
                );
                self.list("measurements, domain", &format!("&domain={domain}"));
            }
            Visit::Network => {
                let asn = self.network();
                self.add("asnmeta", format!("/api/_/asnmeta?asn={asn}"));
                let years = self.window(12 * 365);
                self.aggregation(
                    "aggregation, network by day, 12 years",
                    &format!("probe_asn={asn}{years}"),
                    "measurement_start_day",
                    "",
                );
                self.aggregation(
                    "aggregation, network by day and test",
                    &format!("probe_asn={asn}{month}"),
                    "measurement_start_day",
                    "test_name",
                );
            }
            Visit::Home => {
                self.add("global_overview", "/api/_/global_overview".to_owned());
                self.add("global_overview_by_month", "/api/_/global_overview_by_month".to_owned());
            }
            Visit::Countries => self.add("countries", "/api/_/countries".to_owned()),
            Visit::Networks => self.add("networks", "/api/_/networks".to_owned()),
            Visit::Domains => self.add("domains", "/api/_/domains".to_owned()),
        }
    }

    /// The search page: the filters that visitors set.
    fn search(&mut self) {
        match self.rng.below(10) {
            0 | 1 => self.list("measurements", ""),
            2 | 3 => {
                let cc = self.country();
                self.list("measurements, country", &format!("&probe_cc={cc}"));
            }
            4 => {
                let (cc, test) = (self.country(), self.test());
                self.list("measurements, country and test", &format!("&probe_cc={cc}&test_name={test}"));
            }
            5 => {
                let asn = self.network();
                self.list("measurements, network", &format!("&probe_asn=AS{asn}"));
            }
            6 => {
                let domain = self.site().1;
                self.list("measurements, domain", &format!("&domain={domain}"));
            }
            7 => {
                let input = self.site().0.replace(':', "%3A").replace('/', "%2F");
                self.list("measurements, input", &format!("&input={input}"));
            }
            8 => {
                let (cc, category) = (self.country(), rows::category(self.rng.index(31)));
                self.list("measurements, category", &format!("&category_code={category}&probe_cc={cc}"));
            }
            _ => {
                let cc = self.country();
                let flag = if self.rng.chance(0.5) { "anomaly" } else { "confirmed" };
                self.list("measurements, country, flagged", &format!("&probe_cc={cc}&{flag}=true"));
            }
        }
    }

    /// The chart builder.
    fn chart(&mut self) {
        let month = self.window(30);
        let of_web = |filter: &str| format!("test_name=web_connectivity{filter}{month}");
        match self.rng.below(8) {
            0 => self.aggregation(
                "aggregation, world by day and test",
                &month[1..],
                "measurement_start_day",
                "test_name",
            ),
            1 => self.aggregation(
                "aggregation, world by day and country",
                &of_web(""),
                "measurement_start_day",
                "probe_cc",
            ),
            2 => {
                let cc = self.country();
                let filter = of_web(&format!("&probe_cc={cc}"));
                self.aggregation("aggregation, country by day and domain", &filter, "measurement_start_day", "domain");
            }
            3 => {
                let cc = self.country();
                let filter = of_web(&format!("&probe_cc={cc}"));
                self.aggregation(
                    "aggregation, country by day and network",
                    &filter,
                    "measurement_start_day",
                    "probe_asn",
                );
            }
            4 => {
                let cc = self.country();
                let filter = of_web(&format!("&probe_cc={cc}"));
                self.aggregation("aggregation, country by domain", &filter, "domain", "");
            }
            5 => {
                let category = rows::category(self.rng.index(31));
                let filter = of_web(&format!("&category_code={category}"));
                self.aggregation("aggregation, category by day", &filter, "measurement_start_day", "");
            }
            6 => {
                let domain = self.site().1;
                let filter = of_web(&format!("&domain={domain}"));
                self.aggregation(
                    "aggregation, domain by day and country",
                    &filter,
                    "measurement_start_day",
                    "probe_cc",
                );
            }
            _ => {
                let (cc, test) = (self.country(), self.test());
                let filter = format!("probe_cc={cc}&test_name={test}{month}");
                self.aggregation(
                    "aggregation, country by day and kind of blocking",
                    &filter,
                    "measurement_start_day",
                    "blocking_type",
                );
            }
        }
    }

    fn add(&mut self, name: &'static str, path: String) {
        self.next.push(Call { name, path });
    }

    fn aggregation(&mut self, name: &'static str, filter: &str, axis_x: &str, axis_y: &str) {
        let mut path = format!("/api/v1/aggregation?{filter}&axis_x={axis_x}");
        if !axis_y.is_empty() {
            let _ = write!(path, "&axis_y={axis_y}"); // cannot fail
        }
        self.add(name, path);
    }

    fn list(&mut self, name: &'static str, filter: &str) {
        let window = self.window(30);
        self.add(name, format!("/api/v1/measurements?limit=50&order=desc&failure=false{filter}{window}"));
    }

    /// The last days.
    fn window(&self, days: i64) -> String {
        let first = self.end.plus_days(-days).unwrap_or(DateTime::MAX);
        format!("&since={:.10}&until={:.10}", first.to_string(), self.end.to_string())
    }

    fn archived_uid(&mut self) -> String {
        self.rng.pick(&self.archived).clone()
    }

    fn country(&mut self) -> String {
        rows::cc(self.countries.draw(&mut self.rng))
    }

    fn network(&mut self) -> usize {
        1 + self.networks.draw(&mut self.rng)
    }

    fn site(&mut self) -> (String, String) {
        rows::site(self.sites.draw(&mut self.rng))
    }

    fn test(&mut self) -> String {
        match self.rng.chance(0.5) {
            true => rows::test_name(0),
            false => rows::test_name(1 + self.rng.index(19)),
        }
    }
}
