//! Ids derived from hashes: of POST bodies, of entries of cans, and of reports without an id.
//!
//! Implemented independently of the library, so that a corpus can verify it.

use std::fmt::Write as _;

use sha2::{Digest, Sha512};
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};

use super::calendar::{Moment, SECOND};

/// The last part of a current uid: the start of the SHA-512 of a POST body.
pub(super) fn of_post(post: &[u8]) -> String {
    hex(&Sha512::digest(post)[..8])
}

/// The uid of a can's entry. `day` is the day of `measurement_start_time`, if it has one.
pub(super) fn of_entry(raw: &[u8], day: Option<&str>) -> String {
    let mut hasher = Shake128::default();
    hasher.update(raw);
    let mut hash = [0; 15];
    hasher.finalize_xof().read(&mut hash);
    format!("01{}{}", day.unwrap_or("00000000"), hex(&hash))
}

/// The report id of a YAML report without one. `start`: microseconds from 1970. `parts`: country, network, test,
/// version of the software and city, as written.
pub(super) fn of_report(start: u64, parts: [&str; 5]) -> String {
    let mut hasher = Sha512::new();
    for part in parts {
        Digest::update(&mut hasher, part);
    }
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letters = hasher.finalize().iter().take(50).map(|&byte| char::from(letters[usize::from(byte % 52)])).collect();
    [Moment::new(start / SECOND * SECOND).report(), letters].join("_")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // a String takes everything
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of formats spec §1 and §11.3.
    #[test]
    fn published() {
        assert_eq!(of_post(br#"{"format":"json","content":{"a":"x\/y"},"is_verified":"u"}"#), "5579e418f9d8cfe4");
        assert_eq!(of_entry(b"", Some("20210203")), "01202102037f9c2ba4e88f827d61604550760585");
        let line = b"{\"report_id\":\"R\",\"measurement_start_time\":\"2019-01-02 03:04:05\"}\n";
        assert_eq!(of_entry(line, Some("20190102")), "0120190102bb82e5afd7753bab03ad9cff32d049");
        assert_eq!(
            of_report(0, ["UK", "AS0", "web_connectivity", "0.0.0", "None"]),
            "19700101T000000Z_LLWQMcPHNefGtRNzxcgKlXlSjKmRuyyKLycBDGwNiNEbMztVzb"
        );
        assert_eq!(
            of_report(999_999, ["ZZ", "AS0", "invalid", "0.0.0", ""]),
            "19700101T000000Z_eiKuKgjKWHSnFidvBwbJvrJYZoVjfwbHoCQTvQJVrhqQLoCzcW"
        );
    }
}
