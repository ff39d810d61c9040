//! [`Limits`]: limits beyond which input is rejected with `E-LIMIT`.
//!
//! Each limit has a command-line flag; the defaults are defined here.

use ooni_core::json;

/// Limits beyond which input is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a measurement: a line, a member of an archive, or a file.
    pub measurement_size: usize,
    /// Levels of nesting in JSON.
    pub depth: usize,
    /// JSON values in one measurement, keys included: each takes 16 bytes of memory.
    pub values: usize,
    /// Ratio of decompressed to stored size of a file. It applies only beyond [`Limits::ratio_free`] bytes, because short
    /// files of repeated text come close to 1032, the maximum of deflate.
    pub ratio: u64,
}

/// Decompressed bytes up to which the ratio is not checked, at least.
pub const RATIO_FREE: u64 = 64 << 20;

/// What a container may add to a measurement: headers and padding.
const OVERHEAD: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Limits {
        let json::Limits { bytes, depth, values } = json::Limits::default();
        Limits { measurement_size: bytes, depth, values, ratio: 500 }
    }
}

impl Limits {
    /// Decompressed bytes up to which the ratio is not checked. A file with a single measurement is not refused for it.
    pub fn ratio_free(self) -> u64 {
        RATIO_FREE.max(self.measurement_size as u64 + OVERHEAD)
    }

    /// The limits that the JSON reader applies.
    pub fn json(self) -> json::Limits {
        json::Limits { bytes: self.measurement_size, depth: self.depth, values: self.values }
    }
}

/// Parses a size in memory: a plain number of bytes, or one with `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// A sentence, for anything else and for sizes beyond 4095 MiB.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let sized = |size: &u64| (1..=4095 << 20).contains(size);
    let size = parse_bytes(text)?.filter(sized).ok_or("expected at least 1 byte and at most 4095MiB")?;
    usize::try_from(size).map_err(|error| error.to_string())
}

/// Parses a size on disk, in the same way.
///
/// # Errors
/// A sentence, for anything else.
pub fn parse_disk_size(text: &str) -> Result<u64, String> {
    parse_bytes(text)?.filter(|size| *size > 0).ok_or_else(|| "expected at least 1 byte and less than 2^64".to_owned())
}

/// A number of bytes; `None` beyond what can be counted.
fn parse_bytes(text: &str) -> Result<Option<u64>, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err("expected a number of bytes, or a number with KiB, MiB or GiB".to_owned()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "expected a number of bytes, or a number with KiB, MiB or GiB".to_owned())?;
    Ok(number.checked_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [("1", 1), ("512 KiB", 512 << 10), ("200MiB", 200 << 20), ("3gib", 3 << 30), ("7B", 7)] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for text in ["", "0", "MiB", "1.5MiB", "1TiB", "-1", "4GiB", "99999999999999999999", "18446744073709551615GiB"]
        {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(parse_disk_size("500GiB"), Ok(500 << 30));
        assert!(parse_disk_size("0").is_err() && parse_disk_size("18446744073709551615GiB").is_err());
    }
}
