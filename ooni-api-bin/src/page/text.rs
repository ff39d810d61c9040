//! Numbers, times, links and hostile text.

use crate::names;
use maud::{Markup, html};
use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is not encoded in a path or a query, besides letters and digits.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A number with commas between thousands.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number, and a noun in the singular or the plural.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A number of bytes, with its unit.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => counted(bytes, "byte", "bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A duration of some seconds, by its largest unit.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..120 => counted(whole, "second", "seconds"),
        120..7200 => counted(whole / 60, "minute", "minutes"),
        7200..172_800 => counted(whole / SECONDS_PER_HOUR as u64, "hour", "hours"),
        _ => counted(whole / SECONDS_PER_DAY as u64, "day", "days"),
    }
}

/// A time, as `2025-07-15 10:30:00`.
pub fn time(time: DateTime) -> Markup {
    let text = time.to_string();
    html! { time datetime={ (text.replace(' ', "T")) "Z" } { (text) } }
}

/// The date of a time, as `2025-07-15`.
pub fn date(time: DateTime) -> Markup {
    let text = time.date_text();
    html! { time datetime=(text) { (text) } }
}

/// The date of a time, as `15 Jul`.
pub fn day_and_month(time: DateTime) -> String {
    let (_, month, day) = time.date();
    format!("{day} {}", month_name(month))
}

/// The month of a time, as `Jul 2025`.
pub fn month_and_year(time: DateTime) -> String {
    let (year, month, _) = time.date();
    format!("{} {year}", month_name(month))
}

fn month_name(month: u32) -> &'static str {
    MONTHS.get(month as usize - 1).copied().unwrap_or_default()
}

/// A path with parameters.
pub fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A text, percent-encoded, for a path or a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The name of a country, and its code.
pub fn country(code: &str) -> Markup {
    match names::country(code) {
        Some(name) => html! { (name) " " span class="code" { (code) } },
        None => hostile(code, 20),
    }
}

/// The number of a network, and its name.
pub fn network(asn: u32, name: Option<&str>) -> Markup {
    html! { "AS" (asn) @if let Some(name) = name { " " span class="code" { (hostile(name, 60)) } } }
}

/// The name of a test.
pub fn test(test_name: &str) -> Markup {
    match names::test(test_name) {
        Some(name) => html! { (name) },
        None => hostile(test_name, 60),
    }
}

/// Text of a measurement, of at most `longest` characters, isolated from the direction of the text around it.
pub fn hostile(text: &str, longest: usize) -> Markup {
    html! { bdi { (visible(text, longest)) } }
}

/// The text without characters that change how others are shown: these become escapes of JSON. Cut off after `longest`
/// characters.
pub fn visible(text: &str, longest: usize) -> String {
    let mut visible = String::with_capacity(text.len().min(longest));
    for (at, character) in text.chars().enumerate() {
        if at == longest {
            visible.push('…');
            break;
        }
        match is_invisible(character) {
            true => push_escape(&mut visible, character),
            false => visible.push(character),
        }
    }
    visible
}

/// Whether a character is a control character, or changes the direction of text.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Appends a character as JSON escapes it.
pub(super) fn push_escape(out: &mut String, character: char) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((counted(1, "hour", "hours"), counted(2, "hour", "hours")), ("1 hour".into(), "2 hours".into()));
        assert_eq!([1, 1536, 3 << 20].map(bytes), ["1 byte", "1.5 KiB", "3.0 MiB"]);
        assert_eq!(
            [0.2, 1.0, 200.0, 9000.0, 3e5].map(duration),
            ["0 seconds", "1 second", "3 minutes", "2 hours", "3 days"]
        );
    }

    #[test]
    fn times() {
        let at = DateTime::new(2025, 7, 5, 10, 30, 0).unwrap();
        assert_eq!(time(at).into_string(), "<time datetime=\"2025-07-05T10:30:00Z\">2025-07-05 10:30:00</time>");
        assert_eq!((day_and_month(at), month_and_year(at)), ("5 Jul".into(), "Jul 2025".into()));
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(
            link("/search", &[("input", "https://a/?b=c&d"), ("x", "ü ")]),
            "/search?input=https%3A%2F%2Fa%2F%3Fb%3Dc%26d&x=%C3%BC%20"
        );
        assert_eq!(link("/search", &[]), "/search");
    }

    #[test]
    fn hostile_text_is_shown_as_it_is_stored() {
        assert_eq!(visible("a\u{202e}b\0c\u{2066}\n", 100), "a\\u202eb\\u0000c\\u2066\\u000a");
        assert_eq!(visible("abc", 3), "abc");
        assert_eq!(visible("äbcd", 3), "äbc…");
        assert_eq!(hostile("<b>", 9).into_string(), "<bdi>&lt;b&gt;</bdi>");
    }
}
