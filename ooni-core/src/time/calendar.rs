//! Days, weeks, months and years of a [`DateTime`]. All calendar arithmetic of the workspace is here.

use super::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};

impl DateTime {
    /// Midnight at the start of a day, by its number of days since 1970-01-01; `None` outside the years 1 to 9999.
    pub fn from_day_number(days: i64) -> Option<DateTime> {
        days.checked_mul(SECONDS_PER_DAY).and_then(DateTime::from_timestamp)
    }

    /// The number of whole days since 1970-01-01, negative before.
    pub const fn day_number(self) -> i64 {
        self.timestamp.div_euclid(SECONDS_PER_DAY)
    }

    /// The time that is this many seconds later, or earlier if negative; `None` outside the years 1 to 9999.
    pub fn plus_seconds(self, seconds: i64) -> Option<DateTime> {
        self.timestamp.checked_add(seconds).and_then(DateTime::from_timestamp)
    }

    /// The same time of day this many days later, or earlier if negative; `None` outside the years 1 to 9999.
    pub fn plus_days(self, days: i64) -> Option<DateTime> {
        days.checked_mul(SECONDS_PER_DAY).and_then(|seconds| self.plus_seconds(seconds))
    }

    /// The same time of day this many months earlier, on the same day of the month, or on the last day of a shorter month;
    /// `None` before year 1.
    pub fn minus_months(self, months: u32) -> Option<DateTime> {
        let (year, month, day) = self.date();
        let months = (year * 12 + month - 1).checked_sub(months)?;
        let first = first_of(months / 12, months % 12 + 1)?;
        let (_, _, last) = first.start_of_next_month().plus_seconds(-1)?.date();
        let day = first.plus_days(i64::from(day.min(last)) - 1)?;
        day.plus_seconds(self.timestamp.rem_euclid(SECONDS_PER_DAY))
    }

    /// The first second of its hour.
    pub const fn start_of_hour(self) -> DateTime {
        self.start_of(SECONDS_PER_HOUR)
    }

    /// The first second of its day.
    pub const fn start_of_day(self) -> DateTime {
        self.start_of(SECONDS_PER_DAY)
    }

    /// The first second of its week. Weeks start on Sunday; the first one, which starts before year 1, is cut short.
    pub fn start_of_week(self) -> DateTime {
        // 1970-01-01 was a Thursday, four days after a Sunday.
        let since_sunday = (self.day_number() + 4).rem_euclid(7);
        self.start_of_day().plus_days(-since_sunday).unwrap_or(DateTime::MIN)
    }

    /// The first second of its month.
    pub fn start_of_month(self) -> DateTime {
        let (_, _, day) = self.date();
        self.start_of_day().minus_days(i64::from(day) - 1)
    }

    /// The first second of its year.
    pub fn start_of_year(self) -> DateTime {
        let (year, ..) = self.date();
        first_of(year, 1).unwrap_or(DateTime::MIN)
    }

    /// The first second of the next month; [`DateTime::MAX`] in the last month of year 9999.
    pub fn start_of_next_month(self) -> DateTime {
        let start = match self.date() {
            (year, 12, _) => first_of(year + 1, 1),
            (year, month, _) => first_of(year, month + 1),
        };
        start.unwrap_or(DateTime::MAX)
    }

    /// Its date as `YYYY-MM-DD`.
    pub fn date_text(self) -> String {
        let mut text = self.to_string();
        text.truncate("YYYY-MM-DD".len());
        text
    }

    /// The start of its period of this many seconds. Periods divide a day evenly, so none starts before year 1.
    const fn start_of(self, seconds: i64) -> DateTime {
        DateTime { timestamp: self.timestamp - self.timestamp.rem_euclid(seconds) }
    }

    /// The time this many days earlier, in the same month.
    const fn minus_days(self, days: i64) -> DateTime {
        DateTime { timestamp: self.timestamp - days * SECONDS_PER_DAY }
    }
}

fn first_of(year: u32, month: u32) -> Option<DateTime> {
    DateTime::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, 1, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        DateTime::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn starts_of_periods() {
        for (time, hour, week, month, next_month, year) in [
            ("1970-01-01 00:00:00", "00", "1969-12-28", "1970-01-01", "1970-02-01", "1970-01-01"),
            ("1969-12-31 23:59:59", "23", "1969-12-28", "1969-12-01", "1970-01-01", "1969-01-01"),
            ("2024-02-29 12:34:56", "12", "2024-02-25", "2024-02-01", "2024-03-01", "2024-01-01"),
            ("2023-12-31 01:00:00", "01", "2023-12-31", "2023-12-01", "2024-01-01", "2023-01-01"),
            ("0001-01-01 00:00:01", "00", "0001-01-01", "0001-01-01", "0001-02-01", "0001-01-01"),
        ] {
            let time = at(time);
            let day = time.date_text();
            assert_eq!(time.start_of_hour(), at(&format!("{day} {hour}:00:00")));
            assert_eq!(time.start_of_day(), at(&format!("{day} 00:00:00")));
            let midnight = |date: &str| at(&format!("{date} 00:00:00"));
            assert_eq!(time.start_of_week(), midnight(week), "{time}");
            assert_eq!(time.start_of_month(), midnight(month), "{time}");
            assert_eq!(time.start_of_next_month(), midnight(next_month), "{time}");
            assert_eq!(time.start_of_year(), midnight(year), "{time}");
        }
        assert_eq!(DateTime::MAX.start_of_next_month(), DateTime::MAX);
    }

    #[test]
    fn day_numbers() {
        for (time, number) in [
            ("1970-01-01 00:00:00", 0),
            ("1970-01-01 23:59:59", 0),
            ("1969-12-31 23:59:59", -1),
            ("2024-02-29 12:00:00", 19_782),
            ("0001-01-01 00:00:00", -719_162),
        ] {
            assert_eq!(at(time).day_number(), number);
            assert_eq!(DateTime::from_day_number(number), Some(at(time).start_of_day()));
        }
        assert_eq!(DateTime::from_day_number(i64::MAX), None);
        assert_eq!(DateTime::from_day_number(-719_163), None);
    }

    #[test]
    fn additions() {
        let time = at("2024-02-28 12:00:00");
        assert_eq!(time.plus_days(2), Some(at("2024-03-01 12:00:00")));
        assert_eq!(time.plus_days(-59), Some(at("2023-12-31 12:00:00")));
        assert_eq!(time.plus_seconds(-1), Some(at("2024-02-28 11:59:59")));
        assert_eq!((time.plus_days(i64::MAX), time.plus_seconds(i64::MAX)), (None, None));
        for (time, months, earlier) in [
            ("2025-07-15 10:30:00", 6, "2025-01-15 10:30:00"),
            ("2024-08-31 23:59:59", 6, "2024-02-29 23:59:59"),
            ("2023-03-31 00:00:00", 1, "2023-02-28 00:00:00"),
            ("2025-01-01 00:00:00", 1, "2024-12-01 00:00:00"),
            ("9999-12-31 00:00:00", 0, "9999-12-31 00:00:00"),
        ] {
            assert_eq!(at(time).minus_months(months), Some(at(earlier)), "{time}");
        }
        assert_eq!(at("0001-12-01 00:00:00").minus_months(12), None);
        assert_eq!((DateTime::MAX.plus_seconds(1), DateTime::MIN.plus_days(-1)), (None, None));
    }
}
