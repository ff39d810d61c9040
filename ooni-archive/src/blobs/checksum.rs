//! [`Checksum`]: the checksum of an object according to the server; [`Sum`]: the checksum of what was received.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use hyper::header::HeaderMap;
use md5::Md5;
use ooni_core::base64;
use ooni_core::hex::hex;
use sha1::Sha1;
use sha2::{Digest, Sha256};

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// The checksum of a whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    algorithm: Algorithm,
    /// In hexadecimal, lower case.
    digits: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Checksum {
    /// The MD5 in an ETag; `None` for objects uploaded in parts, whose ETags are not MD5 sums.
    pub(crate) fn of_etag(etag: &str) -> Option<Checksum> {
        let digits = bare(etag).to_ascii_lowercase();
        let is_md5 = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_md5.then_some(Checksum { algorithm: Algorithm::Md5, digits })
    }

    /// The strongest checksum in the headers of a response; composite checksums of parts are ignored.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Checksum> {
        let value = |name: &str| headers.get(name)?.to_str().ok();
        if value("x-amz-checksum-type").is_some_and(|kind| kind.eq_ignore_ascii_case("COMPOSITE")) {
            return None;
        }
        [
            ("x-amz-checksum-sha256", Algorithm::Sha256, 32),
            ("x-amz-checksum-sha1", Algorithm::Sha1, 20),
            ("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme, 8),
            ("x-amz-checksum-crc32c", Algorithm::Crc32c, 4),
            ("x-amz-checksum-crc32", Algorithm::Crc32, 4),
        ]
        .into_iter()
        .find_map(|(name, algorithm, length)| {
            // A hyphen precedes the number of parts.
            let text = value(name).filter(|text| !text.contains('-'))?;
            let bytes = base64::decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == length)?;
            Some(Checksum { algorithm, digits: hex(bytes) })
        })
    }

    /// An empty sum of the same algorithm.
    pub(crate) fn sum(&self) -> Sum {
        match self.algorithm {
            Algorithm::Md5 => Sum::Md5(Md5::new()),
            Algorithm::Crc32 => Sum::Crc32(CRC32.digest()),
            Algorithm::Crc32c => Sum::Crc32(CRC32C.digest()),
            Algorithm::Crc64Nvme => Sum::Crc64(CRC64.digest()),
            Algorithm::Sha1 => Sum::Sha1(Sha1::new()),
            Algorithm::Sha256 => Sum::Sha256(Sha256::new()),
        }
    }

    /// Compares the checksum with a sum.
    ///
    /// # Errors
    /// A sentence with both, when they differ.
    pub(crate) fn compare(&self, sum: Sum) -> Result<(), String> {
        let Checksum { algorithm, digits } = self;
        let found = match sum {
            Sum::Md5(sum) => hex(sum.finalize()),
            Sum::Crc32(sum) => hex(sum.finalize().to_be_bytes()),
            Sum::Crc64(sum) => hex(sum.finalize().to_be_bytes()),
            Sum::Sha1(sum) => hex(sum.finalize()),
            Sum::Sha256(sum) => hex(sum.finalize()),
        };
        match found == *digits {
            true => Ok(()),
            false => Err(format!("its {} is {found} but should be {digits}", algorithm.name())),
        }
    }
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Crc32 => "CRC-32",
            Algorithm::Crc32c => "CRC-32C",
            Algorithm::Crc64Nvme => "CRC-64/NVME",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Sha256 => "SHA-256",
        }
    }
}

/// The sum of what was received so far.
pub(crate) enum Sum {
    Md5(Md5),
    Crc32(crc::Digest<'static, u32, Table<16>>),
    Crc64(crc::Digest<'static, u64, Table<16>>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Sum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Md5(sum) => sum.update(bytes),
            Sum::Crc32(sum) => sum.update(bytes),
            Sum::Crc64(sum) => sum.update(bytes),
            Sum::Sha1(sum) => sum.update(bytes),
            Sum::Sha256(sum) => sum.update(bytes),
        }
    }
}

/// Bytes in base64, as checksums are in headers.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let is_padding = digit > group.len();
            text.push(if is_padding { '=' } else { char::from(DIGITS[number >> (18 - 6 * digit) & 63]) });
        }
    }
    text
}

/// An ETag without quotes and the prefix of a weak one, which servers do not use consistently.
pub(crate) fn bare(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        all.iter().map(header).collect()
    }

    /// Of `123456789`: the check values of the CRC catalogue, and `sha1sum`, `sha256sum`, `md5sum`.
    #[test]
    fn known_sums() {
        for (name, value) in [
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-crc32c", "4waSgw=="),
            ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
            ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            let checksum = Checksum::of_headers(&headers(&[(name, value)])).unwrap();
            let mut sum = checksum.sum();
            sum.update(b"12345");
            sum.update(b"6789");
            assert_eq!(checksum.compare(sum), Ok(()), "{name}");
            let mut sum = checksum.sum();
            sum.update(b"12345678!");
            assert!(checksum.compare(sum).unwrap_err().starts_with("its "), "{name}");
        }
        let checksum = Checksum::of_etag("\"25F9E794323B453885F5181F1B624D0B\"").unwrap();
        let mut sum = checksum.sum();
        sum.update(b"123456789");
        assert_eq!(checksum.compare(sum), Ok(()));
    }

    #[test]
    fn base64_is_decoded_again() {
        for length in 0..40_u8 {
            let bytes: Vec<_> = (0..length).map(|byte| byte.wrapping_mul(73)).collect();
            assert_eq!(base64::decode(super::base64(&bytes).as_bytes()).unwrap(), bytes);
        }
        assert_eq!(super::base64(b"sure."), "c3VyZS4=");
    }

    #[test]
    fn composite_checksums_are_ignored() {
        assert_eq!(Checksum::of_etag("\"0123456789abcdef0123456789abcdef-7\""), None);
        let crc = ("x-amz-checksum-crc32", "y/Q5Jg==");
        assert_eq!(Checksum::of_headers(&headers(&[crc, ("x-amz-checksum-type", "COMPOSITE")])), None);
        assert_eq!(Checksum::of_headers(&headers(&[("x-amz-checksum-crc32", "y/Q5Jg==-3")])), None);
        assert_eq!(Checksum::of_headers(&headers(&[("x-amz-checksum-crc32", "short")])), None);
    }
}
