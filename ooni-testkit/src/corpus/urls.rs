//! URLs to measure: those of the fixtures, and plausible URLs of fictional hosts in the proportions of the public test
//! lists (81 % https, half with `www.`, 9 % with a path).

use super::bodies::LATIN;
use super::json::escape;
use super::rng::{Rng, Weighted};

/// A URL and its host, both escaped.
pub(super) struct Url {
    pub(super) url: String,
    pub(super) host: String,
}

/// A global list, and one list for each country, in the order of the countries.
pub(super) struct Urls {
    global: Vec<Url>,
    local: Vec<Vec<Url>>,
}

const GLOBAL: usize = 1500;
const LOCAL: usize = 60;
const DOMAINS: [(&str, f64); 10] = [
    ("com", 45.0),
    ("org", 30.0),
    ("net", 6.0),
    ("io", 2.0),
    ("info", 2.0),
    ("co.uk", 1.5),
    ("me", 1.0),
    ("gov", 1.0),
    ("edu", 1.0),
    ("tv", 0.5),
];

impl Urls {
    /// `known`: inputs of the fixtures, escaped.
    pub(super) fn new(rng: &mut Rng, known: impl Iterator<Item = String>, countries: &[&str]) -> Self {
        let domains = Weighted::new(DOMAINS.map(|(_, weight)| weight));
        let mut global: Vec<Url> = known
            .filter_map(|url| {
                let host = host_of(&url)?.to_owned();
                Some(Url { url, host })
            })
            .collect();
        global.extend((0..GLOBAL).map(|_| {
            let domain = DOMAINS[domains.draw(rng)].0;
            made_up(rng, domain)
        }));
        let local = countries.iter().map(|cc| (0..LOCAL).map(|_| made_up(rng, &cc.to_lowercase())).collect()).collect();
        Self { global, local }
    }

    /// A URL for the country with this index: two in five are from its own list.
    pub(super) fn pick(&self, rng: &mut Rng, country: usize) -> &Url {
        match self.local.get(country) {
            Some(local) if rng.chance(0.4) => rng.pick(local),
            _ => rng.pick(&self.global),
        }
    }
}

/// The host, with its port if it has one, of an escaped http or https URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https:\\/\\/").or_else(|| url.strip_prefix("http:\\/\\/"))?;
    rest.split("\\/").next()
}

fn made_up(rng: &mut Rng, domain: &str) -> Url {
    let syllables: Vec<&str> = LATIN.split(' ').collect();
    let name = |rng: &mut Rng, from, to| -> String {
        let n = rng.range(from, to);
        (0..n).map(|_| *rng.pick(&syllables)).collect()
    };
    let www = if rng.chance(0.52) { "www." } else { "" };
    let mut host = format!("{www}{}", name(rng, 3, 6));
    if rng.chance(0.06) {
        host = format!("{host}-{}", name(rng, 1, 3));
    }
    host = format!("{host}.{domain}");
    let scheme = if rng.chance(0.81) { "https" } else { "http" };
    let mut path = String::from("/");
    if rng.chance(0.09) {
        let segments: Vec<String> = (0..rng.range(1, 4)).map(|_| name(rng, 3, 6)).collect();
        path.push_str(&segments.join("/"));
        if rng.chance(0.2) {
            path.push_str(&format!("?id={}", rng.below(100_000)));
        }
    }
    Url { url: escape(&format!("{scheme}://{host}{path}")), host: escape(&host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_like_the_public_ones() {
        let urls = Urls::new(&mut Rng::new(1), std::iter::once("http:\\/\\/a.example:80\\/x".to_owned()), &["IT"]);
        assert_eq!(urls.global[0].host, "a.example:80");
        let lengths: usize = urls.global.iter().map(|u| u.url.replace('\\', "").len()).sum();
        assert!((20..30).contains(&(lengths / urls.global.len())), "{lengths}");
        assert!(urls.local[0].iter().all(|u| u.host.ends_with(".it") && host_of(&u.url) == Some(&u.host)));
    }
}
