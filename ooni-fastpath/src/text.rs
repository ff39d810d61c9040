//! Makes text from measurements, files and servers safe for terminals: [`plain`] for any text, [`line()`] for messages,
//! [`cell`] for tables.
//!
//! All text that is shown to a person passes through here. The functions take linear time and, except for [`plain`], bound
//! the length of the result.

/// Maximum characters of a message.
pub const LINE: usize = 2000;

/// Maximum characters of a table cell whose column has no fixed width.
pub const CELL: usize = 500;

/// Maximum characters of a name in a summary, such as that of a test. The longest name of OONI's tests has 30.
pub const NAME: usize = 40;

/// The text with characters that could manipulate a terminal replaced by U+FFFD: control characters, line separators, and
/// characters that change the direction of writing.
pub fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// The text as a message: [`plain`], at most [`LINE`] characters.
pub fn line(text: &str) -> String {
    shortened(text, LINE)
}

/// The text as a table cell: [`plain`], at most [`CELL`] characters.
pub fn cell(text: &str) -> String {
    shortened(text, CELL)
}

/// A name in a summary: [`plain`], at most [`NAME`] characters.
pub fn name(text: &str) -> String {
    shortened(text, NAME)
}

/// [`plain`], at most `most` characters; if there are more, the last one is `…`.
pub fn shortened(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(harmless).collect();
    if text.chars().nth(most).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The character, unless it could manipulate a terminal.
fn harmless(c: char) -> char {
    let harmful = c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if harmful { '\u{fffd}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_replaced() {
        assert_eq!(plain("a\x1b[31m\u{202e}b\u{9b}"), "a\u{fffd}[31m\u{fffd}b\u{fffd}");
        for harmful in ['\0', '\x07', '\x7f', '\u{85}', '\u{61c}', '\u{200e}', '\u{2028}', '\u{202a}', '\u{2069}'] {
            assert_eq!(cell(&format!("a{harmful}b")), "a\u{fffd}b", "{harmful:?}");
        }
        assert_eq!(plain("日本 é"), "日本 é");
    }

    #[test]
    fn long_text_is_truncated() {
        assert_eq!((shortened("abc", 3), shortened("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
        let long = "x".repeat(10 << 20);
        assert_eq!([line(&long), cell(&long), name(&long)].map(|text| text.chars().count()), [LINE, CELL, NAME]);
    }
}
