//! Finds the end of a number, and whether it is an integer or a float.

use crate::json::document::Tag;

/// The maximum number of decimal digits of an integer (scoring spec §2).
const MAX_DIGITS: usize = 4300;

/// Why there is no number, and where.
pub(super) type NumberError = (usize, &'static str);

/// Bytes that are examined together.
const WINDOW: usize = 16;

/// The end and the type of the number that starts at `start`, with a digit or a minus.
///
/// Leading zeros, `1.`, `-.5` and a lone `-`, which is 0, are accepted; `.5`, `-.` and `1e` are not. `-Infinity` is none.
#[inline]
pub(super) fn number(text: &[u8], start: usize) -> Result<(usize, Tag), NumberError> {
    match text.get(start..start + WINDOW).and_then(|window| window.try_into().ok()).and_then(short) {
        Some((length, tag)) => Ok((start + length, tag)),
        None => any(text, start),
    }
}

/// The length of a number of digits with or without a point between them, if it ends within these bytes.
#[inline(always)]
fn short(window: &[u8; WINDOW]) -> Option<(usize, Tag)> {
    let digits = digits(window);
    let end_of_run = |from: u32| from + (digits >> from).trailing_ones();
    let first = u32::from(window[0] == b'-');
    let whole = end_of_run(first);
    if whole == first {
        return None;
    }
    match window.get(whole as usize)? {
        b'.' => {
            let end = end_of_run(whole + 1);
            match window.get(end as usize)? {
                b'e' | b'E' => None,
                _ => Some((end as usize, Tag::Float)),
            }
        }
        b'e' | b'E' => None,
        _ => Some((whole as usize, Tag::Int)),
    }
}

/// A bit for each byte that is a digit.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn digits(window: &[u8; WINDOW]) -> u32 {
    use safe_arch::{cmp_gt_mask_i8_m128i, load_unaligned_m128i, move_mask_i8_m128i, set_splat_i8_m128i};
    let bytes = load_unaligned_m128i(window);
    let from_0 = cmp_gt_mask_i8_m128i(bytes, set_splat_i8_m128i(b'0' as i8 - 1));
    let to_9 = cmp_gt_mask_i8_m128i(set_splat_i8_m128i(b'9' as i8 + 1), bytes);
    move_mask_i8_m128i(from_0 & to_9) as u32
}

/// A bit for each byte that is a digit.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn digits(window: &[u8; WINDOW]) -> u32 {
    window.iter().rev().fold(0, |all, byte| all << 1 | u32::from(byte.is_ascii_digit()))
}

/// Any number, byte by byte.
#[inline(never)]
fn any(text: &[u8], start: usize) -> Result<(usize, Tag), NumberError> {
    // 0 at the end of the text, where no NUL can be.
    let byte = |at: usize| text.get(at).copied().unwrap_or(0);
    let after_digits = |from: usize| from + text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zeros = start + usize::from(byte(start) == b'-');
    let significant = zeros + text[zeros..].iter().take_while(|byte| **byte == b'0').count();
    let mut at = after_digits(significant);
    let has_digits = at > zeros;
    if at - significant > MAX_DIGITS && !matches!(byte(at), b'.' | b'e' | b'E') {
        return Err((start, "an integer of more than 4300 digits"));
    }
    let mut tag = Tag::Int;
    if byte(at) == b'.' && (has_digits || byte(at + 1).is_ascii_digit()) {
        at = after_digits(at + 1);
        tag = Tag::Float;
    }
    if matches!(byte(at), b'e' | b'E') && (has_digits || tag == Tag::Float) {
        at += 1 + usize::from(matches!(byte(at + 1), b'+' | b'-'));
        let end = after_digits(at);
        if end == at {
            return Err((at, "an exponent without digits"));
        }
        return Ok((end, Tag::Float));
    }
    Ok((at, tag))
}
