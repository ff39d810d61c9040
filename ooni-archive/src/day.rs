//! [`Day`] and [`DayRange`]: days of upload, in UTC, by which the archive is organized.

use ooni_core::time::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day of the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Day(DateTime); // at midnight

impl Day {
    /// The day with these numbers, if there is one.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Day> {
        DateTime::new(year, month, day, 0, 0, 0).map(Day)
    }

    /// The current day.
    pub fn today() -> Day {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let now = i64::try_from(seconds).ok().and_then(DateTime::from_timestamp).unwrap_or(DateTime::MAX);
        Day(now.start_of_day())
    }

    /// The next day; `None` for the last one.
    pub fn next(self) -> Option<Day> {
        self.0.plus_days(1).map(Day)
    }

    /// Its first second.
    pub fn start(self) -> DateTime {
        self.0
    }

    /// Parses `YYYYMMDD`, the names of folders below `raw/`.
    pub fn parse_compact(text: &str) -> Option<Day> {
        let [y1, y2, y3, y4, m1, m2, d1, d2] = text.as_bytes() else { return None };
        let number = |digits: &[u8]| {
            digits
                .iter()
                .try_fold(0_u16, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0')))
        };
        let [month, day] = [number(&[*m1, *m2])?, number(&[*d1, *d2])?];
        Day::new(number(&[*y1, *y2, *y3, *y4])?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    /// `YYYYMMDD`.
    pub fn compact(self) -> String {
        self.to_string().replace('-', "")
    }
}

impl fmt::Display for Day {
    /// `YYYY-MM-DD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.date_text())
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Day, &'static str> {
        text.parse()
    }
}

impl FromStr for Day {
    type Err = &'static str;

    /// Parses `YYYY-MM-DD` and nothing else.
    fn from_str(text: &str) -> Result<Day, &'static str> {
        let no_day = "not a day: expected YYYY-MM-DD, such as 2021-06-14";
        let compact = match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
            _ => return Err(no_day),
        };
        Day::parse_compact(&compact).ok_or(no_day)
    }
}

/// The days from `start` to `end`, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    /// The first day.
    pub start: Day,
    /// The day after the last.
    pub end: Day,
}

impl DayRange {
    /// Whether there are no days.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// The number of days.
    pub fn len(&self) -> u64 {
        u64::try_from(self.end.0.day_number() - self.start.0.day_number()).unwrap_or(0)
    }

    /// Whether a day is in the range.
    pub fn contains(&self, day: Day) -> bool {
        self.start <= day && day < self.end
    }

    /// The days before `day`: today and later days are not complete yet (formats spec §8.1).
    pub fn before(self, day: Day) -> DayRange {
        DayRange { start: self.start, end: self.end.min(day) }
    }
}

impl IntoIterator for DayRange {
    type Item = Day;
    type IntoIter = Days;

    fn into_iter(self) -> Days {
        Days { next: Some(self.start), end: self.end }
    }
}

/// The days of a range, in order.
#[derive(Clone, Debug)]
pub struct Days {
    next: Option<Day>,
    end: Day,
}

impl Iterator for Days {
    type Item = Day;

    fn next(&mut self) -> Option<Day> {
        let day = self.next.filter(|day| *day < self.end)?;
        self.next = day.next();
        Some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &str, end: &str) -> DayRange {
        DayRange { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    #[test]
    fn spellings() {
        let day: Day = "2021-06-14".parse().unwrap();
        assert_eq!((day.to_string(), day.compact()), ("2021-06-14".to_owned(), "20210614".to_owned()));
        assert_eq!(Day::parse_compact("20210614"), Some(day));
        assert_eq!("0001-01-01".parse::<Day>().unwrap().compact(), "00010101");
        for text in [
            "",
            "2021-6-14",
            "20210614",
            "2021-06-14 ",
            " 2021-06-14",
            "2021-02-29",
            "2021-00-10",
            "2021-06-14T00",
            "2021/06/14",
            "+021-06-14",
            "0000-01-01",
            "202106-14-",
            "2021-06-1é",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text:?}");
        }
        for text in ["2021061", "202106145", "20211301", "2021061x", "2021-6-1"] {
            assert_eq!(Day::parse_compact(text), None, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let days = range("2020-02-28", "2020-03-02");
        let names: Vec<_> = days.into_iter().map(|day| day.to_string()).collect();
        assert_eq!(names, ["2020-02-28", "2020-02-29", "2020-03-01"]);
        assert_eq!((days.len(), days.is_empty()), (3, false));
        assert!(days.contains(days.start) && !days.contains(days.end));
        assert_eq!(days.before("2020-02-29".parse().unwrap()).into_iter().count(), 1);
        for nothing in [range("2020-03-02", "2020-03-02"), range("2020-03-03", "2020-03-02")] {
            assert_eq!((nothing.len(), nothing.is_empty(), nothing.into_iter().next()), (0, true, None));
        }
        let last = range("9999-12-30", "9999-12-31");
        assert_eq!(last.into_iter().count(), 1);
        assert_eq!(last.end.next(), None);
    }
}
