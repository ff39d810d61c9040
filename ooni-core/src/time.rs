//! UTC times to the second, as in measurements: parsing, formatting, and calendar arithmetic (`calendar`).
//!
//! There is no clock and no time zone here. Receive times in measurement UIDs are in `uid`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::python_text::{decimal_digit, is_space};
use crate::text::first;

mod calendar;

/// Seconds in an hour.
pub const SECONDS_PER_HOUR: i64 = 3600;
/// Seconds in a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// A time in UTC, to the second, in the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// Seconds since 1970, without leap seconds.
    timestamp: i64,
}

impl DateTime {
    /// The earliest time, 0001-01-01 00:00:00.
    pub const MIN: DateTime = DateTime { timestamp: -62_135_596_800 };
    /// The latest time, 9999-12-31 23:59:59.
    pub const MAX: DateTime = DateTime { timestamp: 253_402_300_799 };

    /// The time with these fields; `None` if it does not exist, as with second 60.
    pub const fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<DateTime> {
        let exists = year >= 1
            && year <= 9999
            && month >= 1
            && month <= 12
            && day >= 1
            && day <= days_in_month(year, month)
            && hour <= 23
            && minute <= 59
            && second <= 59;
        if !exists {
            return None;
        }
        let seconds = hour as i64 * SECONDS_PER_HOUR + minute as i64 * 60 + second as i64;
        Some(DateTime { timestamp: days_since_1970(year, month, day) * SECONDS_PER_DAY + seconds })
    }

    /// The time this many seconds after the start of 1970; `None` outside the years 1 to 9999.
    pub fn from_timestamp(timestamp: i64) -> Option<DateTime> {
        let range = Self::MIN.timestamp..=Self::MAX.timestamp;
        range.contains(&timestamp).then_some(DateTime { timestamp })
    }

    /// Seconds since the start of 1970, negative before.
    pub const fn timestamp(self) -> i64 {
        self.timestamp
    }

    /// Parses what Python's `strptime` accepts for `%Y-%m-%d %H:%M:%S`, the `datetime(text)` of scoring spec §1.4. `None`
    /// for any other text and for dates that do not exist.
    pub fn parse(text: &[u8]) -> Option<DateTime> {
        canonical(text).unwrap_or_else(|| parse_loose(text))
    }

    /// Appends `YYYY-MM-DD HH:MM:SS`, the year with four digits.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text());
    }

    /// Appends `YYYYmmdd`, the day in trivial UIDs (formats spec §1.1).
    ///
    /// Years below 1000 are not padded there, so year 1 starts with `10101`.
    pub fn write_day(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.date();
        out.extend_from_slice(year.to_string().as_bytes());
        out.extend_from_slice(&two_digits(month));
        out.extend_from_slice(&two_digits(day));
    }

    fn text(self) -> [u8; 19] {
        let (year, month, day) = self.date();
        let second = self.timestamp.rem_euclid(SECONDS_PER_DAY) as u32;
        let mut text = *b"0000-00-00 00:00:00";
        for (place, value) in [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, second / SECONDS_PER_HOUR as u32),
            (14, second / 60 % 60),
            (17, second % 60),
        ] {
            [text[place], text[place + 1]] = two_digits(value);
        }
        text
    }

    /// Year, month and day in the proleptic Gregorian calendar, the last two from 1.
    pub fn date(self) -> (u32, u32, u32) {
        // Years start in March here, so that a leap day is the last of a year; 400 years have 146,097 days.
        let days = self.day_number() + 719_468;
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = days.div_euclid(146_097) * 400 + year_of_era + i64::from(month <= 2);
        (year as u32, month as u32, day as u32)
    }
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn days_since_1970(year: u16, month: u8, day: u8) -> i64 {
    let year = year as i64 - (month <= 2) as i64;
    let march_month = (month as i64 + 9) % 12;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * march_month + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

fn two_digits(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Parses the usual form of 19 bytes; `None` if [`parse_loose`] has to parse the text.
fn canonical(text: &[u8]) -> Option<Option<DateTime>> {
    let text: &[u8; 19] = text.try_into().ok()?;
    if [text[4], text[7], text[10], text[13], text[16]] != *b"-- ::" {
        return None;
    }
    let mut digits = true;
    let mut number = |place: usize| {
        let (tens, ones) = (text[place].wrapping_sub(b'0'), text[place + 1].wrapping_sub(b'0'));
        digits &= tens < 10 && ones < 10;
        tens.wrapping_mul(10).wrapping_add(ones)
    };
    let year = u16::from(number(0)) * 100 + u16::from(number(2));
    let (month, day) = (number(5), number(8));
    let (hour, minute, second) = (number(11), number(14), number(17));
    digits.then(|| DateTime::new(year, month, day, hour, minute, second))
}

fn parse_loose(text: &[u8]) -> Option<DateTime> {
    let mut fields = DateReader { rest: text };
    let year = fields.year()?;
    fields.literal(b'-')?;
    let month = fields.month()?;
    fields.literal(b'-')?;
    let day = fields.day()?;
    fields.spaces()?;
    let hour = fields.hour()?;
    fields.literal(b':')?;
    let minute = fields.minute_or_second()?;
    fields.literal(b':')?;
    let second = fields.minute_or_second()?; // 60 and 61 match Python's pattern and then fail
    if !fields.rest.is_empty() {
        return None;
    }
    DateTime::new(year, month, day, hour, minute, second)
}

/// Reads the fields of a date in turn, like the pattern of Python's `strptime`.
///
/// In that pattern `\d` matches any Unicode digit, but most first digits are ASCII ranges.
struct DateReader<'t> {
    rest: &'t [u8],
}

impl DateReader<'_> {
    fn next_if<T>(&mut self, wanted: impl Fn(u32) -> Option<T>) -> Option<T> {
        let (code, length) = first(self.rest)?;
        let found = wanted(code)?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Some(found)
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        self.next_if(|code| (code == u32::from(byte)).then_some(()))
    }

    /// An ASCII digit from `low` to `high`.
    fn ascii(&mut self, low: u8, high: u8) -> Option<u8> {
        self.next_if(|code| u8::try_from(code).ok().filter(|byte| (low..=high).contains(byte))).map(|byte| byte - b'0')
    }

    fn digit(&mut self) -> Option<u8> {
        self.next_if(decimal_digit)
    }

    /// `\d\d\d\d`
    fn year(&mut self) -> Option<u16> {
        let mut year = 0;
        for _ in 0..4 {
            year = year * 10 + u16::from(self.digit()?);
        }
        Some(year)
    }

    /// `1[0-2]|0[1-9]|[1-9]`
    fn month(&mut self) -> Option<u8> {
        match self.ascii(b'0', b'9')? {
            0 => self.ascii(b'1', b'9'),
            1 => Some(self.ascii(b'0', b'2').map_or(1, |ones| 10 + ones)),
            month => Some(month),
        }
    }

    /// `3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9]`
    fn day(&mut self) -> Option<u8> {
        if self.literal(b' ').is_some() {
            return self.ascii(b'1', b'9');
        }
        match self.ascii(b'0', b'9')? {
            0 => self.ascii(b'1', b'9'),
            3 => Some(self.ascii(b'0', b'1').map_or(3, |ones| 30 + ones)),
            tens @ 1..=2 => Some(self.digit().map_or(tens, |ones| tens * 10 + ones)),
            day => Some(day),
        }
    }

    /// `\s+`
    fn spaces(&mut self) -> Option<()> {
        let space = |code| is_space(code).then_some(());
        self.next_if(space)?;
        while self.next_if(space).is_some() {}
        Some(())
    }

    /// `2[0-3]|[0-1]\d|\d`
    fn hour(&mut self) -> Option<u8> {
        match self.ascii(b'0', b'2') {
            Some(2) => Some(self.ascii(b'0', b'3').map_or(2, |ones| 20 + ones)),
            Some(tens) => Some(self.digit().map_or(tens, |ones| tens * 10 + ones)),
            None => self.digit(),
        }
    }

    /// `[0-5]\d|\d`
    fn minute_or_second(&mut self) -> Option<u8> {
        match self.ascii(b'0', b'5') {
            Some(tens) => Some(self.digit().map_or(tens, |ones| tens * 10 + ones)),
            None => self.digit(),
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DateTime, D::Error> {
        deserializer.deserialize_str(DateTimeVisitor)
    }
}

struct DateTimeVisitor;

impl Visitor<'_> for DateTimeVisitor {
    type Value = DateTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date like 2021-02-03 04:05:06")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DateTime, E> {
        DateTime::parse(text.as_bytes()).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        DateTime::parse(text.as_bytes()).map(|date| date.to_string())
    }

    #[test]
    fn accepted_texts() {
        for (text, date) in [
            ("2021-02-03 10:11:12", "2021-02-03 10:11:12"),
            ("2021-1-2 3:4:5", "2021-01-02 03:04:05"),
            ("2021-01- 2 3:4:5", "2021-01-02 03:04:05"),
            ("2021-10-31 23:59:59", "2021-10-31 23:59:59"),
            ("2021-12-30\t\u{A0}\n\u{1C}00:00:00", "2021-12-30 00:00:00"),
            ("٢٠٢١-01-2٥ 0٣:٤:٥", "2021-01-25 03:04:05"),
            ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
            ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
            ("2020-02-29 00:00:00", "2020-02-29 00:00:00"),
            ("2000-02-29 00:00:00", "2000-02-29 00:00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Some(date), "{text:?}");
        }
    }

    #[test]
    fn rejected_texts() {
        for text in [
            "",
            "0000-01-01 00:00:00",
            "221-01-01 00:00:00",
            "20211-01-01 00:00:00",
            "2021-00-01 00:00:00",
            "2021-13-01 00:00:00",
            "2021-001-01 00:00:00",
            "2021- 1-01 00:00:00",
            "2021-٥-01 00:00:00",
            "2021-01-00 00:00:00",
            "2021-01-32 00:00:00",
            "2021-01-٥ 00:00:00",
            "2021-01- 10 00:00:00",
            "2021-01-  1 00:00:00",
            "2021-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2021-04-31 00:00:00",
            "2021-01-01 24:00:00",
            "2021-01-01 00:60:00",
            "2021-01-01 00:00:60",
            "2021-01-01 00:00:61",
            "2021-01-01 00:00:62",
            "2021-01-01 ٢3:00:00",
            "2021-01-01 2٣:00:00",
            "2021-01-0100:00:00",
            "2021-01-01T00:00:00",
            "2021-01-01 00:00:00Z",
            "2021-01-01 00:00:00.123",
            "2021-01-01 00:00:00 ",
            " 2021-01-01 00:00:00",
            "2021-01-01 00:00",
            "2021-01-01 00:00:",
            "+021-01-01 00:00:00",
            "2021-01-01 00:00:0x",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(DateTime::parse(b"2021-01-01 00:00:0\xFF"), None);
    }

    #[test]
    fn every_day_round_trips() {
        let mut timestamp = DateTime::MIN.timestamp();
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    let date = DateTime::new(year, month, day, 0, 0, 0).unwrap();
                    assert_eq!(date.timestamp(), timestamp);
                    assert_eq!(date.date(), (year.into(), month.into(), day.into()));
                    timestamp += SECONDS_PER_DAY;
                }
            }
        }
        assert_eq!(timestamp - 1, DateTime::MAX.timestamp());
    }

    #[test]
    fn timestamps() {
        assert_eq!(DateTime::new(1970, 1, 1, 0, 0, 0).unwrap().timestamp(), 0);
        assert_eq!(DateTime::new(1969, 12, 31, 23, 59, 59).unwrap().timestamp(), -1);
        let date = DateTime::from_timestamp(1_612_786_028).unwrap();
        assert_eq!(date.to_string(), "2021-02-08 12:07:08");
        assert_eq!(DateTime::from_timestamp(DateTime::MIN.timestamp() - 1), None);
        assert_eq!(DateTime::from_timestamp(DateTime::MAX.timestamp() + 1), None);
        assert_eq!(DateTime::from_timestamp(i64::MIN), None);
    }

    #[test]
    fn day_has_no_padding_before_the_year_1000() {
        for (year, text) in [(1, "10101"), (999, "9990101"), (1000, "10000101"), (2021, "20210101")] {
            let mut out = Vec::new();
            DateTime::new(year, 1, 1, 0, 0, 0).unwrap().write_day(&mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn serde_uses_the_text_form() {
        let date = DateTime::new(1, 2, 3, 4, 5, 6).unwrap();
        let json = serde_json::to_string(&date).unwrap();
        assert_eq!(json, "\"0001-02-03 04:05:06\"");
        assert_eq!(serde_json::from_str::<DateTime>(&json).unwrap(), date);
        assert!(serde_json::from_str::<DateTime>("\"yesterday\"").is_err());
    }
}
