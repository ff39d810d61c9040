//! Lone surrogates in JSON text. The reference writes them as `\ud83d` (scoring spec §14), which most readers reject.

/// Replaces each escaped lone surrogate with `\ufffd`, in JSON text from [`write_json`](super::write_json). Pairs are kept.
pub fn replace_lone_surrogates(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        let Some(code) = unit(json, at) else {
            at += 2; // another escape
            continue;
        };
        let is_pair = matches!(code, 0xd800..=0xdbff) && matches!(unit(json, at + 6), Some(0xdc00..=0xdfff));
        if is_pair {
            at += 12;
            continue;
        }
        if matches!(code, 0xd800..=0xdfff) {
            json[at + 2..at + 6].copy_from_slice(b"fffd");
        }
        at += 6;
    }
}

/// The code of an escape `\uXXXX` at this offset.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::replace_lone_surrogates;

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        for (json, expected) in [
            (r#""""#, r#""""#),
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#"{"\udbff":"\ud7ff\ue000\n\/"}"#, r#"{"\ufffd":"\ud7ff\ue000\n\/"}"#),
            // An escaped backslash, then letters.
            (r#""\\ud83d\\\ud83d""#, r#""\\ud83d\\\ufffd""#),
            (r#""\ud8"#, r#""\ud8"#),
            (r"\", r"\"),
        ] {
            let mut text = json.as_bytes().to_vec();
            replace_lone_surrogates(&mut text);
            assert_eq!(std::str::from_utf8(&text).unwrap(), expected, "{json}");
        }
    }
}
