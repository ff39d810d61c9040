//! Which URLs a probe measures first (API spec §5.2): pure functions over test lists, counts and rules.

use ooni_store::ListedUrl;
use ooni_store::app::row::UrlPriority;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// The country of the global list.
pub const GLOBAL: &str = "ZZ";

/// A URL with the number of its measurements, its priority and its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// The URL in its list.
    pub entry: Arc<ListedUrl>,
    /// How often it was measured in this week and the last one.
    pub measurements: u64,
    /// The sum of all rules that match it.
    pub priority: i64,
    /// The priority for each measurement.
    pub weight: f64,
}

/// A URL as probes get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item<'l> {
    /// The category.
    pub category_code: &'l str,
    /// The country in upper case; `XX` for the global list.
    pub country_code: Cow<'l, str>,
    /// The URL.
    pub url: &'l str,
}

impl<'l> From<&'l ListedUrl> for Item<'l> {
    fn from(entry: &'l ListedUrl) -> Item<'l> {
        let country_code = match &*entry.cc {
            GLOBAL => Cow::Borrowed("XX"),
            cc if cc.bytes().all(|byte| byte.is_ascii_uppercase()) => Cow::Borrowed(cc),
            cc => Cow::Owned(cc.to_uppercase()),
        };
        Item { category_code: &entry.category_code, country_code, url: &entry.url }
    }
}

/// Puts URLs in the order that those with the same weight keep: country as stored, then URL, both by bytes.
pub fn sort(entries: &mut [Arc<ListedUrl>]) {
    entries.sort_by(|a, b| (&a.cc, &a.url, &a.category_code).cmp(&(&b.cc, &b.url, &b.category_code)));
}

/// The sum of the priorities of all rules that match an entry.
///
/// The country of a rule is only compared with that of a country's list. A rule of a country applies to the global list as
/// well when that country asks, since then there are no rules of other countries.
pub fn priority(entry: &ListedUrl, rules: &[UrlPriority]) -> i64 {
    let matches = |rule: &str, value: &str| matches!(rule, "" | "*") || rule == value;
    let cc = entry.cc.to_uppercase();
    let applies = |rule: &&UrlPriority| {
        matches(&rule.category_code, &entry.category_code)
            && matches(&rule.domain, &entry.domain)
            && matches(&rule.url, &entry.url)
            && (entry.cc == GLOBAL || matches(&rule.cc.to_uppercase(), &cc))
    };
    rules.iter().filter(applies).fold(0, |sum, rule| sum.saturating_add(rule.priority))
}

/// The weight of a URL. One without measurements counts as measured a tenth of a time.
pub fn weight(priority: i64, measurements: u64) -> f64 {
    priority as f64 / (measurements as f64).max(0.1)
}

/// All URLs, those with the highest weight first. URLs of the same weight keep their order.
pub fn rank(entries: &[(Arc<ListedUrl>, i64)], counts: &HashMap<String, u64>) -> Vec<Weighted> {
    let weighted = entries.iter().map(|(entry, priority)| {
        let measurements = counts.get(&entry.url).copied().unwrap_or(0);
        let weight = weight(*priority, measurements);
        Weighted { entry: Arc::clone(entry), measurements, priority: *priority, weight }
    });
    let mut ranked: Vec<_> = weighted.collect();
    ranked.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    ranked
}

/// The URLs that have a positive priority and one of these categories, or any category if there are none; at most `limit`.
pub fn select<'r>(
    ranked: &'r [Weighted],
    categories: &'r [String],
    limit: usize,
) -> impl Iterator<Item = &'r Weighted> + use<'r> {
    let is_wanted = move |weighted: &&Weighted| {
        weighted.priority > 0 && (categories.is_empty() || categories.contains(&weighted.entry.category_code))
    };
    ranked.iter().filter(is_wanted).take(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(cc: &str, category_code: &str, url: &str) -> Arc<ListedUrl> {
        let domain = url.split('/').nth(2).unwrap_or_default().to_owned();
        let [cc, category_code, url] = [cc, category_code, url].map(str::to_owned);
        Arc::new(ListedUrl { url, domain, cc, category_code })
    }

    fn rule(cc: &str, category_code: &str, domain: &str, url: &str, priority: i64) -> UrlPriority {
        let [cc, category_code, domain, url] = [cc, category_code, domain, url].map(str::to_owned);
        UrlPriority { category_code, cc, domain, url, priority }
    }

    #[test]
    fn rules_add_up() {
        let rules = [
            rule("*", "NEWS", "*", "*", 100),
            rule("", "", "", "", 1),
            rule("it", "NEWS", "*", "*", 20),
            rule("*", "*", "a.org", "*", -300),
            rule("*", "*", "*", "https://b.org/", 4000),
        ];
        for (cc, category_code, url, expected) in [
            ("it", "NEWS", "https://c.org/", 121),
            ("IT", "NEWS", "https://c.org/", 121),
            ("ZZ", "NEWS", "https://c.org/", 121),
            ("fr", "NEWS", "https://c.org/", 101),
            ("it", "HUMR", "https://c.org/", 1),
            ("it", "NEWS", "https://a.org/", -179),
            ("it", "GAME", "https://b.org/", 4001),
            ("it", "GAME", "http://b.org/", 1),
        ] {
            assert_eq!(priority(&entry(cc, category_code, url), &rules), expected, "{cc} {category_code} {url}");
        }
        assert_eq!(priority(&entry("it", "NEWS", "https://c.org/"), &[]), 0);
        let huge = [rule("*", "*", "*", "*", i64::MAX), rule("*", "*", "*", "*", i64::MAX)];
        assert_eq!(priority(&entry("it", "NEWS", "https://c.org/"), &huge), i64::MAX);
    }

    #[test]
    fn weights() {
        assert_eq!([weight(100, 0), weight(100, 1), weight(100, 4), weight(0, 0)], [1000.0, 100.0, 25.0, 0.0]);
        assert_eq!(weight(-50, 0), -500.0);
    }

    #[test]
    fn order_and_selection() {
        let mut entries = [
            entry("it", "NEWS", "https://a.org/"),
            entry("ZZ", "NEWS", "https://b.org/"),
            entry("ZZ", "GAME", "https://a.org/"),
            entry("IT", "NEWS", "https://z.org/"),
        ];
        sort(&mut entries);
        let urls = |entries: &[&ListedUrl]| entries.iter().map(|e| format!("{} {}", e.cc, e.url)).collect::<Vec<_>>();
        let sorted = ["IT https://z.org/", "ZZ https://a.org/", "ZZ https://b.org/", "it https://a.org/"];
        assert_eq!(urls(&entries.iter().map(|e| &**e).collect::<Vec<_>>()), sorted);
        let priorities: Vec<_> = entries.iter().cloned().zip([10, 10, 100, 0]).collect();
        let counts = HashMap::from([("https://b.org/".to_owned(), 1), ("https://z.org/".to_owned(), 0)]);
        let ranked = rank(&priorities, &counts);
        // All three weigh 100, and the last one nothing.
        assert_eq!(urls(&ranked.iter().map(|w| &*w.entry).collect::<Vec<_>>()), sorted);
        let selected = |categories: &[&str], limit| {
            let categories: Vec<String> = categories.iter().map(|&code| code.to_owned()).collect();
            select(&ranked, &categories, limit)
                .map(|w| Item::from(&*w.entry).country_code.into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(selected(&[], 100), ["IT", "XX", "XX"]);
        assert_eq!(selected(&["NEWS"], 100), ["IT", "XX"]);
        assert_eq!(selected(&["NEWS"], 1), ["IT"]);
        assert_eq!(selected(&["XXXX"], 100), [""; 0]);
        assert_eq!(selected(&[], 0), [""; 0]);
        assert_eq!(Item::from(&*entry("it", "NEWS", "https://a.org/")).country_code, "IT");
    }

    proptest! {
        #[test]
        fn ranking_keeps_all_and_is_stable(all in prop::collection::vec((-3..4i64, 0..3u64), 0..40), limit in 0..50usize) {
            let entries: Vec<_> =
                all.iter().enumerate().map(|(i, (priority, _))| (entry("ZZ", "NEWS", &i.to_string()), *priority)).collect();
            let counts = all.iter().enumerate().map(|(i, (_, count))| (i.to_string(), *count)).collect();
            let ranked = rank(&entries, &counts);
            let place = |weighted: &Weighted| weighted.entry.url.parse::<usize>().unwrap();
            for pair in ranked.windows(2) {
                prop_assert!(pair[0].weight >= pair[1].weight);
                prop_assert!(pair[0].weight > pair[1].weight || place(&pair[0]) < place(&pair[1]));
            }
            let mut places: Vec<_> = ranked.iter().map(place).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..all.len()).collect::<Vec<_>>());
            let positive = all.iter().filter(|(priority, _)| *priority > 0).count();
            let selected: Vec<_> = select(&ranked, &[], limit).collect();
            prop_assert_eq!(selected.len(), positive.min(limit));
            prop_assert!(selected.iter().all(|weighted| weighted.priority > 0));
        }
    }
}
