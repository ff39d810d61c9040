//! [`Limits`]: sizes beyond which input is rejected, whatever its content.
//!
//! Each limit is a flag of the command line with the default given here. Larger input is rejected as `E-LIMIT`.

use ooni_core::json;

/// Sizes beyond which input is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one measurement: a line, a member of an archive, a file of its own.
    pub measurement_size: usize,
    /// Levels of nesting in JSON.
    pub depth: usize,
    /// JSON values in one measurement, keys included: each takes 16 bytes of memory.
    pub values: usize,
    /// How many times its stored size a file may become when it is decompressed. This applies only beyond [`RATIO_FREE`]
    /// bytes: short files of repeated text come near 1032, the most that deflate can do.
    pub ratio: u64,
}

/// Decompressed bytes that a file may have at any ratio.
pub const RATIO_FREE: u64 = 64 << 20;

impl Default for Limits {
    fn default() -> Limits {
        let json::Limits { bytes, depth, values } = json::Limits::default();
        Limits { measurement_size: bytes, depth, values, ratio: 500 }
    }
}

impl Limits {
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
    let size = parse_bytes(text)?.filter(sized).ok_or("at least 1 byte, at most 4095MiB")?;
    usize::try_from(size).map_err(|error| error.to_string())
}

/// Parses a size on disk, in the same way.
///
/// # Errors
/// A sentence, for anything else.
pub fn parse_disk_size(text: &str) -> Result<u64, String> {
    parse_bytes(text)?.filter(|size| *size > 0).ok_or_else(|| "at least 1 byte, less than 2^64".to_owned())
}

/// A number of bytes; `None` beyond what can be counted.
fn parse_bytes(text: &str) -> Result<Option<u64>, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err("a number of bytes, or one with KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a number of bytes, or one with KiB, MiB or GiB".to_owned())?;
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
