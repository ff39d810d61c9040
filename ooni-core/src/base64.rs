//! The lenient base64 decoder of Python's `base64.b64decode` (scoring spec §1.4).
//!
//! Characters outside the alphabet are skipped and decoding ends at the first complete padding.
//! Strict and URL-safe base64 are not supported.

/// Why a text cannot be decoded. The rules treat the two cases differently (scoring spec §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Base64Error {
    /// The text has a character outside ASCII: a value error, even if its padding is wrong too.
    #[error("base64 text has a character outside ASCII")]
    NotAscii,
    /// The text ends inside a group of four: a padding error.
    #[error("base64 text ends in the middle of a group")]
    Padding,
}

const SKIP: u8 = 0xFF;

const DIGITS: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [SKIP; 256];
    let mut value = 0;
    while value < 64 {
        digits[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Decodes `text`, see [`decode_into`].
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let mut out = Vec::new();
    decode_into(text, &mut out)?;
    Ok(out)
}

/// Decodes `text` and appends the bytes to `out`, which is unchanged after an error.
pub fn decode_into(text: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
    if !text.is_ascii() {
        return Err(Base64Error::NotAscii);
    }
    let start = out.len();
    // Allocated at once: growing it group by group would take quadratic time on hostile text.
    out.resize(start + text.len() / 4 * 3 + 3, 0);
    let result = decode_slice(text, out.get_mut(start..).unwrap_or_default());
    out.truncate(start + result.unwrap_or(0));
    result.map(drop)
}

/// Decodes into the start of `room`, which must be long enough; returns the number of bytes written.
fn decode_slice(text: &[u8], mut room: &mut [u8]) -> Result<usize, Base64Error> {
    let size = room.len();
    let mut rest = text;
    loop {
        let done = whole_groups(rest, room);
        rest = rest.get(done * 4..).unwrap_or_default();
        room = room.get_mut(done * 3..).unwrap_or_default();
        let group = irregular_group(rest);
        let written = if group.end == End::Unfinished { 0 } else { group.bytes };
        for (place, byte) in room.iter_mut().zip(group.data).take(written) {
            *place = byte;
        }
        room = room.get_mut(written..).unwrap_or_default();
        match group.end {
            End::Complete if group.length < rest.len() => {
                rest = rest.get(group.length..).unwrap_or_default();
            }
            End::Complete | End::Stop => return Ok(size - room.len()),
            End::Unfinished => return Err(Base64Error::Padding),
        }
    }
}

/// Decodes groups of four digits up to the first other group; returns the number of groups.
fn whole_groups(text: &[u8], room: &mut [u8]) -> usize {
    let mut done = 0;
    for (group, bytes) in text.chunks_exact(4).zip(room.chunks_exact_mut(3)) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|index| DIGITS[usize::from(group[index])]);
        if (a | b | c | d) == SKIP {
            break;
        }
        let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        bytes.copy_from_slice(&bits.to_be_bytes()[1..]);
        done += 1;
    }
    done
}

/// A group with its padding and any skipped characters.
struct Group {
    /// Its length in the text.
    length: usize,
    data: [u8; 3],
    /// The number of valid bytes of `data`.
    bytes: usize,
    end: End,
}

#[derive(PartialEq, Eq)]
enum End {
    /// Four digits, or only skipped characters up to the end of the text.
    Complete,
    /// Padding ended the data.
    Stop,
    /// The text ended inside the group.
    Unfinished,
}

/// Decodes one group byte by byte and skips characters that are not digits.
fn irregular_group(text: &[u8]) -> Group {
    let mut digits = 0;
    let mut pads = 0;
    let mut bits = 0_u32;
    let group = |length, bits: u32, digits: usize, end| {
        let [_, data @ ..] = (bits << (24 - 6 * digits)).to_be_bytes();
        Group { length, data, bytes: digits.saturating_sub(1), end }
    };
    for (index, &byte) in text.iter().enumerate() {
        if byte == b'=' {
            if digits >= 2 {
                pads += 1;
                if digits + pads >= 4 {
                    return group(index + 1, bits, digits, End::Stop);
                }
            }
            continue;
        }
        let digit = DIGITS[usize::from(byte)];
        if digit == SKIP {
            continue;
        }
        pads = 0;
        bits = bits << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            return group(index + 1, bits, digits, End::Complete);
        }
    }
    let end = if digits == 0 { End::Complete } else { End::Unfinished };
    group(text.len(), bits, digits, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_the_spec() {
        for text in ["", "=", "===="] {
            assert_eq!(decode(text.as_bytes()), Ok(vec![]));
        }
        for text in ["A", "AA", "AAA", "AA=", "AA=A", "A=A=", "A-_A"] {
            assert_eq!(decode(text.as_bytes()), Err(Base64Error::Padding), "{text}");
        }
        for text in ["YQ==", "YQ====", "YQ==YQ=="] {
            assert_eq!(decode(text.as_bytes()), Ok(b"a".to_vec()), "{text}");
        }
        for text in ["YW\nJj", "Y*W*J*j"] {
            assert_eq!(decode(text.as_bytes()), Ok(b"abc".to_vec()), "{text}");
        }
        assert_eq!(decode(b"=AAAA"), Ok(vec![0; 3]));
        for text in ["AA=A=", "AAA=x"] {
            assert_eq!(decode(text.as_bytes()), Ok(vec![0; 2]), "{text}");
        }
    }

    #[test]
    fn non_ascii_is_reported_before_padding() {
        assert_eq!(decode("Aé".as_bytes()), Err(Base64Error::NotAscii));
        assert_eq!(decode("YQ==é".as_bytes()), Err(Base64Error::NotAscii));
        assert_eq!(decode(b"\xFF"), Err(Base64Error::NotAscii));
    }

    #[test]
    fn an_error_leaves_the_output_unchanged() {
        let mut out = b"x".to_vec();
        assert_eq!(decode_into(b"AAAAYWJjZ", &mut out), Err(Base64Error::Padding));
        assert_eq!(out, b"x");
        assert_eq!(decode_into(b"YWJj", &mut out), Ok(()));
        assert_eq!(out, b"xabc");
    }

    #[test]
    fn fast_path_resumes_after_line_breaks() {
        let line = "YWJj".repeat(19);
        let text = format!("{line}\n{line}\r\n{line}YQ==");
        assert_eq!(decode(text.as_bytes()), Ok(format!("{}a", "abc".repeat(57)).into_bytes()));
    }

    #[test]
    fn every_byte_value_decodes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7\
                    PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3\
                    eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKz\
                    tLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v\
                    8PHy8/T19vf4+fr7/P3+/w==";
        assert_eq!(decode(text.as_bytes()), Ok(bytes));
    }
}
