//! Hexadecimal text of bytes, such as hashes.

/// The bytes as lower-case hexadecimal digits, two per byte.
pub fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        assert_eq!(hex([0, 0x1f, 0xa0, 0xff]), "001fa0ff");
    }
}
