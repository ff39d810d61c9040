//! Ids of measurements that come without one (formats spec §1.1).

use ooni_core::time::DateTime;
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};

/// The trivial id: `01`, the day on which the measurement began, SHAKE-128 of the bytes it was read from.
///
/// `raw` is the line with its line end if it has one, or the whole file; `start` is the text of
/// `measurement_start_time`. Anything that is no date counts as the day `00000000`.
pub fn trivial(raw: &[u8], start: Option<&[u8]>) -> String {
    let mut hasher = Shake128::default();
    hasher.update(raw);
    let mut hash = [0; 15];
    hasher.finalize_xof().read(&mut hash);
    let mut id = String::with_capacity(40);
    id.push_str("01");
    match start.and_then(DateTime::parse) {
        Some(start) => push_day(start, &mut id),
        None => id.push_str("00000000"),
    }
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            id.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    id
}

/// The day as digits. Years below 1000 are not padded, as in the reference.
fn push_day(start: DateTime, id: &mut String) {
    let mut day = Vec::with_capacity(10);
    start.write_day(&mut day);
    let digits = day.iter().filter(|byte| byte.is_ascii_digit()).map(|&byte| char::from(byte));
    let mut leading = day.iter().take_while(|&&byte| byte == b'0').count();
    id.extend(digits.filter(|_| {
        let keep = leading == 0;
        leading = leading.saturating_sub(1);
        keep
    }));
}

#[cfg(test)]
mod tests {
    use super::trivial;

    #[test]
    fn ids_of_the_specification() {
        let empty = |start: Option<&str>| trivial(b"", start.map(str::as_bytes));
        assert_eq!(empty(Some("2021-02-03 10:11:12")), "01202102037f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("2021-1-2 3:4:5")), "01202101027f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("2021-01-02T03:04:05Z")), "01000000007f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(None), "01000000007f9c2ba4e88f827d61604550760585");
        assert_eq!(empty(Some("0001-01-01 00:00:00")), "01101017f9c2ba4e88f827d61604550760585");
        let line = "{\"report_id\":\"R\",\"measurement_start_time\":\"2019-01-02 03:04:05\"}\n".as_bytes();
        let start = Some(&b"2019-01-02 03:04:05"[..]);
        assert_eq!(trivial(line, start), "0120190102bb82e5afd7753bab03ad9cff32d049");
        assert_eq!(trivial(&line[..line.len() - 1], start), "01201901029b2f35442e6c930fe73355fb9617a6");
    }
}
