//! [`Grain`]: the resolution of a time axis, and when an hour, day, week, month or year begins.

use ooni_core::time::{DateTime, SECONDS_PER_DAY};

/// The resolution of a time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
    /// A week, which begins on Sunday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Grain {
    /// The first moment of the hour, day, … that a time is in.
    pub fn start(self, time: DateTime) -> DateTime {
        let seconds = time.timestamp();
        let days_before = |days: u32| (seconds.div_euclid(SECONDS_PER_DAY) - i64::from(days)) * SECONDS_PER_DAY;
        let start = match self {
            Grain::Hour => seconds.div_euclid(3600) * 3600,
            Grain::Day => days_before(0),
            // 1970-01-04 was a Sunday.
            Grain::Week => {
                (seconds - 3 * SECONDS_PER_DAY).div_euclid(7 * SECONDS_PER_DAY) * 7 * SECONDS_PER_DAY
                    + 3 * SECONDS_PER_DAY
            }
            Grain::Month => days_before(time.date().2 - 1),
            Grain::Year => {
                let start = Grain::Month.start(time);
                match time.date().1 {
                    1 => return start,
                    _ => return Grain::Year.start(DateTime::from_timestamp(start.timestamp() - 1).unwrap_or(start)),
                }
            }
        };
        DateTime::from_timestamp(start).unwrap_or(time)
    }
}

/// The first of the month after that of `month`.
pub fn month_after(month: DateTime) -> DateTime {
    // Between 28 and 31 days later.
    let at = |days: i64| DateTime::from_timestamp(month.timestamp() + days * SECONDS_PER_DAY);
    (28..=31).filter_map(at).find(|time| time.date().2 == 1).unwrap_or(DateTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_of_periods() {
        let starts = |seconds: i64| {
            let time = DateTime::from_timestamp(seconds).unwrap();
            [Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Year].map(|grain| {
                let mut text = Vec::new();
                grain.start(time).write(&mut text);
                String::from_utf8(text).unwrap().replace(":00:00", "")
            })
        };
        // A Saturday, the Sunday after it, a day before 1970-01-04, the last day of a leap year.
        assert_eq!(
            starts(1_709_423_999),
            ["2024-03-02 23", "2024-03-02 00", "2024-02-25 00", "2024-03-01 00", "2024-01-01 00"]
        );
        assert_eq!(
            starts(1_709_424_000),
            ["2024-03-03 00", "2024-03-03 00", "2024-03-03 00", "2024-03-01 00", "2024-01-01 00"]
        );
        assert_eq!(starts(5), ["1970-01-01 00", "1970-01-01 00", "1969-12-28 00", "1970-01-01 00", "1970-01-01 00"]);
        assert_eq!(
            starts(1_735_689_599),
            ["2024-12-31 23", "2024-12-31 00", "2024-12-29 00", "2024-12-01 00", "2024-01-01 00"]
        );
    }
}
