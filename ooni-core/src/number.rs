//! Numbers as Python has them: unbounded integers, and the text forms of floats.
//!
//! Integers are kept as they were read and only compared, so there is no big-number arithmetic here.
//! Conversion of arbitrary text (`int("…")`) is in `python_text`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// The most digits of an integer: Python's limit for decimal text.
pub const MAX_DIGITS: usize = 4300;

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Int {
    /// A value that fits 64 bits.
    Small(i64),
    /// A value beyond 64 bits: decimal text, `-` for negative ones, no leading zeros.
    ///
    /// Equality and order rely on this form, so only the functions of this type create it.
    Big(Box<str>),
}

impl Int {
    /// Reads ASCII `[-]digits`, leading zeros allowed; `-` and `-0` are 0 (scoring spec §2).
    ///
    /// `None` for any other text, and for more than [`MAX_DIGITS`] digits not counting leading
    /// zeros.
    pub fn parse_decimal(digits: &[u8]) -> Option<Int> {
        let (negative, digits) = match digits {
            [b'-', rest @ ..] => (true, rest),
            [] => return None,
            _ => (false, digits),
        };
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let digits = digits.get(zeros..).unwrap_or_default();
        if digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if digits.len() <= 18 {
            let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
            return Some(Int::Small(if negative { -value } else { value }));
        }
        let mut text = String::with_capacity(digits.len() + 1);
        if negative {
            text.push('-');
        }
        text.push_str(std::str::from_utf8(digits).ok()?);
        Some(match text.parse() {
            Ok(value) => Int::Small(value),
            Err(_) => Int::Big(text.into()),
        })
    }

    /// The integral part of `value`, exactly; `None` for NaN and the infinities.
    pub fn from_f64_truncated(value: f64) -> Option<Int> {
        if !value.is_finite() {
            return None;
        }
        let whole = value.trunc();
        if in_i64(whole) {
            return Some(Int::Small(whole as i64));
        }
        Int::parse_decimal(format!("{whole:.0}").as_bytes())
    }

    /// The nearest float; `None` where Python raises `OverflowError`.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Int::Small(value) => Some(*value as f64),
            Int::Big(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        }
    }

    /// Compares with a float by exact value, as Python does; `None` for NaN.
    pub fn cmp_f64(&self, other: f64) -> Option<Ordering> {
        if other.is_nan() {
            return None;
        }
        let Some(whole) = Int::from_f64_truncated(other) else {
            return 0.0.partial_cmp(&other); // an infinity
        };
        // A float with a fraction is far smaller than any `Big`.
        let order = self.cmp(&whole);
        Some(order.then_with(|| 0.0.partial_cmp(&other.fract()).unwrap_or(Ordering::Equal)))
    }

    /// Whether this is 0, Python's only falsy integer.
    pub fn is_zero(&self) -> bool {
        *self == Int::Small(0)
    }

    /// The value, if it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Int::Small(value) => Some(*value),
            Int::Big(_) => None,
        }
    }

    /// The value, if it fits: not negative, below 2^64.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Int::Small(value) => u64::try_from(*value).ok(),
            Int::Big(text) => text.parse().ok(),
        }
    }
}

impl From<i64> for Int {
    fn from(value: i64) -> Int {
        Int::Small(value)
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Int::Small(value) => value.fmt(f),
            Int::Big(text) => f.write_str(text),
        }
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Int) -> Ordering {
        match (self, other) {
            (Int::Small(a), Int::Small(b)) => a.cmp(b),
            (Int::Small(_), Int::Big(b)) => sign(b).reverse(),
            (Int::Big(a), Int::Small(_)) => sign(a),
            (Int::Big(a), Int::Big(b)) => sign(a).cmp(&sign(b)).then_with(|| {
                let size = (a.len(), a).cmp(&(b.len(), b));
                if sign(a) == Ordering::Less { size.reverse() } else { size }
            }),
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Int) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How an [`Int::Big`] compares with 0, and so with every [`Int::Small`].
fn sign(text: &str) -> Ordering {
    if text.starts_with('-') { Ordering::Less } else { Ordering::Greater }
}

fn in_i64(whole: f64) -> bool {
    // Both limits are powers of two, exact as floats.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole)
}

/// Parses a float that the JSON reader has already checked, including forms such as `1.`, `1.e5`, `-.5` and `00.5`
/// (scoring spec §2).
///
/// The result is the nearest float whatever the length of the digits or the exponent; overflow
/// gives an infinity. Text that is not a number gives NaN.
pub fn parse_f64(text: &[u8]) -> f64 {
    let text = if text.len() > 400 { Cow::Owned(condense(text)) } else { Cow::Borrowed(text) };
    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// Digits after this many affect rounding only if any of them is not 0.
const SIGNIFICANT_DIGITS: usize = 800;

/// The same value as a shorter text. The standard library clips exponents near 2^16 before it adjusts
/// them by the number of digits, which is wrong for a number with that many zeros.
fn condense(text: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(SIGNIFICANT_DIGITS + 32);
    let mut bytes = text.iter().copied().peekable();
    if let Some(sign) = bytes.next_if(|byte| matches!(byte, b'-' | b'+')) {
        short.push(sign);
    }
    let mut digits = 0_usize;
    let mut exponent = 0_i64;
    let mut after_point = false;
    let mut sticky = false;
    let mut any = false;
    while let Some(byte) = bytes.next_if(|byte| byte.is_ascii_digit() || *byte == b'.') {
        if byte == b'.' {
            if after_point {
                return Vec::new(); // not a number
            }
            after_point = true;
            continue;
        }
        any = true;
        if digits == SIGNIFICANT_DIGITS {
            sticky |= byte != b'0';
            exponent += i64::from(!after_point);
        } else {
            exponent -= i64::from(after_point);
            if digits > 0 || byte != b'0' {
                short.push(byte);
                digits += 1;
            }
        }
    }
    if sticky {
        short.push(b'1');
        exponent -= 1;
    }
    if digits == 0 {
        short.push(b'0');
    }
    match bytes.next() {
        None if any => {}
        Some(b'e' | b'E') if any => {
            let negative = match bytes.next_if(|byte| matches!(byte, b'-' | b'+')) {
                Some(sign) => sign == b'-',
                None => false,
            };
            let mut given = None;
            for byte in bytes {
                if !byte.is_ascii_digit() {
                    return Vec::new(); // not a number
                }
                let so_far: i64 = given.unwrap_or(0);
                given = Some(so_far.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
            }
            let Some(given) = given else {
                return Vec::new();
            };
            exponent = exponent.saturating_add(if negative { -given } else { given });
        }
        _ => return Vec::new(), // not a number
    }
    // With at most `SIGNIFICANT_DIGITS` digits, exponents beyond these give 0 or infinity anyway.
    short.extend_from_slice(format!("e{}", exponent.clamp(-5000, 5000)).as_bytes());
    short
}

/// Appends `value` as the reference's JSON writer does (scoring spec §14): `1.0`, `1e-5`, `1e+16`,
/// `NaN`, `-Infinity`.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    write(out, value, Form { nan: "NaN", infinity: "Infinity", exponent_digits: 1 });
}

/// Appends `value` as Python's `repr` does: like [`write_f64`] but `1e-05`, `nan`, `-inf`.
pub fn write_f64_python(out: &mut Vec<u8>, value: f64) {
    write(out, value, Form { nan: "nan", infinity: "inf", exponent_digits: 2 });
}

struct Form {
    nan: &'static str,
    infinity: &'static str,
    exponent_digits: usize,
}

fn write(out: &mut Vec<u8>, value: f64, form: Form) {
    if value.is_nan() {
        out.extend_from_slice(form.nan.as_bytes());
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    // Most floats of a row are 0.0, 1.0 or 2.0.
    if value < 10.0 && value.trunc() == value {
        out.extend_from_slice(&[b'0' + value as u8, b'.', b'0']);
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(form.infinity.as_bytes());
        return;
    }
    // Between these limits, both forms are the shortest digits with a point and no exponent.
    if (1e-3..1e15).contains(&value) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        return;
    }
    write_shortest(out, value, form);
}

/// Any positive number.
fn write_shortest(out: &mut Vec<u8>, value: f64, form: Form) {
    let text = shortest(value);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, more) = digits.split_once('.').unwrap_or((digits, ""));
    match exponent {
        0..=15 => {
            let whole = exponent as usize;
            let (before, after) = more.split_at(more.len().min(whole));
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(before.as_bytes());
            out.resize(out.len() + whole - before.len(), b'0');
            out.push(b'.');
            out.extend_from_slice(if after.is_empty() { b"0" } else { after.as_bytes() });
        }
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(more.as_bytes());
        }
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            let (size, width) = (exponent.unsigned_abs(), form.exponent_digits);
            out.extend_from_slice(format!("{digits}e{sign}{size:0width$}").as_bytes());
        }
    }
}

/// `d[.ddd]e[-]N` with the shortest digits that round-trip, for a positive number.
///
/// Of two texts that are equally short and equally close, Python takes the one with the even last digit, the
/// standard library the greater one. Only doubles of 16 digits or more can be halfway between two.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let decimals = text.find('e').unwrap_or(0).saturating_sub(2);
    if decimals < 15 {
        return text;
    }
    let even = format!("{value:.decimals$e}");
    // Just above a power of two, the nearest text of this length may round-trip to the float below.
    if even.parse() == Ok(value) { even } else { text }
}

#[cfg(test)]
mod tests;
