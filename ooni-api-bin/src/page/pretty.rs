//! JSON with line breaks, without parsing it: in one pass, in memory that depends on what is shown alone.

use super::text::{is_invisible, push_escape};

/// Spaces of a level.
const INDENT: usize = 2;
/// Levels beyond which lines are not indented further.
const MOST_LEVELS: usize = 30;

/// The beginning of a JSON text, with a line for each member and item: about `most` bytes of it. The second value is whether
/// that is all of it. Characters that change how others are shown are escaped.
pub fn pretty(json: &[u8], most: usize) -> (String, bool) {
    // What is shown is at least as long as what it is made of, except for spaces.
    let end = json.len().min(most.saturating_mul(4));
    let text = String::from_utf8_lossy(&json[..end]);
    let mut out = String::new();
    let (mut depth, mut in_string, mut is_escaped, mut is_open) = (0_usize, false, false, false);
    for character in text.chars() {
        if out.len() >= most {
            return (out, false);
        }
        if in_string {
            match is_invisible(character) {
                true => push_escape(&mut out, character),
                false => out.push(character),
            }
            in_string = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(character, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // An empty object or array stays on one line.
        if is_open != closes {
            new_line(&mut out, depth);
        }
        is_open = matches!(character, '{' | '[');
        match character {
            '{' | '[' => {
                depth += 1;
                out.push(character);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_string = true;
                out.push('"');
            }
            _ if is_invisible(character) => push_escape(&mut out, character),
            _ => out.push(character),
        }
    }
    (out, end == json.len())
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', INDENT * depth.min(MOST_LEVELS)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(json: &str) -> String {
        let (text, is_all) = pretty(json.as_bytes(), 1 << 20);
        assert!(is_all, "{json}");
        text
    }

    #[test]
    fn members_and_items_have_lines() {
        assert_eq!(
            all(r#"{"a":[1, 2],"b":{},"c":[ ],"d":{"e":"x,{y\"}"}}"#),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": [],\n  \"d\": {\n    \"e\": \"x,{y\\\"}\"\n  }\n}"
        );
        assert_eq!(all("[]"), "[]");
        assert_eq!(all("\"a\""), "\"a\"");
    }

    #[test]
    fn what_it_shows_is_the_same_json() {
        let json = serde_json::json!({"a": ["\u{202e}x\0\n", "\\", "\"", {"b": null}], "ü": [1.5, true, {}]});
        let shown = all(&json.to_string());
        assert!(shown.contains("\\u202e") && !shown.contains('\u{202e}'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), json);
    }

    #[test]
    fn it_is_bounded() {
        let (text, is_all) = pretty("[".repeat(1 << 20).as_bytes(), 1000);
        assert!(!is_all && text.len() < 1100, "{}", text.len());
        let (text, is_all) = pretty(" ".repeat(1 << 20).as_bytes(), 1000);
        assert!(!is_all && text.is_empty());
        let (text, is_all) = pretty(b"]]]}}\xff\xfe{\"", 1000);
        assert!(is_all && text.contains('{'), "{text}");
    }
}
