//! [`Grain`]: the resolution of a time axis, and when an hour, day, week, month or year begins.

use ooni_core::time::{DateTime, SECONDS_PER_HOUR};

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
    /// The first second of the hour, day, … that contains a time.
    pub fn start(self, time: DateTime) -> DateTime {
        match self {
            Grain::Hour => time.start_of_hour(),
            Grain::Day => time.start_of_day(),
            Grain::Week => time.start_of_week(),
            Grain::Month => time.start_of_month(),
            Grain::Year => time.start_of_year(),
        }
    }

    /// The first second after the hour, day, … that begins at `start`.
    pub fn end(self, start: DateTime) -> Option<DateTime> {
        match self {
            Grain::Hour => start.plus_seconds(SECONDS_PER_HOUR),
            Grain::Day => start.plus_days(1),
            Grain::Week => start.plus_days(7),
            Grain::Month => Some(start.start_of_next_month()),
            Grain::Year => start.plus_days(366).map(DateTime::start_of_year),
        }
    }
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
