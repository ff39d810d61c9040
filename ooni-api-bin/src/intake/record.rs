//! A record of the log: a fixed header, metadata as JSON, and the body.
//!
//! All numbers are little-endian.
//!
//! | Offset | Length | Field |
//! | --- | --- | --- |
//! | 0 | 8 | marker of the segment |
//! | 8 | 4 | CRC-32C of bytes 12 to 111 |
//! | 12 | 4 | CRC-32C of metadata and body |
//! | 16 | 4 | length of the metadata |
//! | 20 | 4 | flags: 1 = the metadata have a UID that was kept |
//! | 24 | 8 | length of the body |
//! | 32 | 8 | sequence number |
//! | 40 | 8 | receive time in microseconds since 1970 |
//! | 48 | 64 | SHA-512 of the body |
//! | 112 | | metadata, then body |
//!
//! The marker is a random number that each segment has in its header. It lets a reader find the next record after a
//! damaged one. Probes do not know it, so the body of a measurement cannot contain a valid record.
//!
//! A UID that was not kept is derived from the receive time, the country, the test name and the hash.

use super::submission::{MAX_BODY, Route, Side};
use crate::clock::Timestamp;
use crate::payload::for_each_piece;
use bytes::Bytes;
use ooni_core::hex::hex;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Length of the fixed header.
pub(crate) const HEADER: usize = 112;

/// Maximum length of the metadata.
pub(crate) const MAX_METADATA: u64 = 1 << 20;

const KEPT_UID: u32 = 1;

/// The fixed header, without marker and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) payload_crc: u32,
    pub(crate) metadata: u32,
    pub(crate) has_kept_uid: bool,
    pub(crate) body: u64,
    pub(crate) sequence: u64,
    pub(crate) received: Timestamp,
    pub(crate) digest: [u8; 64],
}

impl Header {
    /// Length of metadata and body.
    pub(crate) fn payload(&self) -> u64 {
        u64::from(self.metadata) + self.body
    }

    /// Length of the whole record.
    pub(crate) fn length(&self) -> u64 {
        HEADER as u64 + self.payload()
    }

    pub(crate) fn encode(&self, marker: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&marker.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.metadata.to_le_bytes());
        bytes[20..24].copy_from_slice(&(if self.has_kept_uid { KEPT_UID } else { 0 }).to_le_bytes());
        bytes[24..32].copy_from_slice(&self.body.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.received.micros().to_le_bytes());
        bytes[48..].copy_from_slice(&self.digest);
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if this is not a header of a segment with this marker.
    pub(crate) fn decode(bytes: &[u8], marker: u64) -> Option<Header> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        if number(&bytes[..8]) != marker || number(&bytes[8..12]) != u64::from(crc32c::crc32c(&bytes[12..])) {
            return None;
        }
        let header = Header {
            payload_crc: u32::try_from(number(&bytes[12..16])).ok()?,
            metadata: u32::try_from(number(&bytes[16..20])).ok()?,
            has_kept_uid: number(&bytes[20..24]) & u64::from(KEPT_UID) != 0,
            body: number(&bytes[24..32]),
            sequence: number(&bytes[32..40]),
            received: Timestamp::from_micros(number(&bytes[40..48])),
            digest: bytes[48..].try_into().ok()?,
        };
        (header.body <= MAX_BODY && u64::from(header.metadata) <= MAX_METADATA).then_some(header)
    }
}

/// A little-endian number of up to eight bytes.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// What is stored beside the body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) route: Route,
    #[serde(rename = "report_id")]
    pub(crate) key_report_id: String,
    pub(crate) probe_cc: String,
    pub(crate) test_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<String>,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) side: Side,
}

/// Where a UID comes from.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// The submission brought it.
    Kept(String),
    /// It is made of the receive time, these and the hash.
    Made { probe_cc: String, test_name: String },
}

impl Name {
    pub(crate) fn uid(&self, received: Timestamp, digest: &[u8; 64]) -> String {
        match self {
            Name::Kept(uid) => uid.clone(),
            Name::Made { probe_cc, test_name } => made_uid(received, probe_cc, test_name, digest),
        }
    }
}

/// `YYYYmmddHHMMSS.ffffff_CC_testname_hash` (API spec §1.7).
fn made_uid(received: Timestamp, probe_cc: &str, test_name: &str, digest: &[u8; 64]) -> String {
    let hash = hex(digest[..8].iter().copied());
    format!("{}_{probe_cc}_{test_name}_{hash}", received.uid_text())
}

/// A record as readers get it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number among all records ever, from 1.
    pub sequence: u64,
    /// Where it begins in its segment.
    pub(crate) offset: u64,
    /// The measurement UID.
    pub uid: String,
    /// When it was received. Never earlier than the record before it.
    pub received: Timestamp,
    /// How it was submitted.
    pub route: Route,
    /// The report id as the probe sent it.
    pub key_report_id: String,
    /// The country as in the report id.
    pub probe_cc: String,
    /// The test name as in the report id.
    pub test_name: String,
    /// Selected headers of the request.
    pub headers: Vec<(String, String)>,
    /// What the server added.
    pub side: Side,
    /// SHA-512 of the body.
    pub digest: [u8; 64],
    /// The body.
    pub body: Body,
}

/// Where a record is, to read it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its sequence number.
    pub sequence: u64,
    /// Where it begins in its segment.
    offset: u64,
}

impl Place {
    /// The offset in the segment.
    pub(crate) fn offset(self) -> u64 {
        self.offset
    }
}

impl Record {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place { sequence: self.sequence, offset: self.offset }
    }

    /// `None` if the metadata are not those of a record. They have the right checksum, so another program wrote them.
    pub(crate) fn new(header: &Header, offset: u64, metadata: &[u8], body: Body) -> Option<Record> {
        let metadata: Metadata = serde_json::from_slice(metadata).ok()?;
        let Metadata { route, key_report_id, probe_cc, test_name, uid, headers, side } = metadata;
        let uid = uid.unwrap_or_else(|| made_uid(header.received, &probe_cc, &test_name, &header.digest));
        let Header { sequence, received, digest, .. } = *header;
        Some(Record {
            sequence,
            offset,
            uid,
            received,
            route,
            key_report_id,
            probe_cc,
            test_name,
            headers,
            side,
            digest,
            body,
        })
    }
}

/// The body of a record.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory. It may be a part of a buffer of 1 MiB, which is freed with the last body in it.
    Memory(Bytes),
    /// In the segment. The file stays readable after its release.
    File(FileRange),
}

/// A part of a file.
#[derive(Clone, Debug)]
pub struct FileRange {
    pub(crate) file: Arc<File>,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Body {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Body::Memory(bytes) => bytes.len() as u64,
            Body::File(range) => range.length,
        }
    }

    /// The whole body in memory. This blocks for a body in a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes(&self) -> io::Result<Bytes> {
        match self {
            Body::Memory(bytes) => Ok(bytes.clone()),
            Body::File(FileRange { file, start, length }) => {
                let mut bytes = vec![0; usize::try_from(*length).map_err(io::Error::other)?];
                file.read_exact_at(&mut bytes, *start)?;
                Ok(bytes.into())
            }
        }
    }

    /// Passes the body in pieces to a function. This blocks for a body in a file.
    ///
    /// # Errors
    /// The file cannot be read, or the function failed.
    pub fn for_each_piece(&self, mut f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Body::Memory(bytes) => f(bytes),
            Body::File(FileRange { file, start, length }) => for_each_piece(file, *start, *length, f),
        }
    }

    /// Reads the body from its start. This blocks for a body in a file.
    pub fn reader(&self) -> BodyReader<'_> {
        BodyReader { body: self, position: 0 }
    }
}

/// Reads a body.
#[derive(Debug)]
pub struct BodyReader<'a> {
    body: &'a Body,
    position: u64,
}

impl io::Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.body.length() - self.position).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = match self.body {
            Body::Memory(bytes) => {
                let start = usize::try_from(self.position).map_err(io::Error::other)?;
                buffer[..wanted].copy_from_slice(&bytes[start..start + wanted]);
                wanted
            }
            Body::File(range) => range.file.read_at(&mut buffer[..wanted], range.start + self.position)?,
        };
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            payload_crc: 7,
            metadata: 90,
            has_kept_uid: true,
            body: 10_000,
            sequence: 1 << 40,
            received: Timestamp::from_micros(1_612_822_030_181_572),
            digest: [0xab; 64],
        }
    }

    #[test]
    fn a_header_is_read_back() {
        let bytes = header().encode(99);
        assert_eq!(Header::decode(&bytes, 99), Some(header()));
        assert_eq!(Header::decode(&bytes, 98), None);
        assert_eq!(Header::decode(&bytes[..HEADER - 1], 99), None);
        for place in 0..HEADER * 8 {
            let mut bytes = bytes;
            bytes[place / 8] ^= 1 << (place % 8);
            assert_eq!(Header::decode(&bytes, 99), None, "bit {place}");
        }
    }

    #[test]
    fn a_length_beyond_the_limits_is_not_a_header() {
        let longest = Header { body: MAX_BODY, metadata: 1 << 20, ..header() };
        assert!(Header::decode(&longest.encode(1), 1).is_some());
        let bytes = Header { body: MAX_BODY + 1, ..longest }.encode(1);
        assert!(Header::decode(&bytes, 1).is_none());
        let bytes = Header { metadata: (1 << 20) + 1, ..longest }.encode(1);
        assert!(Header::decode(&bytes, 1).is_none());
    }

    #[test]
    fn a_uid_has_time_country_test_and_hash() {
        let name = Name::Made { probe_cc: "it".into(), test_name: "ndt".into() };
        let uid = name.uid(header().received, &header().digest);
        assert_eq!(uid, "20210208220710.181572_it_ndt_abababababababab");
    }
}
