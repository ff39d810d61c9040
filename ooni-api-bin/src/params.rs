//! Parameters of queries (API spec §3). An error names the parameter; an empty parameter counts as missing.
//!
//! What only one route knows, such as the names of its axes, is parsed there.

pub mod domain;

use crate::http::{Error, Query};
use crate::probe::report_id::parse_asn;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use std::ops::RangeInclusive;

/// The length of an id of a report.
const REPORT_ID: RangeInclusive<usize> = 15..=100;
/// The length of the uid of a measurement.
const UID: RangeInclusive<usize> = 10..=100;
/// Minimum length of `input` and `domain`.
const SHORTEST: usize = 3;

/// 400 with a sentence that names the parameter.
pub fn invalid(name: &str, expected: &str) -> Error {
    Error::bad_request(format!("{name}: {expected} is expected"))
}

/// A list with commas, without empty items, sorted, each item once.
pub fn commas(query: &Query, name: &str) -> Vec<String> {
    let items = query.get(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty());
    let mut items: Vec<String> = items.map(str::to_owned).collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// A network: a number, or a number after `AS`.
///
/// # Errors
/// 400 for anything else.
pub fn asn(query: &Query, name: &str) -> Result<Option<u32>, Error> {
    query.given(name).map(|text| number_of_network(name, text)).transpose()
}

/// Networks, with commas between them.
///
/// # Errors
/// 400 if one is not a network.
pub fn asns(query: &Query, name: &str) -> Result<Vec<u32>, Error> {
    let asns: Result<Vec<u32>, Error> = commas(query, name).iter().map(|text| number_of_network(name, text)).collect();
    let mut asns = asns?;
    asns.sort_unstable();
    asns.dedup();
    Ok(asns)
}

fn number_of_network(name: &str, text: &str) -> Result<u32, Error> {
    parse_asn(text.strip_prefix("AS").unwrap_or(text))
        .ok_or_else(|| invalid(name, "a number of a network, such as AS3269 or 3269,"))
}

/// Countries, with commas between them: two capital letters each.
///
/// # Errors
/// 400 for anything else.
pub fn countries(query: &Query, name: &str) -> Result<Vec<String>, Error> {
    let codes = commas(query, name);
    let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match codes.iter().all(is_code) {
        true => Ok(codes),
        false => Err(invalid(name, "a list of country codes of two capital letters")),
    }
}

/// The one country that a route needs: two characters.
///
/// # Errors
/// 400 for anything else, or if it is missing.
pub fn country(query: &Query, name: &str) -> Result<String, Error> {
    match query.given(name).filter(|code| code.len() == 2 && code.is_ascii()) {
        Some(code) => Ok(code.to_owned()),
        None => Err(Error::bad_request(format!("missing or incorrect {name}"))),
    }
}

/// Names of tests, with commas between them.
///
/// # Errors
/// 400 for characters that names of tests do not have.
pub fn tests(query: &Query, name: &str) -> Result<Vec<String>, Error> {
    let tests = commas(query, name);
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match tests.iter().all(|test| test.bytes().all(is_name)) {
        true => Ok(tests),
        false => Err(invalid(name, "a list of tests, such as web_connectivity,")),
    }
}

/// Capital letters.
///
/// # Errors
/// 400 for anything else.
pub fn upper(query: &Query, name: &str) -> Result<Option<String>, Error> {
    match query.given(name) {
        Some(text) if !text.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Err(invalid(name, "a word in capital letters"))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// A text of at least three characters.
///
/// # Errors
/// 400 for a shorter one.
pub fn text(query: &Query, name: &str) -> Result<Option<String>, Error> {
    match query.given(name) {
        Some(text) if text.chars().count() < SHORTEST => Err(invalid(name, "a text of three characters or more")),
        text => Ok(text.map(str::to_owned)),
    }
}

/// An id of a report.
///
/// # Errors
/// 400 for another length or other characters.
pub fn report_id(query: &Query, name: &str) -> Result<Option<String>, Error> {
    match query.given(name) {
        Some(id) if !is_report_id(id) => Err(Error::bad_request(format!("Invalid {name} field"))),
        id => Ok(id.map(str::to_owned)),
    }
}

/// Whether a text can be an id of a report, of any age.
pub fn is_report_id(id: &str) -> bool {
    REPORT_ID.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text has the length of a uid of a measurement.
pub fn has_length_of_uid(uid: &str) -> bool {
    UID.contains(&uid.len())
}

/// A yes or no.
///
/// # Errors
/// 400 for another word.
pub fn boolean(query: &Query, name: &str) -> Result<Option<bool>, Error> {
    match query.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(Some(true)),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(Some(false)),
        _ => Err(invalid(name, "true or false")),
    }
}

/// A whole number within a range.
///
/// # Errors
/// 400 for anything else.
pub fn integer(query: &Query, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Error> {
    let Some(text) = query.given(name) else { return Ok(None) };
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|number| is_number && range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(invalid(name, &format!("a number from {} to {}", range.start(), range.end()))),
    }
}

/// A time: `YYYY-MM-DD`, with or without `T` or a space and `HH:MM[:SS[.ffffff]]`, and with or without `Z` or `±HH:MM`. A
/// fraction of a second is dropped.
///
/// # Errors
/// 400 for anything else.
pub fn time(query: &Query, name: &str) -> Result<Option<DateTime>, Error> {
    let Some(text) = query.given(name) else { return Ok(None) };
    match parse_time(text) {
        Some(time) => Ok(Some(time)),
        None => Err(invalid(name, "a time such as 2025-07-15 or 2025-07-15T10:30:00Z")),
    }
}

/// See [`time`].
pub fn parse_time(text: &str) -> Option<DateTime> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    if rest.is_empty() {
        return DateTime::parse(format!("{date} 00:00:00").as_bytes());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = match rest.find(['Z', 'z', '+', '-', ' ']) {
        Some(at) => (rest.get(..at)?, rest.get(at..)?),
        None => (rest, ""),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if !(1..=9).contains(&fraction.len()) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let clock = if clock.len() == 5 { format!("{clock}:00") } else { clock.to_owned() };
    let time = DateTime::parse(format!("{date} {clock}").as_bytes())?;
    time.plus_seconds(-offset(zone)?)
}

/// The seconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() {
        return Some(0);
    }
    // In a query, `+` is a space.
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+" | " ", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = is_number.then(|| digits.parse().ok())??;
    let seconds = (number / 100) * 3600 + (number % 100) * 60;
    (number % 100 < 60 && seconds < SECONDS_PER_DAY).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Query {
        Query::parse(Some(text))
    }

    #[test]
    fn times() {
        let at = |text: &str| parse_time(text).map(|time| time.timestamp());
        let noon = DateTime::new(2025, 7, 15, 12, 0, 0).unwrap().timestamp();
        for text in [
            "2025-07-15 12:00",
            "2025-07-15T12:00:00",
            "2025-07-15T12:00:00.123456Z",
            "2025-07-15T14:00:00+02:00",
            "2025-07-15T14:00:00 0200",
            "2025-07-15T06:30-05:30",
        ] {
            assert_eq!(at(text), Some(noon), "{text}");
        }
        assert_eq!(at("2025-07-15"), Some(noon - 12 * 3600));
        for text in [
            "",
            "2025",
            "2025-7-15",
            "2025-02-30",
            "2025-07-15T",
            "2025-07-15T25:00",
            "2025-07-15x12:00",
            "1 July 2025",
            "2025-07-15T12:00+99:00",
            "2025-07-15T12:00:00.",
            "2025-07-15T12:00:00+0a:00",
            "2025-07-15\0",
            "٢٠٢٥-07-15",
            "2025-07-15T12:00ZZ",
            "2025-07-15T12",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(commas(&of("a=c,,b,+c+,"), "a"), ["b", "c"]);
        assert_eq!(asns(&of("a=AS5,10,5"), "a").unwrap(), [5, 10]);
        assert!(asns(&of("a=5,x"), "a").is_err());
        assert_eq!(countries(&of("a=IT,FR"), "a").unwrap(), ["FR", "IT"]);
        assert!(countries(&of("a=it"), "a").is_err() && countries(&of("a=ITA"), "a").is_err());
        assert_eq!(tests(&of("a=web_connectivity,x2"), "a").unwrap(), ["web_connectivity", "x2"]);
        assert!(tests(&of("a=Web"), "a").is_err());
    }

    #[test]
    fn single_values() {
        assert_eq!(integer(&of("a=10"), "a", 0..=10).unwrap(), Some(10));
        for text in ["a=11", "a=-1", "a=+1", "a=1.0", "a=x", "a=99999999999999999999999"] {
            assert!(integer(&of(text), "a", 0..=10).is_err(), "{text}");
        }
        assert_eq!(boolean(&of("a=YES"), "a").unwrap(), Some(true));
        assert_eq!(boolean(&of("a="), "a").unwrap(), None);
        assert!(boolean(&of("a=2"), "a").is_err());
        assert!(text(&of("a=ab"), "a").is_err());
        assert_eq!(text(&of("a=%D0%B0%D0%B1%D0%B2"), "a").unwrap().as_deref(), Some("абв"));
        assert_eq!(upper(&of("a=NEWS"), "a").unwrap().as_deref(), Some("NEWS"));
        assert!(upper(&of("a=news"), "a").is_err());
        assert!(country(&of("a=ITA"), "a").is_err() && country(&of(""), "a").is_err());
        assert_eq!(asn(&of("a=AS5"), "a").unwrap(), Some(5));
        assert!(asn(&of("a=as5"), "a").is_err());
    }
}
