//! Dates of the receive times, in UTC.

/// Microseconds from 1970 to 2024-03-01 00:00, the first hour of a corpus.
pub(super) const FIRST_HOUR: u64 = 1_709_251_200_000_000;
pub(super) const SECOND: u64 = 1_000_000;
pub(super) const HOUR: u64 = 3600 * SECOND;

/// A moment taken apart.
pub(super) struct Moment {
    date: (u64, u64, u64),
    time: (u64, u64, u64),
    micro: u64,
}

impl Moment {
    /// From microseconds since 1970.
    pub(super) fn new(micros: u64) -> Self {
        let seconds = micros / SECOND;
        let of_day = seconds % 86400;
        Self {
            date: civil(seconds / 86400),
            time: (of_day / 3600, of_day / 60 % 60, of_day % 60),
            micro: micros % SECOND,
        }
    }

    /// `2024-03-01 00:00:00`
    pub(super) fn spaced(&self) -> String {
        let ((y, m, d), (h, min, s)) = (self.date, self.time);
        format!("{y:04}-{m:02}-{d:02} {h:02}:{min:02}:{s:02}")
    }

    /// `20240301T000000Z`
    pub(super) fn report(&self) -> String {
        let ((y, m, d), (h, min, s)) = (self.date, self.time);
        format!("{y:04}{m:02}{d:02}T{h:02}{min:02}{s:02}Z")
    }

    /// `20240301000000.000000`
    pub(super) fn uid(&self) -> String {
        let ((y, m, d), (h, min, s)) = (self.date, self.time);
        format!("{y:04}{m:02}{d:02}{h:02}{min:02}{s:02}.{:06}", self.micro)
    }

    /// `2024030100`
    pub(super) fn hour(&self) -> String {
        let ((y, m, d), (h, ..)) = (self.date, self.time);
        format!("{y:04}{m:02}{d:02}{h:02}")
    }
}

/// Year, month and day of a count of days from 1970 (Howard Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
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
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_088), (2024, 12, 31));
    }
}
