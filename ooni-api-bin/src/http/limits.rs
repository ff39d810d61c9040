//! `Limits`: how much response time each client may use (API spec §11).
//!
//! A request is charged when its response is ready, in units of 10 milliseconds, since its cost is known only then. One that
//! begins while its client has units left is completed, even if it costs more than that.

use super::error::Error;
use super::lru::Lru;
use super::network::Networks;
use crate::config;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use ooni_core::time::{SECONDS_PER_DAY, SECONDS_PER_HOUR};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a client has left of the limit of which it has the least left.
pub(super) const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// A unit, in milliseconds.
const UNIT: u128 = 10;
/// Parts of a period. A unit is returned when its whole part is older than the period: a client never uses more than its
/// limit in any period, and waits a part longer than it would have to.
const PARTS: u64 = 12;
/// A day, in seconds.
const DAY: u64 = SECONDS_PER_DAY as u64;
/// The longest period, in seconds: what most months have.
const MAX_PERIOD: u64 = 31 * DAY;

/// Limits of a client: what it may use in each of some periods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rate(Vec<Limit>);

/// The units of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    units: u32,
    period: Duration,
}

impl Rate {
    /// Parses limits such as `4000/hour;200000/7day`: units per second, minute, hour or day, or per a number of these. No
    /// limits if the text is empty.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Rate, String> {
        let items = text.split(';').map(str::trim).filter(|_| !text.trim().is_empty());
        let limits = items.map(|item| Limit::parse(item).ok_or_else(|| expected(item)));
        limits.collect::<Result<_, _>>().map(Rate)
    }
}

fn expected(item: &str) -> String {
    format!("{item:?}: expected units per period of at most 31 days, such as 4000/hour or 200000/7day")
}

impl Limit {
    fn parse(text: &str) -> Option<Limit> {
        let (units, period) = text.split_once('/')?;
        let (units, period) = (units.trim(), period.trim());
        let digits = period.len() - period.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (count, unit) = period.split_at(digits);
        let seconds = match unit.trim() {
            "second" => 1,
            "minute" => 60,
            "hour" => SECONDS_PER_HOUR as u64,
            "day" => DAY,
            _ => return None,
        };
        let count = if count.is_empty() { 1 } else { count.parse::<u64>().ok()? };
        let seconds = count.checked_mul(seconds).filter(|seconds| (1..=MAX_PERIOD).contains(seconds))?;
        let units = units.bytes().all(|byte| byte.is_ascii_digit()).then(|| units.parse().ok()).flatten()?;
        (units > 0).then_some(Limit { units, period: Duration::from_secs(seconds) })
    }

    /// The length of a part, in milliseconds.
    fn part(&self) -> u64 {
        (self.period.as_millis() as u64).div_ceil(PARTS)
    }
}

/// What each client has used. Clients that were not seen for the longest time are forgotten when there are too many.
pub(super) struct Limits {
    rate: Rate,
    exempt: Networks,
    start: Instant,
    clients: Mutex<Lru<Client, Usage>>,
}

/// Whose requests are counted together: an IPv4 address, or the /64 network of an IPv6 address, all of which usually belongs
/// to one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    pub(super) fn of(address: IpAddr) -> Client {
        Client(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
            address => address,
        })
    }
}

/// What a client has used of each limit.
#[derive(Debug)]
struct Usage {
    /// When that was last brought up to date, in milliseconds.
    at: u64,
    /// Units by limit and part. The place of a part is its number modulo one more than [`PARTS`].
    parts: Box<[[u32; PARTS as usize + 1]]>,
}

/// A client that may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exceeded {
    /// When some of its units are returned.
    after: Duration,
}

impl Limits {
    /// # Errors
    /// A setting cannot be used. The text names it.
    pub(super) fn open(settings: &config::Limits) -> Result<Limits, String> {
        Ok(Limits {
            rate: Rate::parse(&settings.rate).map_err(|error| format!("limits.rate: {error}"))?,
            exempt: Networks::parse(&settings.exempt).map_err(|error| format!("limits.exempt: {error}"))?,
            start: Instant::now(),
            clients: Mutex::new(Lru::new(settings.max_clients as u64)),
        })
    }

    /// The account of a client; `None` if it is not limited.
    pub(super) fn account(self: &Arc<Limits>, client: IpAddr) -> Option<Account> {
        let is_limited = !self.rate.0.is_empty() && !self.exempt.contains(client);
        is_limited.then(|| Account { limits: Arc::clone(self), client: Client::of(client) })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn clients(&self) -> MutexGuard<'_, Lru<Client, Usage>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client may use and has used.
#[derive(Clone)]
pub(super) struct Account {
    limits: Arc<Limits>,
    client: Client,
}

impl Account {
    /// The units that the client has left.
    ///
    /// # Errors
    /// 429 if it has none.
    pub(super) fn check(&self) -> Result<u32, Error> {
        let limits = &*self.limits;
        let result = match limits.clients().get(&self.client) {
            Some(usage) => usage.remaining(&limits.rate, limits.now()),
            None => Ok(limits.rate.0.iter().map(|limit| limit.units).min().unwrap_or(u32::MAX)),
        };
        result.map_err(|exceeded| {
            let seconds = exceeded.after.as_secs_f64().ceil().max(1.0) as u64;
            Error::new(StatusCode::TOO_MANY_REQUESTS, "quota exceeded")
                .with_header(X_RATELIMIT_REMAINING, HeaderValue::from(0))
                .with_header(RETRY_AFTER, HeaderValue::from(seconds))
        })
    }

    /// The units that the client has left, 0 if it has none.
    pub(super) fn remaining(&self) -> u32 {
        self.check().unwrap_or(0)
    }

    /// Charges the client. Returns what it has left.
    fn charge(&self, units: u32) -> u32 {
        let limits = &*self.limits;
        let now = limits.now();
        let mut clients = limits.clients();
        if let Some(usage) = clients.get(&self.client) {
            return usage.charge(&limits.rate, now, units);
        }
        let mut usage = Usage::new(&limits.rate, now);
        let remaining = usage.charge(&limits.rate, now, units);
        clients.insert(self.client, usage, 1);
        remaining
    }
}

/// A request in progress, which is charged when it ends.
pub(super) struct Meter {
    account: Account,
    elapsed: Duration,
    /// Since when the time counts; `None` while it does not.
    since: Option<Instant>,
    charged: u32,
}

impl Meter {
    pub(super) fn start(account: Account) -> Meter {
        Meter { account, elapsed: Duration::ZERO, since: Some(Instant::now()), charged: 0 }
    }

    /// The time counts again.
    pub(super) fn resume(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// The time does not count, as while the client takes what there is of a stream.
    pub(super) fn pause(&mut self) {
        self.elapsed += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Charges what the request has cost so far, and pauses. Returns what its client has left.
    pub(super) fn charge(&mut self) -> u32 {
        self.pause();
        let cost = u32::try_from(self.elapsed.as_millis() / UNIT).unwrap_or(u32::MAX).max(1);
        let units = cost.saturating_sub(self.charged);
        self.charged = cost;
        self.account.charge(units)
    }
}

/// The rest of a stream, or a request whose client did not wait for the response.
impl Drop for Meter {
    fn drop(&mut self) {
        self.charge();
    }
}

impl Usage {
    fn new(rate: &Rate, now: u64) -> Usage {
        Usage { at: now, parts: vec![[0; PARTS as usize + 1]; rate.0.len()].into_boxed_slice() }
    }

    /// Forgets what is older than the periods.
    fn advance(&mut self, rate: &Rate, now: u64) {
        let now = now.max(self.at);
        for (limit, parts) in rate.0.iter().zip(&mut self.parts) {
            let (from, to) = (self.at / limit.part(), now / limit.part());
            for number in (from + 1..=to).take(parts.len()) {
                parts[place(number)] = 0;
            }
        }
        self.at = now;
    }

    fn charge(&mut self, rate: &Rate, now: u64, units: u32) -> u32 {
        self.advance(rate, now);
        for (limit, parts) in rate.0.iter().zip(&mut self.parts) {
            let part = &mut parts[place(self.at / limit.part())];
            *part = part.saturating_add(units);
        }
        self.remaining(rate, now).unwrap_or(0)
    }

    /// The units left of the scarcest limit.
    fn remaining(&mut self, rate: &Rate, now: u64) -> Result<u32, Exceeded> {
        self.advance(rate, now);
        let mut remaining = u32::MAX;
        let mut after = None;
        for (limit, parts) in rate.0.iter().zip(&self.parts) {
            let used: u64 = parts.iter().map(|units| u64::from(*units)).sum();
            match u64::from(limit.units).checked_sub(used) {
                Some(left @ 1..) => remaining = remaining.min(u32::try_from(left).unwrap_or(u32::MAX)),
                _ => after = after.max(Some(self.returned_at(limit, parts, used) - self.at)),
            }
        }
        after.map_or(Ok(remaining), |millis| Err(Exceeded { after: Duration::from_millis(millis) }))
    }

    /// When fewer units than the limit are left of those used, in milliseconds.
    fn returned_at(&self, limit: &Limit, parts: &[u32], used: u64) -> u64 {
        let current = self.at / limit.part();
        let mut used = used;
        for number in current.saturating_sub(PARTS)..=current {
            used -= u64::from(parts[place(number)]);
            if used < u64::from(limit.units) {
                return (number + PARTS + 1) * limit.part();
            }
        }
        self.at
    }
}

/// The place of a part.
fn place(number: u64) -> usize {
    (number % (PARTS + 1)) as usize
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("rate", &self.rate).finish_non_exhaustive() // without addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000;

    fn usage(rate: &str) -> (Rate, Usage) {
        let rate = Rate::parse(rate).unwrap();
        let usage = Usage::new(&rate, 0);
        (rate, usage)
    }

    #[test]
    fn rates() {
        let limits = |text: &str| {
            let pairs = |limit: &Limit| (limit.units, limit.period.as_secs());
            Rate::parse(text).map(|rate| rate.0.iter().map(pairs).collect::<Vec<_>>())
        };
        let production = "4000/hour;400000/day;200000/7day";
        assert_eq!(limits(production), Ok(vec![(4000, 3600), (400_000, 86_400), (200_000, 604_800)]));
        assert_eq!(limits(" 1 / 2 minute ; 3/10second"), Ok(vec![(1, 120), (3, 10)]));
        assert_eq!((limits(""), limits(" ")), (Ok(vec![]), Ok(vec![])));
        for text in [
            "4000",
            "/hour",
            "4000/",
            "4000/fortnight",
            "-1/hour",
            "+1/hour",
            "0/hour",
            "1/0day",
            "1/32day",
            "1/hour;",
            "1/hour,2/day",
            "1/hours",
            "5000000000/hour",
            "1/99999999999999999999day",
            "1/hour/2",
        ] {
            let error = limits(text).unwrap_err();
            assert!(error.contains("expected units per period"), "{text}: {error}");
        }
    }

    #[test]
    fn units_come_back_after_the_period() {
        let (rate, mut usage) = usage("100/hour;150/day");
        assert_eq!(usage.remaining(&rate, 0), Ok(100));
        assert_eq!(usage.charge(&rate, 1, 60), 40);
        // More than is left: nothing is left, and all of it counts.
        assert_eq!(usage.charge(&rate, HOUR / 2, 80), 0);
        let after = |millis| Err(Exceeded { after: Duration::from_millis(millis) });
        // After the first 60 units are returned, 80 are used.
        assert_eq!(usage.remaining(&rate, HOUR / 2), after(HOUR / 2 + HOUR / 12));
        assert_eq!(usage.remaining(&rate, HOUR), after(HOUR / 12));
        assert_eq!(usage.remaining(&rate, HOUR + HOUR / 12), Ok(10)); // of the day
        assert_eq!(usage.charge(&rate, 2 * HOUR, 10), 0);
        assert_eq!(usage.remaining(&rate, 2 * HOUR), after(24 * HOUR)); // a part of the day is two hours
        assert_eq!(usage.remaining(&rate, 26 * HOUR), Ok(100));
    }

    #[test]
    fn a_clock_that_goes_back_returns_nothing() {
        let (rate, mut usage) = usage("10/hour");
        usage.charge(&rate, 5 * HOUR, 4);
        assert_eq!(usage.remaining(&rate, HOUR), Ok(6));
        assert_eq!(usage.remaining(&rate, u64::MAX), Ok(10));
    }

    proptest! {
        /// Compared with a list of all charges.
        #[test]
        fn no_period_has_more_than_its_limit(charges in prop::collection::vec((0..20_u64, 0..9_u32), 1..200)) {
            let (rate, mut usage) = usage("50/minute;200/10minute");
            let (mut now, mut list) = (0, Vec::new());
            for (seconds, units) in charges {
                now += seconds * 1000;
                let used = |millis: u64| -> u32 {
                    list.iter().filter(|(at, _)| now - at < millis).map(|(_, units)| units).sum()
                };
                let exact = 50_u32.saturating_sub(used(60_000)).min(200_u32.saturating_sub(used(600_000)));
                let with_a_part = |millis| used(millis + millis / PARTS);
                let least = 50_u32.saturating_sub(with_a_part(60_000)).min(200_u32.saturating_sub(with_a_part(600_000)));
                let remaining = usage.remaining(&rate, now);
                prop_assert!((least..=exact).contains(&remaining.unwrap_or(0)), "{remaining:?} {least} {exact}");
                if let Err(Exceeded { after }) = remaining {
                    let after = after.as_millis() as u64;
                    let mut later = Usage { at: usage.at, parts: usage.parts.clone() };
                    prop_assert!(later.remaining(&rate, now + after - 1).is_err());
                    prop_assert!(later.remaining(&rate, now + after).is_ok());
                }
                usage.charge(&rate, now, units);
                list.push((now, units));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests() {
        let settings =
            config::Limits { rate: "10/hour".to_owned(), exempt: vec!["192.0.2.0/24".to_owned()], max_clients: 2 };
        let limits = Arc::new(Limits::open(&settings).unwrap());
        let account = |address: &str| limits.account(address.parse().unwrap());
        assert!(account("192.0.2.7").is_none());
        let client = account("2001:db8::1").unwrap();
        // A request costs at least one unit, one of 49 ms costs four.
        let mut meter = Meter::start(client.clone());
        assert_eq!(meter.charge(), 9);
        drop(meter);
        let mut meter = Meter::start(client.clone());
        tokio::time::advance(Duration::from_millis(49)).await;
        assert_eq!(meter.charge(), 5);
        // A stream is charged again at its end, without the time in which it waited for the client.
        tokio::time::advance(Duration::from_secs(60)).await;
        meter.resume();
        tokio::time::advance(Duration::from_millis(30)).await;
        meter.resume();
        meter.pause();
        tokio::time::advance(Duration::from_secs(60)).await;
        meter.pause();
        drop(meter);
        assert_eq!(client.check().unwrap(), 2);
        // A request may cost more than is left.
        let meter = Meter::start(client.clone());
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(meter);
        let error = client.check().unwrap_err();
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
        // Its network shares the account; others do not.
        assert_eq!(account("2001:db8::ffff:0:0:1").unwrap().remaining(), 0);
        assert_eq!(account("2001:db8:0:1::1").unwrap().remaining(), 10);
        assert_eq!(account("::ffff:198.51.100.1").unwrap().charge(1), 9);
        assert_eq!(account("198.51.100.1").unwrap().remaining(), 9);
        // A third client takes the place of the one that was not seen for the longest time.
        assert_eq!(client.remaining(), 0);
        account("198.51.100.2").unwrap().charge(1);
        assert_eq!((client.remaining(), limits.clients().len()), (0, 2));
        assert_eq!(account("198.51.100.2").unwrap().remaining(), 9);
        account("198.51.100.3").unwrap().charge(1);
        assert_eq!((account("198.51.100.2").unwrap().remaining(), client.remaining()), (9, 10));
        tokio::time::advance(Duration::from_secs(2 * 3600)).await;
        assert_eq!(account("198.51.100.3").unwrap().remaining(), 10);
    }
}
