//! The kinds of plain scalars and their values: YAML 1.1 as in Python (formats spec §11.2).
//!
//! The patterns of the reference's loader decide the kind; Python's conversions, which differ from the patterns in some
//! cases and may fail, decide the value.

use super::error::YamlErrorKind;
use super::tag::YamlTag;
use crate::base64;
use crate::normalize::value::{Stamp, YamlValue};
use crate::number::Int;
use crate::python_text;
use crate::text::lower;
use crate::time::{DateTime, SECONDS_PER_DAY};

/// Why a scalar has no value: the stage of the loader that fails, and what is wrong.
type Failure = (YamlErrorKind, &'static str);

/// The kind of a plain scalar.
pub(super) fn resolve(text: &[u8]) -> YamlTag {
    // In Python's patterns, `$` also matches before a final line break.
    let text = text.strip_suffix(b"\n").filter(|rest| !rest.is_empty()).unwrap_or(text);
    let Some(&first) = text.first() else { return YamlTag::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' if is_bool(text) => YamlTag::Bool,
        b'-' | b'+' | b'.' | b'0'..=b'9' if is_float(text) => YamlTag::Float,
        b'-' | b'+' | b'0'..=b'9' if is_int(text) => YamlTag::Int,
        b'<' if text == b"<<" => YamlTag::Merge,
        b'~' | b'n' | b'N' if matches!(text, b"~" | b"null" | b"Null" | b"NULL") => YamlTag::Null,
        b'0'..=b'9' if is_timestamp(text) => YamlTag::Timestamp,
        b'=' if text == b"=" => YamlTag::Default,
        b'!' | b'&' | b'*' if text.len() == 1 => YamlTag::Other(b"tag:yaml.org,2002:yaml".to_vec()),
        _ => YamlTag::Text,
    }
}

fn is_bool(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"yes", b"no", b"true", b"false", b"on", b"off"];
    let is_known = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let rest = &text[1..];
    let is_one_case = || {
        rest.iter().all(u8::is_ascii_lowercase)
            || text[0].is_ascii_uppercase() && rest.iter().all(u8::is_ascii_uppercase)
    };
    is_known && is_one_case()
}

/// The rest of `text` after a run of bytes.
fn skip(text: &[u8], is: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().position(|&byte| !is(byte)).unwrap_or(text.len());
    &text[length..]
}

fn skip_sign(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_digit_or_line(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// The rest after `(:[0-5]?[0-9])+`.
fn skip_sexagesimal(mut text: &[u8]) -> Option<&[u8]> {
    let mut count = 0;
    while let [b':', rest @ ..] = text {
        text = match rest {
            [b'0'..=b'5', b'0'..=b'9', rest @ ..] | [b'0'..=b'9', rest @ ..] => rest,
            _ => return None,
        };
        count += 1;
    }
    (count > 0).then_some(text)
}

fn is_float(text: &[u8]) -> bool {
    let exponent = |rest: &[u8]| match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', digits @ ..] => !digits.is_empty() && digits.iter().all(|&byte| is_digit(byte)),
        _ => false,
    };
    let unsigned = skip_sign(text);
    match unsigned {
        [b'0'..=b'9', rest @ ..] => match skip(rest, is_digit_or_line) {
            [b'.', rest @ ..] => exponent(skip(rest, is_digit_or_line)),
            rest => match skip_sexagesimal(rest) {
                Some([b'.', rest @ ..]) => skip(rest, is_digit_or_line).is_empty(),
                _ => false,
            },
        },
        b".inf" | b".Inf" | b".INF" => true,
        // These have no sign.
        [b'.', ..] if unsigned.len() < text.len() => false,
        b".nan" | b".NaN" | b".NAN" => true,
        [b'.', b'0'..=b'9', rest @ ..] => exponent(skip(rest, is_digit_or_line)),
        _ => false,
    }
}

fn is_int(text: &[u8]) -> bool {
    let all = |rest: &[u8], is: fn(u8) -> bool| !rest.is_empty() && rest.iter().all(|&byte| is(byte));
    match skip_sign(text) {
        b"0" => true,
        [b'0', b'b', rest @ ..] => all(rest, |byte| matches!(byte, b'0' | b'1' | b'_')),
        [b'0', b'x', rest @ ..] => all(rest, |byte| byte.is_ascii_hexdigit() || byte == b'_'),
        [b'0', rest @ ..] => all(rest, |byte| matches!(byte, b'0'..=b'7' | b'_')),
        [b'1'..=b'9', rest @ ..] => {
            let rest = skip(rest, is_digit_or_line);
            rest.is_empty() || skip_sexagesimal(rest).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

fn is_timestamp(text: &[u8]) -> bool {
    let digits = |at: usize| text.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_digit));
    match fields(text) {
        // A date without time has all its digits.
        Some(DateFields { time: None, .. }) => text.len() == 10 && digits(5) && digits(8),
        Some(_) => true,
        None => false,
    }
}

/// The fields of a date, which may not exist.
struct DateFields {
    year: u16,
    month: u8,
    day: u8,
    time: Option<Time>,
}

struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

/// One or two digits, or exactly two.
fn take_number<'t>(text: &mut &'t [u8], least: usize) -> Option<u8> {
    let rest: &'t [u8] = text;
    let length = rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if length < least {
        return None;
    }
    let (digits, rest) = rest.split_at(length);
    *text = rest;
    Some(digits.iter().fold(0, |number, digit| number * 10 + (digit - b'0')))
}

fn take_byte(text: &mut &[u8], wanted: u8) -> Option<()> {
    let rest = text.strip_prefix(&[wanted])?;
    *text = rest;
    Some(())
}

fn fields(text: &[u8]) -> Option<DateFields> {
    let mut rest = text;
    let century = take_number(&mut rest, 2)?;
    let year = u16::from(century) * 100 + u16::from(take_number(&mut rest, 2)?);
    take_byte(&mut rest, b'-')?;
    let month = take_number(&mut rest, 1)?;
    take_byte(&mut rest, b'-')?;
    let day = take_number(&mut rest, 1)?;
    if rest.is_empty() {
        return Some(DateFields { year, month, day, time: None });
    }
    let blank = |byte| matches!(byte, b' ' | b'\t');
    rest = match rest {
        [b'T' | b't', rest @ ..] => rest,
        [b' ' | b'\t', ..] => skip(rest, blank),
        _ => return None,
    };
    let hour = take_number(&mut rest, 1)?;
    take_byte(&mut rest, b':')?;
    let minute = take_number(&mut rest, 2)?;
    take_byte(&mut rest, b':')?;
    let second = take_number(&mut rest, 2)?;
    let mut micros = 0;
    if let [b'.', fraction @ ..] = rest {
        rest = skip(fraction, is_digit);
        let digits = fraction[..fraction.len() - rest.len()].iter().chain(b"000000").take(6);
        micros = digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    }
    let offset = zone(skip(rest, blank), rest.is_empty())?;
    Some(DateFields { year, month, day, time: Some(Time { hour, minute, second, micros, offset }) })
}

/// The zone after a time: none, `Z`, or hours and optional minutes.
fn zone(mut rest: &[u8], is_missing: bool) -> Option<Option<i32>> {
    let sign = match rest {
        [] if is_missing => return Some(None),
        b"Z" => return Some(Some(0)),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = &rest[1..];
    let hours = i32::from(take_number(&mut rest, 1)?);
    let mut minutes = 0;
    if !rest.is_empty() {
        take_byte(&mut rest, b':')?;
        minutes = i32::from(take_number(&mut rest, 2)?);
    }
    rest.is_empty().then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// The value of a scalar with this tag.
pub(super) fn construct(tag: &YamlTag, text: &[u8]) -> Result<YamlValue<'static>, Failure> {
    match tag {
        YamlTag::Null => Ok(YamlValue::Null),
        YamlTag::Bool => match &*lower(text) {
            b"yes" | b"true" | b"on" => Ok(YamlValue::Bool(true)),
            b"no" | b"false" | b"off" => Ok(YamlValue::Bool(false)),
            _ => Err((YamlErrorKind::Value, "not a boolean")),
        },
        YamlTag::Int => int(text).map(YamlValue::Int),
        YamlTag::Float => float(text).map(YamlValue::Float).ok_or((YamlErrorKind::Value, "not a float")),
        YamlTag::Timestamp => date(text).ok_or((YamlErrorKind::Value, "invalid date")),
        YamlTag::Binary => match base64::decode(text) {
            Ok(bytes) => Ok(YamlValue::Bytes(bytes)),
            Err(_) => Err((YamlErrorKind::Constructor, "invalid base64")),
        },
        _ => Ok(YamlValue::Text(text.to_vec().into())),
    }
}

/// The text without `_` and sign, and whether the sign is a minus. `None` if Python finds no first character.
fn unsigned(text: &[u8]) -> Option<(bool, Vec<u8>)> {
    let text: Vec<u8> = text.iter().copied().filter(|&byte| byte != b'_').collect();
    let rest = skip_sign(&text);
    (!text.is_empty()).then(|| (text[0] == b'-', rest.to_vec()))
}

fn int(text: &[u8]) -> Result<Int, Failure> {
    const BAD: Failure = (YamlErrorKind::Value, "not an integer");
    let (minus, text) = unsigned(text).ok_or(BAD)?;
    let value = match &text[..] {
        [] => return Err(BAD),
        b"0" => return Ok(Int::from(0)),
        [b'0', b'b', digits @ ..] => in_base(digits, 2, BAD)?,
        [b'0', b'x', digits @ ..] => in_base(digits, 16, BAD)?,
        [b'0', ..] => in_base(&text, 8, BAD)?,
        _ => {
            let mut parts = text.split(|&byte| byte == b':');
            let first = parts.next().and_then(python_text::to_int).ok_or(BAD)?;
            let mut big = Big::from(&first);
            for part in parts {
                let part = python_text::to_int(part).ok_or(BAD)?;
                // Only explicitly tagged text has parts of more than two digits.
                let part = part.as_i64().and_then(|part| i32::try_from(part).ok());
                big.push_digit(60, part.ok_or((YamlErrorKind::Limit, "part of a sexagesimal integer out of range"))?)?;
            }
            big
        }
    };
    value.into_int(minus)
}

/// Python's `int(text, base)`, without `_`.
fn in_base(text: &[u8], base: u32, bad: Failure) -> Result<Big, Failure> {
    let spaces =
        |text: &[u8]| -> usize { crate::text::chars(text).take_while(|&code| python_text::is_space(code)).count() };
    let codes: Vec<u32> = crate::text::chars(text).skip(spaces(text)).collect();
    let end = codes.iter().rposition(|&code| !python_text::is_space(code)).map_or(0, |last| last + 1);
    let mut codes = &codes[..end];
    let mut minus = false;
    if let [sign, rest @ ..] = codes
        && (*sign == u32::from(b'+') || *sign == u32::from(b'-'))
    {
        minus = *sign == u32::from(b'-');
        codes = rest;
    }
    let letter = |code: u32| char::from_u32(code).map(|c| c.to_ascii_lowercase());
    let prefix = match base {
        2 => 'b',
        8 => 'o',
        _ => 'x',
    };
    if let [zero, mark, rest @ ..] = codes
        && *zero == u32::from(b'0')
        && letter(*mark) == Some(prefix)
    {
        codes = rest;
    }
    if codes.is_empty() {
        return Err(bad);
    }
    let mut big = Big::default();
    for &code in codes {
        let digit = python_text::decimal_digit(code)
            .map(u32::from)
            .or_else(|| char::from_u32(code).and_then(|c| c.to_digit(16)))
            .filter(|&digit| digit < base)
            .ok_or(bad)?;
        big.push_digit(i64::from(base), digit as i32)?;
    }
    big.minus = minus;
    Ok(big)
}

/// An integer of any size that digits are appended to.
#[derive(Default)]
struct Big {
    minus: bool,
    /// Limbs of nine decimal digits, the lowest first.
    limbs: Vec<u32>,
}

const LIMB: i64 = 1_000_000_000;
/// The number of limbs of the longest integer that the JSON reader accepts, plus one.
const MAX_LIMBS: usize = 4300 / 9 + 2;

impl Big {
    fn from(int: &Int) -> Big {
        let text = int.to_string();
        let digits = text.trim_start_matches('-').as_bytes();
        let limb = |digits: &[u8]| digits.iter().fold(0, |limb, digit| limb * 10 + u32::from(digit - b'0'));
        Big { minus: text.starts_with('-'), limbs: digits.rchunks(9).map(limb).collect() }
    }

    /// `self * base + digit`.
    fn push_digit(&mut self, base: i64, digit: i32) -> Result<(), Failure> {
        // The digit may have the other sign.
        let mut carry = if self.minus { -i64::from(digit) } else { i64::from(digit) };
        for limb in &mut self.limbs {
            let value = i64::from(*limb) * base + carry;
            *limb = value.rem_euclid(LIMB) as u32;
            carry = value.div_euclid(LIMB);
        }
        if carry < 0 {
            // Negative: change the sign and take the complement.
            let mut borrow = 0;
            for limb in &mut self.limbs {
                let value = borrow - i64::from(*limb);
                *limb = value.rem_euclid(LIMB) as u32;
                borrow = value.div_euclid(LIMB);
            }
            carry = borrow - carry;
            self.minus = !self.minus;
        }
        while carry > 0 {
            self.limbs.push((carry % LIMB) as u32);
            carry /= LIMB;
        }
        match self.limbs.len() {
            0..=MAX_LIMBS => Ok(()),
            _ => Err((YamlErrorKind::Limit, "an integer of more than 4300 digits")),
        }
    }

    fn into_int(self, negate: bool) -> Result<Int, Failure> {
        let mut text = String::from(if self.minus != negate { "-" } else { "" });
        let mut limbs = self.limbs.iter().rev().skip_while(|&&limb| limb == 0);
        match limbs.next() {
            None => return Ok(Int::from(0)),
            Some(first) => text.push_str(&first.to_string()),
        }
        limbs.for_each(|limb| text.push_str(&format!("{limb:09}")));
        match text.trim_start_matches('-').len() {
            0..=4300 => Int::parse_decimal(text.as_bytes()).ok_or((YamlErrorKind::Value, "not an integer")),
            _ => Err((YamlErrorKind::Limit, "an integer of more than 4300 digits")),
        }
    }
}

/// The maximum number of sexagesimal parts: more exceed the range of floats.
const MAX_PARTS: usize = 174;

fn float(text: &[u8]) -> Option<f64> {
    let (minus, text) = unsigned(&lower(text))?;
    let sign = if minus { -1.0 } else { 1.0 };
    if text == b".inf" {
        return Some(sign * f64::INFINITY);
    }
    if text == b".nan" {
        return Some(f64::NAN);
    }
    if !text.contains(&b':') {
        return python_text::to_float(&text).map(|value| sign * value);
    }
    let parts: Option<Vec<f64>> = text.split(|&byte| byte == b':').map(python_text::to_float).collect();
    let mut value = 0.0;
    let mut base = Big { minus: false, limbs: vec![1] };
    for part in parts.filter(|parts| parts.len() <= MAX_PARTS)?.into_iter().rev() {
        let factor = Big { minus: false, limbs: base.limbs.clone() }.into_int(false).ok()?.to_f64()?;
        value += part * factor;
        base.push_digit(60, 0).ok()?;
    }
    Some(sign * value)
}

fn date(text: &[u8]) -> Option<YamlValue<'static>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let DateFields { year, month, day, time } = fields(text)?;
    let Some(Time { hour, minute, second, micros, offset }) = time else {
        return DateTime::new(year, month, day, 0, 0, 0).map(YamlValue::Date);
    };
    if offset.is_some_and(|offset| i64::from(offset.abs()) >= SECONDS_PER_DAY) {
        return None;
    }
    let local = DateTime::new(year, month, day, hour, minute, second)?;
    Some(YamlValue::DateTime(Stamp { local, micros, offset }))
}
