//! [`Search`]: the parameters that select and order measurements, of the list and of the search page (API spec §4.1).

mod after;

use crate::http::{Error, Query};
use crate::params::{self, invalid};
use hyper::StatusCode;
use ooni_core::time::DateTime;
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::list::{List, MeasurementSummary, Order};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::RangeInclusive;

/// The values that `limit` can have.
pub const LIMITS: RangeInclusive<u64> = 1..=1_000_000;
/// The default of `limit`.
pub const DEFAULT_LIMIT: u32 = 100;
/// The length of the window without `since`, in days.
const DAYS: i64 = 30;
/// What `order_by` can be.
pub const ORDERS: [&str; 5] = ["measurement_start_time", "input", "probe_cc", "probe_asn", "test_name"];
/// What is percent-encoded in a form, besides letters and digits. A space is `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A search for measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The page to read: with a cursor it begins after a row, else after `offset` rows.
    pub list: List,
    /// The rows before the page, as the client counts them.
    pub offset: u64,
    /// Whether the limit was given, and is not the default.
    pub is_limited: bool,
    /// `since` and `until`, given or by default. The pages of a list have the same, even if the day changes meanwhile.
    bounds: [Option<DateTime>; 2],
}

/// Parses a query. `now` is for the default window.
///
/// # Errors
/// 400 for a parameter that cannot be used; 403 for measurements of an unknown country or network, which are not public.
pub fn parse(query: &Query, now: DateTime) -> Result<Search, Error> {
    let bounds = bounds(query, now)?;
    let filter = filter(query, window(bounds))?;
    let order = order(query)?;
    let descending = match query.given("order").unwrap_or("desc").to_ascii_lowercase().as_str() {
        "desc" => true,
        "asc" => false,
        _ => return Err(invalid("order", "asc or desc")),
    };
    let offset = params::integer(query, "offset", 0..=i64::MAX as u64)?.unwrap_or(0);
    let limit = params::integer(query, "limit", LIMITS)?.and_then(|limit| u32::try_from(limit).ok());
    let order = match query.given(after::PARAMETER) {
        Some(text) => after::parse(&order, text)?,
        None => order,
    };
    if filter.probe_ccs.iter().any(|cc| cc == "ZZ") || filter.probe_asns.contains(&0) {
        let message = "Measurements of an unknown country (ZZ) or network (AS0) cannot be searched";
        return Err(Error::new(StatusCode::FORBIDDEN, message));
    }
    let skipped = if after::is_first(&order) { offset } else { 0 };
    let list = List { filter, order, descending, offset: skipped, limit: limit.unwrap_or(DEFAULT_LIMIT) };
    Ok(Search { list, offset, is_limited: limit.is_some(), bounds })
}

fn filter(query: &Query, window: Window) -> Result<Filter, Error> {
    let report_id = params::report_id(query, "report_id")?;
    let input = params::text(query, "input")?;
    // An input has one domain and its categories.
    let is_by_input = input.is_some();
    let domains = params::text(query, "domain")?.map(|_| params::commas(query, "domain")).unwrap_or_default();
    let code = query.given("category_code").filter(|_| !is_by_input);
    let link = params::integer(query, "ooni_run_link_id", 0..=u64::MAX)?;
    let probe_ccs = params::commas(query, "probe_cc");
    let probe_asns = params::asns(query, "probe_asn")?;
    Ok(Filter {
        window,
        report_id,
        input,
        domains: if is_by_input { Vec::new() } else { domains },
        only_known_cc: probe_ccs.is_empty(),
        only_known_asn: probe_asns.is_empty(),
        probe_ccs,
        probe_asns,
        test_names: params::commas(query, "test_name"),
        category: code.map(|code| Category { code: code.to_owned(), lists: Vec::new() }),
        only_listed: false,
        anomaly: params::boolean(query, "anomaly")?,
        confirmed: params::boolean(query, "confirmed")?,
        failure: params::boolean(query, "failure")?,
        software_versions: params::commas(query, "software_version"),
        test_versions: params::commas(query, "test_version"),
        engine_versions: params::commas(query, "engine_version"),
        ooni_run_link_ids: link.into_iter().collect(),
    })
}

/// `since` and `until`. Unless a report is given, there are defaults: the 30 days before tomorrow.
fn bounds(query: &Query, now: DateTime) -> Result<[Option<DateTime>; 2], Error> {
    let (since, until) = (params::time(query, "since")?, params::time(query, "until")?);
    if query.given("report_id").is_some() {
        return Ok([since, until]);
    }
    let until = until.or_else(|| DateTime::from_day_number(now.day_number() + 1));
    Ok([since.or_else(|| until?.plus_days(-DAYS)), until])
}

/// After `since`, and up to and including `until`.
fn window([since, until]: [Option<DateTime>; 2]) -> Window {
    // Times of rows are whole seconds. Nothing is after the last time there is.
    let after = |time: DateTime| time.plus_seconds(1);
    match since.map(after) {
        Some(None) => Window::new(DateTime::MAX, DateTime::MAX),
        from => Window { from: from.flatten(), to: until.and_then(after) },
    }
}

fn order(query: &Query) -> Result<Order, Error> {
    let name = query.given("order_by").unwrap_or(ORDERS[0]).to_ascii_lowercase();
    Ok(match &*name {
        "measurement_start_time" => Order::MeasurementStartTime(None),
        "input" => Order::Input(None),
        "probe_cc" => Order::ProbeCc(None),
        "probe_asn" => Order::ProbeAsn(None),
        "test_name" => Order::TestName(None),
        _ => return Err(invalid("order_by", &format!("one of {}", ORDERS.join(", ")))),
    })
}

impl Search {
    /// The query of the page that begins `rows` rows after the start of this one, after the row `last`: the same parameters, with
    /// `offset`, `limit` and a cursor.
    ///
    /// Without `limit`, it has the limit of `query`, if that has one.
    pub fn next_query(&self, query: &Query, limit: Option<u32>, rows: u64, last: &MeasurementSummary) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for (name, value) in query.pairs() {
            if pairs.iter().all(|(known, _)| known != name) {
                pairs.push((name, value.clone()));
            }
        }
        let mut set = |name, value| match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some(pair) => pair.1 = value,
            None => pairs.push((name, value)),
        };
        for (name, bound) in ["since", "until"].into_iter().zip(self.bounds) {
            if let Some(bound) = bound.filter(|_| query.given(name).is_none()) {
                set(name, format!("{}Z", bound.to_string().replace(' ', "T")));
            }
        }
        set("offset", self.offset.saturating_add(rows).to_string());
        if let Some(limit) = limit {
            set("limit", limit.to_string());
        }
        match after::text(&self.list.order.after(last)) {
            Some(cursor) => set(after::PARAMETER, cursor),
            None => pairs.retain(|(name, _)| *name != after::PARAMETER),
        }
        let pair = |(name, value): &(&str, String)| format!("{}={}", form(name), form(value));
        pairs.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

/// A text, encoded for the query of a URL.
pub fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2025-07-15T10:30:00Z";

    fn time(text: &str) -> DateTime {
        params::parse_time(text).unwrap()
    }

    fn of(query: &str) -> Result<Search, Error> {
        parse(&Query::parse(Some(query)), time(NOW))
    }

    fn row(uid: &str) -> MeasurementSummary {
        MeasurementSummary {
            measurement_uid: uid.to_owned(),
            report_id: "20250701T000000Z_ndt_IT_3269_n1_aaaaaaaaaaaaaaaa".to_owned(),
            input: "https://example.com/ü,\"'".to_owned(),
            probe_cc: "IT".to_owned(),
            probe_asn: 3269,
            test_name: "ndt".to_owned(),
            test_start_time: time(NOW),
            measurement_start_time: time(NOW),
            scores: "{}".to_owned(),
            anomaly: false,
            confirmed: false,
            failure: false,
            is_verified: "u".to_owned(),
            ruleset: String::new(),
            fingerprints_sha256: String::new(),
            body_sha256: String::new(),
            category_code: None,
        }
    }

    #[test]
    fn windows() {
        let of = |query: &str| of(query).unwrap().list.filter.window;
        let window = |from, to| Window::new(time(from), time(to));
        assert_eq!(of(""), window("2025-06-16T00:00:01", "2025-07-16T00:00:01"));
        assert_eq!(of("until=2025-03-31"), window("2025-03-01T00:00:01", "2025-03-31T00:00:01"));
        assert_eq!(of("since=2025-07-20"), window("2025-07-20T00:00:01", "2025-07-16T00:00:01"));
        assert_eq!(
            of("since=2020-01-01T10:00:00.9&until=2020-01-02"),
            window("2020-01-01T10:00:01", "2020-01-02T00:00:01")
        );
        let report = "report_id=20250701T000000Z_ndt_IT_3269_n1_aaaaaaaaaaaaaaaa";
        assert_eq!(of(report), Window::default());
        assert_eq!(of(&format!("{report}&until=2025-07-01")).from, None);
        assert_eq!(of("since=9999-12-31T23:59:59"), Window::new(DateTime::MAX, DateTime::MAX));
        assert_eq!(of("until=0001-01-02").from, None);
        assert_eq!(of("until=9999-12-31T23:59:59").to, None);
    }

    #[test]
    fn filters() {
        let filter = of("probe_cc=IT,xx&probe_asn=AS1,2&test_name=ndt&domain=a.org,+b.org&category_code=NEWS").unwrap();
        let Filter { probe_ccs, probe_asns, domains, category, only_known_cc, only_known_asn, .. } = filter.list.filter;
        assert_eq!(
            (probe_ccs.join(" "), probe_asns, domains.join(" ")),
            ("IT xx".to_owned(), vec![1, 2], "a.org b.org".to_owned())
        );
        assert_eq!((category.unwrap().code, only_known_cc, only_known_asn), ("NEWS".to_owned(), false, false));
        let filter = of("input=https://a.org/&domain=b.org&category_code=NEWS").unwrap().list.filter;
        assert_eq!((filter.domains.len(), filter.category, filter.only_known_cc), (0, None, true));
        for query in ["probe_cc=IT,ZZ", "probe_asn=0", "probe_asn=1,AS0"] {
            assert_eq!(of(query).unwrap_err().status(), 403, "{query}");
        }
        for query in [
            "report_id=short",
            "input=ab",
            "domain=ab",
            "probe_asn=as3269",
            "since=today",
            "anomaly=maybe",
            "ooni_run_link_id=x",
            "order_by=scores",
            "order=up",
            "offset=-1",
            "limit=0",
            "limit=1000001",
        ] {
            let error = of(query).unwrap_err();
            assert_eq!(error.status(), 400, "{query}");
            let name = query.split_once('=').unwrap().0;
            assert!(format!("{error:?}").contains(name), "{error:?}");
        }
    }

    #[test]
    fn the_next_page_begins_after_the_last_row() {
        let row = row("20250701000000.000000_IT_ndt_0123456789abcdef");
        for order_by in ORDERS {
            let query = format!("x=a+b&limit=7&order_by={order_by}&x=c&offset=14&%C3%A4=%26");
            let search = of(&query).unwrap();
            let next = search.next_query(&Query::parse(Some(&query)), Some(7), 7, &row);
            let window = "since=2025-06-16T00%3A00%3A00Z&until=2025-07-16T00%3A00%3A00Z";
            let start = format!("x=a+b&limit=7&order_by={order_by}&offset=21&%C3%A4=%26&{window}&after=");
            assert!(next.starts_with(&start), "{next}");
            let search = of(&next).unwrap();
            assert_eq!((search.offset, search.list.offset, search.list.limit), (21, 0, 7));
            assert_eq!(search.list.order, search.list.order.after(&row));
            // The page after that has one cursor.
            assert_eq!(
                search.next_query(&Query::parse(Some(&next)), Some(7), 7, &row),
                next.replace("offset=21", "offset=28")
            );
        }
    }

    #[test]
    fn the_next_page_has_the_same_window() {
        let row = row("20250701000000.000000_IT_ndt_0123456789abcdef");
        let next = |query: &str| {
            let search = of(query).unwrap();
            let next = search.next_query(&Query::parse(Some(query)), None, 100, &row);
            let tomorrow = time(NOW).plus_days(1).unwrap();
            let later = parse(&Query::parse(Some(&next)), tomorrow).unwrap();
            assert_eq!(later.list.filter, search.list.filter, "{next}");
            next
        };
        assert!(next("since=").starts_with("since=2025-06-16T00%3A00%3A00Z&until=2025-07-16T00%3A00%3A00Z&"));
        assert!(next("until=2025-07-01").starts_with("until=2025-07-01&since=2025-06-01T00%3A00%3A00Z&"));
        let report = "report_id=20250701T000000Z_ndt_IT_3269_n1_aaaaaaaaaaaaaaaa";
        assert!(next(report).starts_with(&format!("{report}&offset=100&after=")));
    }

    #[test]
    fn a_cursor_that_is_too_long_is_replaced_by_the_offset() {
        let long = MeasurementSummary { input: "x".repeat(5000), ..row("u") };
        let query = "order_by=input&since=2025-07-01&until=2025-07-02&after=%5B%22a%22%2C%22b%22%5D&offset=1";
        let next = of(query).unwrap().next_query(&Query::parse(Some(query)), Some(100), 100, &long);
        assert_eq!(next, "order_by=input&since=2025-07-01&until=2025-07-02&offset=101&limit=100");
        assert_eq!(of(&next).unwrap().list.offset, 101);
    }

    #[test]
    fn cursors_of_another_order_are_refused() {
        for (order_by, cursor) in [
            ("measurement_start_time", r#"["IT","u"]"#),
            ("measurement_start_time", r#"[999999999999999999,"u"]"#),
            ("probe_asn", r#"[-1,"u"]"#),
            ("probe_asn", r#"[4294967296,"u"]"#),
            ("input", r#"[1,"u"]"#),
            ("probe_cc", r#"["IT"]"#),
            ("test_name", r#"["ndt","u","v"]"#),
            ("input", "x"),
        ] {
            let error = of(&format!("order_by={order_by}&after={}", form(cursor))).unwrap_err();
            assert_eq!(error.status(), 400, "{cursor}");
        }
    }
}
