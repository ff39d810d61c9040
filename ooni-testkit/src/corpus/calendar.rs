//! Dates of the receive times, in UTC.

/// Microseconds from 1970 to 2024-03-01 00:00, the first hour of a corpus.
pub(super) const FIRST_HOUR: u64 = 1_709_251_200_000_000;
/// Microseconds from 1970 to 2020-10-20 00:00, the first day of postcans and the last of older cans.
pub(super) const TURN: u64 = 1_603_152_000_000_000;
pub(super) const SECOND: u64 = 1_000_000;
pub(super) const HOUR: u64 = 3600 * SECOND;
pub(super) const DAY: u64 = 24 * HOUR;

/// The components of a time.
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

    /// `2024-03-01`
    pub(super) fn date(&self) -> String {
        let (y, m, d) = self.date;
        format!("{y:04}-{m:02}-{d:02}")
    }

    /// `2024030100`
    pub(super) fn hour(&self) -> String {
        let ((y, m, d), (h, ..)) = (self.date, self.time);
        format!("{y:04}{m:02}{d:02}{h:02}")
    }
}

/// `20240301` for `2024-03-01 00:00:00`; `None` for another format or an invalid time.
pub(super) fn day_of(spaced: &str) -> Option<String> {
    let (date, time) = spaced.split_once(' ')?;
    let [y, m, d] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let days = match m {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let exists = (1..=days).contains(&d) && y > 0 && hour < 24 && minute < 60 && second < 60;
    exists.then(|| date.replace('-', ""))
}

fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut out = [0; 3];
    for (number, digits) in out.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

/// Year, month and day from days since 1970 (Howard Hinnant, `civil_from_days`).
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
        assert_eq!(m.date(), "2024-03-01");
        assert_eq!(Moment::new(TURN).spaced(), "2020-10-20 00:00:00");
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_088), (2024, 12, 31));
    }
    #[test]
    fn days() {
        assert_eq!(day_of("2024-02-29 23:59:59").as_deref(), Some("20240229"));
        for none in ["", "2021-02-30 00:00:00", "2021-01-02T03:04:05Z", "2023-02-29 00:00:00", "2021-01-02 24:00:00"] {
            assert_eq!(day_of(none), None, "{none}");
        }
    }
}
