//! Receive times: [`Timestamp`] and [`Hour`], and the [`Clock`] that is passed to everything that needs the time.
//!
//! Nothing else in this crate reads the system's clock, so tests choose the time. Timeouts use tokio's monotonic clock.

use ooni_core::time::{DateTime, SECONDS_PER_HOUR};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_HOUR: u64 = MICROS_PER_SECOND * SECONDS_PER_HOUR as u64;

/// A time in UTC, in microseconds since the start of 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last microsecond of the year 9999.
    pub const MAX: Timestamp = Timestamp((DateTime::MAX.timestamp() as u64 + 1) * MICROS_PER_SECOND - 1);

    /// The time this many microseconds after the start of 1970; at most [`Timestamp::MAX`].
    pub fn from_micros(micros: u64) -> Timestamp {
        Timestamp(micros).min(Timestamp::MAX)
    }

    /// The start of a second; the start of 1970 for an earlier time.
    pub fn from_date_time(time: DateTime) -> Timestamp {
        Timestamp::from_micros(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the start of 1970.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// Seconds since the start of 1970.
    pub fn seconds(self) -> u64 {
        self.0 / MICROS_PER_SECOND
    }

    /// The second that it is in.
    pub fn date_time(self) -> DateTime {
        i64::try_from(self.seconds()).ok().and_then(DateTime::from_timestamp).unwrap_or(DateTime::MAX)
    }

    /// The hour that it is in.
    pub fn hour(self) -> Hour {
        Hour(self.0 / MICROS_PER_HOUR)
    }

    /// Seconds from an earlier time to this one, with fractions; 0 if the other time is later.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / MICROS_PER_SECOND as f64
    }

    /// `YYYYmmddHHMMSS.ffffff`, as in measurement UIDs (API spec §1.7).
    pub fn uid_text(self) -> String {
        format!("{}.{:06}", compact(self.date_time()), self.0 % MICROS_PER_SECOND)
    }

    /// `YYYYmmddTHHMMSSZ`, as in report ids.
    pub fn report_text(self) -> String {
        let text = compact(self.date_time());
        format!("{}T{}Z", &text[..8], &text[8..])
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn iso_text(self) -> String {
        format!("{}Z", self.date_time().to_string().replace(' ', "T"))
    }
}

/// An hour in UTC. The intake log has a segment, and the archive has cans, for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(u64);

impl Hour {
    /// Its first microsecond.
    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0 * MICROS_PER_HOUR)
    }

    /// The hour after it.
    #[must_use]
    pub fn next(self) -> Hour {
        Hour(self.0 + 1)
    }

    /// Parses `YYYYmmddHH`.
    pub fn parse(text: &str) -> Option<Hour> {
        if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u8>().ok();
        let time = DateTime::new(text[..4].parse().ok()?, part(4..6)?, part(6..8)?, part(8..10)?, 0, 0)?;
        (time.timestamp() >= 0).then(|| Timestamp::from_date_time(time).hour())
    }
}

impl fmt::Display for Hour {
    /// `YYYYmmddHH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&compact(self.start().date_time())[..10])
    }
}

/// `YYYYmmddHHMMSS`.
fn compact(time: DateTime) -> String {
    time.to_string().bytes().filter(u8::is_ascii_digit).map(char::from).collect()
}

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the system. Builds with debug assertions obey `OONI_TEST_CLOCK`, for tests: `FROM:TO:RATE` is a clock
    /// that shows TO when the system's shows FROM, both in microseconds since 1970, and runs RATE times as fast.
    pub fn system() -> Clock {
        #[cfg(debug_assertions)]
        if let Some(clock) = std::env::var("OONI_TEST_CLOCK").ok().and_then(|text| Clock::shifted(&text)) {
            return clock;
        }
        Clock::new(system_now)
    }

    #[cfg(debug_assertions)]
    fn shifted(text: &str) -> Option<Clock> {
        let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
        let (from, to, rate) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Clock::new(move || {
            let elapsed = system_now().micros().saturating_sub(from);
            Timestamp::from_micros(to.saturating_add(elapsed.saturating_mul(rate)))
        }))
    }

    /// A clock that calls a function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

fn system_now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX))
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().iso_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let time = Timestamp::from_micros(1_612_822_030_181_572);
        assert_eq!(time.uid_text(), "20210208220710.181572");
        assert_eq!(time.report_text(), "20210208T220710Z");
        assert_eq!(time.iso_text(), "2021-02-08T22:07:10Z");
        assert_eq!(time.hour().to_string(), "2021020822");
        assert_eq!(Timestamp::from_micros(u64::MAX).uid_text(), "99991231235959.999999");
    }

    #[test]
    fn hours() {
        let hour = Hour::parse("2021020823").unwrap();
        assert_eq!(hour.next().to_string(), "2021020900");
        assert_eq!(hour.start().uid_text(), "20210208230000.000000");
        for text in ["", "202102082", "2021020824", "2021023000", "20210208 1", "1969123123", "20210208é"] {
            assert_eq!(Hour::parse(text), None, "{text}");
        }
    }
}
