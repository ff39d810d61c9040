//! Base64: the standard alphabet for report ids, the one for URLs for tokens. Without padding.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// With `+` and `/`.
pub(super) fn standard(bytes: &[u8]) -> String {
    encode(bytes, STANDARD)
}

/// With `-` and `_`.
pub(super) fn url(bytes: &[u8]) -> String {
    encode(bytes, URL)
}

fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..=group.len() {
            text.push(char::from(alphabet[(bits >> (18 - 6 * i) & 63) as usize]));
        }
    }
    text
}

/// Decodes the alphabet for URLs. `None` for other characters, padding, and bits that no bytes lead to.
pub(super) fn from_url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for i in 0..4 {
            let digit = match group.get(i) {
                None => 0,
                Some(byte) => URL.iter().position(|digit| digit == byte)? as u32,
            };
            bits = bits << 6 | digit;
        }
        // The first byte of the four is always 0.
        let decoded = bits.to_be_bytes();
        let (used, rest) = decoded[1..].split_at(group.len() - 1);
        if used.is_empty() || rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        bytes.extend_from_slice(used);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")] {
            assert_eq!((url(bytes), standard(bytes)), (text.to_owned(), text.to_owned()));
            assert_eq!(from_url(text).as_deref(), Some(bytes));
        }
        assert_eq!((&*standard(b"\xfb\xff"), &*url(b"\xfb\xff")), ("+/8", "-_8"));
        for text in ["Z", "Zg==", "Zh", "Zm9", "Zm9vY", "a+b/", "é", "Zm 8"] {
            assert_eq!(from_url(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(from_url(&url(&bytes)), Some(bytes));
        }

        #[test]
        fn one_spelling(text in "[A-Za-z0-9_-]{0,12}") {
            if let Some(bytes) = from_url(&text) {
                prop_assert_eq!(url(&bytes), text);
            }
        }
    }
}
