//! Receive times and the texts that are made of them, in UTC.

use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};

/// Microseconds from 1970 to 2024-03-01 00:00, the first hour of a corpus.
pub(super) const FIRST_HOUR: u64 = 1_709_251_200_000_000;
/// Microseconds from 1970 to 2020-10-20 00:00, the first day of postcans and the last of older cans.
pub(super) const TURN: u64 = 1_603_152_000_000_000;
pub(super) const SECOND: u64 = 1_000_000;
pub(super) const HOUR: u64 = SECONDS_PER_HOUR as u64 * SECOND;
pub(super) const DAY: u64 = SECONDS_PER_DAY as u64 * SECOND;

/// A time to the microsecond.
pub(super) struct Moment {
    time: DateTime,
    micro: u64,
}

impl Moment {
    /// From microseconds since 1970.
    pub(super) fn new(micros: u64) -> Self {
        let time = i64::try_from(micros / SECOND).ok().and_then(DateTime::from_timestamp);
        Self { time: time.unwrap_or(DateTime::MAX), micro: micros % SECOND }
    }

    /// `2024-03-01 00:00:00`
    pub(super) fn spaced(&self) -> String {
        self.time.to_string()
    }

    /// `20240301T000000Z`
    pub(super) fn report(&self) -> String {
        let mut text = self.digits();
        text.insert("YYYYmmdd".len(), 'T');
        text + "Z"
    }

    /// `20240301000000.000000`
    pub(super) fn uid(&self) -> String {
        format!("{}.{:06}", self.digits(), self.micro)
    }

    /// `2024-03-01`
    pub(super) fn date(&self) -> String {
        self.time.date_text()
    }

    /// `2024030100`
    pub(super) fn hour(&self) -> String {
        let mut text = self.digits();
        text.truncate("YYYYmmddHH".len());
        text
    }

    /// `20240301000000`
    fn digits(&self) -> String {
        self.spaced().replace(['-', ' ', ':'], "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let m = Moment::new(FIRST_HOUR + 23 * HOUR + 61 * SECOND + 7);
        assert_eq!(m.spaced(), "2024-03-01 23:01:01");
        assert_eq!(m.report(), "20240301T230101Z");
        assert_eq!(m.uid(), "20240301230101.000007");
        assert_eq!(m.hour(), "2024030123");
        assert_eq!(m.date(), "2024-03-01");
        assert_eq!(Moment::new(TURN).spaced(), "2020-10-20 00:00:00");
    }
}
