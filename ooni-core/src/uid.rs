//! Measurement UIDs: their forms, the receive time in them, and the UID of a measurement that comes without one.
//!
//! UIDs of new uploads are not created here: they contain the receive time, which the core does not know.

use crate::python_text::decimal_digit;
use crate::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};

/// A start time that contradicts the receive time (scoring spec §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WrongDate {
    /// It started more than an hour after it was received.
    Future,
    /// It started more than 365 days before it was received.
    TooOld,
}

impl WrongDate {
    /// The value of `msg` in the scores.
    pub const fn message(self) -> &'static str {
        match self {
            WrongDate::Future => "Measurement start time from the future",
            WrongDate::TooOld => "Measurement start time too old",
        }
    }
}

/// The receive time, to the second, and its microseconds (scoring spec §8, steps 1 and 2).
///
/// `None` for UIDs that do not start with `20` and for any whose first 22 characters are not
/// `YYYYmmddHHMMSS.ffffff_`. A UID of 20 or 21 characters may have 4 or 5 fraction digits.
pub fn received_at(uid: &str) -> Option<(DateTime, u32)> {
    if !uid.starts_with("20") {
        return None;
    }
    ascii_time(uid.as_bytes()).unwrap_or_else(|| unicode_time(uid))
}

/// Reads a time of ASCII digits, which most are; `None` if [`unicode_time`] has to read it.
fn ascii_time(uid: &[u8]) -> Option<Option<(DateTime, u32)>> {
    let head: &[u8; 22] = uid.first_chunk()?;
    if (head[14], head[21]) != (b'.', b'_') {
        return None;
    }
    let mut digits = true;
    let mut number = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        digits &= tens < 10 && ones < 10;
        tens.wrapping_mul(10).wrapping_add(ones)
    };
    let [year, month, day, hour, minute, second] = [2, 4, 6, 8, 10, 12].map(&mut number);
    let microseconds = [15, 17, 19].map(&mut number).into_iter().fold(0, |all, two| all * 100 + u32::from(two));
    let time = || DateTime::new(2000 + u16::from(year), month, day, hour, minute, second);
    digits.then(|| time().map(|time| (time, microseconds)))
}

fn unicode_time(uid: &str) -> Option<(DateTime, u32)> {
    let mut head = [0; 22];
    let mut length = 0;
    for (place, character) in head.iter_mut().zip(uid.chars()) {
        *place = u32::from(character);
        length += 1;
    }
    let head = head.get(..length).filter(|head| head.len() >= 20)?;
    let (&last, fraction) = head.get(15..)?.split_last()?;
    if head.get(14) != Some(&u32::from(b'.')) || last != u32::from(b'_') {
        return None;
    }
    let mut microseconds = 0;
    for place in 0..6 {
        let digit = fraction.get(place).map_or(Some(0), |&code| ascii_digit(code))?;
        microseconds = microseconds * 10 + u32::from(digit);
    }
    let year = u16::from(decimal_digit(head[2])?) * 10 + u16::from(decimal_digit(head[3])?);
    let date = DateTime::new(
        2000 + year,
        ascii_digit(head[4])? * 10 + ascii_digit(head[5])?,
        day(head[6], head[7])?,
        number(head[8], head[9], 2)?,
        number(head[10], head[11], 6)?,
        number(head[12], head[13], 6)?,
    )?;
    Some((date, microseconds))
}

/// `3[0-1]|[1-2]\d|0[1-9]`: after a 0, only ASCII digits match.
fn day(tens: u32, ones: u32) -> Option<u8> {
    if tens == u32::from(b'0') { ascii_digit(ones) } else { number(tens, ones, 3) }
}

/// Two digits. As in Python's pattern the first is ASCII, and the second may be any Unicode decimal
/// digit unless the first is `most`.
fn number(tens: u32, ones: u32, most: u8) -> Option<u8> {
    let tens = ascii_digit(tens)?;
    let ones = if tens < most { decimal_digit(ones)? } else { ascii_digit(ones)? };
    Some(tens * 10 + ones)
}

fn ascii_digit(code: u32) -> Option<u8> {
    u8::try_from(code).ok().filter(u8::is_ascii_digit).map(|byte| byte - b'0')
}

/// Whether a measurement with this start and UID has a wrong date (scoring spec §8, steps 1, 2 and 4). Exactly one hour,
/// or exactly 365 days, is accepted.
pub fn wrong_date(uid: &str, start: DateTime) -> Option<WrongDate> {
    wrong_start(received_at(uid)?, start)
}

/// As [`wrong_date`], with the result of [`received_at`].
pub(crate) fn wrong_start((received, microseconds): (DateTime, u32), start: DateTime) -> Option<WrongDate> {
    const SECOND: i64 = 1_000_000;
    let seconds = received.timestamp() - start.timestamp();
    let delta = seconds * SECOND + i64::from(microseconds);
    if delta < -SECONDS_PER_HOUR * SECOND {
        Some(WrongDate::Future)
    } else if delta > 365 * SECONDS_PER_DAY * SECOND {
        Some(WrongDate::TooOld)
    } else {
        None
    }
}

/// Whether `uid` has the current form, `YYYYmmddHHMMSS.ffffff_CC_testname_hash16`
/// (formats spec §1). The date need not exist.
pub fn is_current(uid: &str) -> bool {
    let mut parts = uid.split('_');
    let (Some(time), Some(country), Some(test), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Some((date, fraction)) = time.split_once('.') else {
        return false;
    };
    date.len() == 14
        && fraction.len() == 6
        && all(date, u8::is_ascii_digit)
        && all(fraction, u8::is_ascii_digit)
        && country.len() == 2
        && all(country, u8::is_ascii_alphanumeric)
        && !test.is_empty()
        && all(test, |byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && hash.len() == 16
        && all(hash, is_lower_hex)
}

/// Whether `uid` has the trivial form: `01`, eight digits, 30 hexadecimal digits (formats spec §1). The shorter UIDs of
/// years before 1000 do not count.
pub fn is_trivial(uid: &str) -> bool {
    let Some(rest) = uid.strip_prefix("01") else {
        return false;
    };
    let Some((day, hash)) = rest.split_at_checked(8) else {
        return false;
    };
    all(day, u8::is_ascii_digit) && hash.len() == 30 && all(hash, is_lower_hex)
}

fn all(text: &str, wanted: impl Fn(&u8) -> bool) -> bool {
    text.as_bytes().iter().all(wanted)
}

fn is_lower_hex(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The trivial UID, for a measurement without a UID (formats spec §1.1): `01`, the day on which the measurement started,
/// and SHAKE-128 of the bytes it was read from.
///
/// `raw` is the line with its line end if it has one, the whole file, or the framed entry of a YAML report; `start` is
/// the text of `measurement_start_time`. Anything that is not a date counts as the day `00000000`.
#[cfg(feature = "legacy-yaml")]
pub fn trivial(raw: &[u8], start: Option<&[u8]>) -> String {
    let hash = crate::shake128::shake128(raw);
    let mut id = b"01".to_vec();
    match start.and_then(DateTime::parse) {
        Some(start) => start.write_day(&mut id),
        None => id.extend_from_slice(b"00000000"),
    }
    id.extend_from_slice(crate::hex::hex(hash.into_iter().take(15)).as_bytes());
    String::from_utf8(id).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "20210208220710.181572_MA_ndt_7888edc7748936bf";

    fn received(uid: &str) -> Option<String> {
        received_at(uid).map(|(date, microseconds)| format!("{date}.{microseconds:06}"))
    }

    fn at(text: &str) -> DateTime {
        DateTime::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn receive_times() {
        for (uid, time) in [
            (UID, "2021-02-08 22:07:10.181572"),
            ("20210208220710.181572_", "2021-02-08 22:07:10.181572"),
            ("20210208220710.181572_é", "2021-02-08 22:07:10.181572"),
            ("20210208220710.1815_", "2021-02-08 22:07:10.181500"),
            ("20210208220710.18157_", "2021-02-08 22:07:10.181570"),
            ("20٢1021٨1٢٠7٠٠.181572_", ""), // the first digit of a minute must be ASCII
            ("20٢1021٨1٢0٧1٠.181572_", "2021-02-18 12:07:10.181572"),
        ] {
            assert_eq!(received(uid).unwrap_or_default(), time, "{uid}");
        }
        for uid in [
            "",
            "01202102037f9c2ba4e88f827d61604550760585",
            "20210208220710.181_",
            "20210208220710.18_x_",
            "20210208220710.1815_x",
            "20210208220710.18157_x",
            "20210208220710.1815723_",
            "20210208220710_181572_",
            "20210208220710.18157٢_",
            "20211308220710.181572_",
            "202102٠8220710.181572_",
            "2021020٨220710.181572_",
            "20210230220710.181572_",
            "2021023٠220710.181572_",
            "202102082٣0710.181572_",
            "20210208240710.181572_",
            "20210208226010.181572_",
            "20210208220760.181572_",
            "20210208220761.181572_",
            "20210208220762.181572_",
            "2021020822071x.181572_",
            "19210208220710.181572_",
            "٢0210208220710.181572_",
        ] {
            assert_eq!(received(uid), None, "{uid}");
        }
    }

    /// Each character replaced in turn: what is read quickly is read alike by the other way.
    #[test]
    fn ascii_times_are_read_like_unicode_times() {
        let mut quick = 0;
        for uid in [UID, "20240229235959.999999_", "20210101000000.000000_x"] {
            for at in 0..uid.len() {
                for byte in 0..0x80_u8 {
                    let mut text = uid.as_bytes().to_vec();
                    text[at] = byte;
                    let text = String::from_utf8(text).unwrap();
                    if let Some(time) = ascii_time(text.as_bytes()).filter(|_| text.starts_with("20")) {
                        assert_eq!(time, unicode_time(&text), "{text}");
                        quick += 1;
                    }
                }
            }
        }
        assert!(quick > 2000, "{quick}");
        assert_eq!(ascii_time("20٢1021٨1٢0٧1٠.181572_".as_bytes()), None);
    }

    #[test]
    fn exact_limits_are_accepted() {
        let flag = |uid, start| wrong_date(uid, at(start));
        let whole = "20210208220710.000000_";
        assert_eq!(flag(whole, "2021-02-08 23:07:10"), None);
        assert_eq!(flag(whole, "2021-02-08 23:07:11"), Some(WrongDate::Future));
        assert_eq!(flag(UID, "2021-02-08 23:07:10"), None);
        assert_eq!(flag(whole, "2020-02-09 22:07:10"), None);
        assert_eq!(flag(whole, "2020-02-09 22:07:09"), Some(WrongDate::TooOld));
        assert_eq!(flag("20210208220710.000001_", "2020-02-09 22:07:10"), Some(WrongDate::TooOld));
        assert_eq!(flag(whole, "0001-01-01 00:00:00"), Some(WrongDate::TooOld));
        assert_eq!(flag(whole, "9999-12-31 23:59:59"), Some(WrongDate::Future));
        assert_eq!(flag("01202102037f9c2ba4e88f827d61604550760585", "9999-12-31 23:59:59"), None);
        assert_eq!(WrongDate::Future.message(), "Measurement start time from the future");
        assert_eq!(WrongDate::TooOld.message(), "Measurement start time too old");
    }

    #[test]
    fn forms() {
        assert!(is_current(UID));
        assert!(is_current("20221110104928.397322_IR_httpheaderfieldmanipulation_33ed804ee27d4955"));
        for uid in [
            "",
            "20210208220710.181572_MA_ndt_7888edc7748936b",
            "20210208220710.181572_MA_ndt_7888edc7748936bF",
            "20210208220710.181572_MA_ndt_7888edc7748936bf_",
            "20210208220710.181572_MA__7888edc7748936bf",
            "20210208220710.181572_MAR_ndt_7888edc7748936bf",
            "20210208220710.18157_MA_ndt_7888edc7748936bf",
            "2021020822071é.181572_MA_ndt_7888edc7748936bf",
            "20210208220710181572_MA_ndt_7888edc7748936bf",
        ] {
            assert!(!is_current(uid), "{uid}");
        }
        assert!(is_trivial("01202102037f9c2ba4e88f827d61604550760585"));
        assert!(is_trivial("01000000007f9c2ba4e88f827d61604550760585"));
        for uid in [
            "",
            "01",
            "01202102037f9c2ba4e88f827d6160455076058",
            "01202102037f9c2ba4e88f827d616045507605855",
            "01202102037F9c2ba4e88f827d61604550760585",
            "02202102037f9c2ba4e88f827d61604550760585",
            "0120210203éf9c2ba4e88f827d616045507605",
            "012021020éf9c2ba4e88f827d6160455076058",
        ] {
            assert!(!is_trivial(uid), "{uid}");
        }
    }

    #[test]
    #[cfg(feature = "legacy-yaml")]
    fn trivial_uids_of_the_spec() {
        let empty = |start: Option<&str>| trivial(b"", start.map(str::as_bytes));
        assert_eq!(empty(Some("2021-02-03 10:11:12")), "01202102037f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("2021-1-2 3:4:5")), "01202101027f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("2021-01-02T03:04:05Z")), "01000000007f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(None), "01000000007f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("0001-01-01 00:00:00")), "01101017f9c2ba4e88f827d61604550760585");
        let line = "{\"report_id\":\"R\",\"measurement_start_time\":\"2019-01-02 03:04:05\"}\n".as_bytes();
        let start = Some(&b"2019-01-02 03:04:05"[..]);
        assert_eq!(trivial(line, start), "0120190102bb82e5afd7753bab03ad9cff32d049");
        assert_eq!(trivial(&line[..line.len() - 1], start), "01201901029b2f35442e6c930fe73355fb9617a6");
    }
}
