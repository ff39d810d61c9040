//! What handlers submit, checked and hashed on the caller's side, so that the writer thread only writes.

use super::error::Error;
use super::record::{MAX_METADATA, Metadata, Name};
use crate::payload::Payload;
use ooni_core::measurement::{IsVerified, SideRecord};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use std::borrow::Cow;

/// Maximum length of a body in bytes.
pub const MAX_BODY: u64 = 200_000_000;

/// Longer bodies are hashed on a thread that may block.
const HASH_INLINE: u64 = 64 << 10;

/// How a measurement was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `POST /report/{report_id}`.
    Report,
    /// `POST /api/v1/submit_measurement`.
    SubmitMeasurement,
    /// The reference's feed, `POST /{uid}`.
    Feed,
    /// Files: `--import` and `spool import`.
    Import,
}

/// A submission that a handler has checked and wants to keep.
#[derive(Debug)]
pub struct Submission {
    /// How it was submitted.
    pub route: Route,
    /// The report id as the probe sent it. It is a part of the key of repeats.
    pub key_report_id: String,
    /// The country for the UID, as in the report id.
    pub probe_cc: String,
    /// The test name for the UID, as in the report id.
    pub test_name: String,
    /// The UID, if the submission brings one that is kept.
    pub uid: Option<String>,
    /// Selected headers of the request.
    pub headers: Vec<(String, String)>,
    /// What the server adds.
    pub side: Side,
    /// The body after content decoding.
    pub body: Payload,
}

/// What the server adds to a submission. Fields of later versions are ignored when a record is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Side {
    /// The report id that the server generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// The result of the verification of credentials: `t`, `f` or `u`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_verified: Option<char>,
    /// Where the client's address is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Geo>,
}

impl Side {
    /// The part that the body is scored with.
    pub fn record(&self) -> SideRecord<'_> {
        let is_verified = self.is_verified.and_then(|letter| IsVerified::of_letter(letter.encode_utf8(&mut [0; 4])));
        SideRecord { report_id: self.report_id.as_deref().map(Cow::Borrowed), is_verified }
    }
}

/// What the geolocation databases say about an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geo {
    /// The country; `ZZ` if unknown.
    pub cc: String,
    /// The autonomous system; 0 if unknown.
    pub asn: u32,
}

/// Where a submission was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The UID.
    pub uid: String,
    /// The report id of the side record.
    pub report_id: Option<String>,
    /// Whether the log already had the submission.
    pub repeated: bool,
}

/// A submission ready to be written.
pub(crate) struct Prepared {
    pub(crate) route: Route,
    pub(crate) key_report_id: String,
    pub(crate) name: Name,
    pub(crate) report_id: Option<String>,
    /// The metadata as they are stored.
    pub(crate) metadata: Vec<u8>,
    pub(crate) body: Payload,
    /// SHA-512 of the body.
    pub(crate) digest: [u8; 64],
    /// CRC-32C of metadata and body.
    pub(crate) crc: u32,
}

impl Prepared {
    /// The UID that the submission brings.
    pub(crate) fn kept_uid(&self) -> Option<&str> {
        match &self.name {
            Name::Kept(uid) => Some(uid),
            Name::Made { .. } => None,
        }
    }

    /// Checks and hashes a submission.
    pub(crate) async fn new(submission: Submission) -> Result<Prepared, Error> {
        check(&submission)?;
        if submission.body.len() <= HASH_INLINE && matches!(submission.body, Payload::Memory(_)) {
            return prepare(submission);
        }
        tokio::task::spawn_blocking(|| prepare(submission)).await.unwrap_or(Err(Error::Closed))
    }
}

fn check(submission: &Submission) -> Result<(), Error> {
    let length = submission.body.len();
    if length > MAX_BODY {
        return Err(Error::TooLarge { length, limit: MAX_BODY });
    }
    let is_word = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match &submission.uid {
        Some(uid) if !is_uid(uid) => {
            Err(Error::Invalid("the UID has other characters than letters, digits, '.', '_', '-'"))
        }
        None if !is_word(&submission.probe_cc) => Err(Error::Invalid("the country is not alphanumeric")),
        None if !is_word(&submission.test_name) => Err(Error::Invalid("the test name is not alphanumeric")),
        _ => Ok(()),
    }
}

/// Whether a UID can be kept: it can be the name of a file.
fn is_uid(uid: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=200).contains(&uid.len()) && !uid.starts_with('.') && uid.bytes().all(is_part)
}

fn prepare(submission: Submission) -> Result<Prepared, Error> {
    let Submission { route, key_report_id, probe_cc, test_name, uid, headers, side, body } = submission;
    let report_id = side.report_id.clone();
    let metadata = Metadata { route, key_report_id, probe_cc, test_name, uid, headers, side };
    let text = serde_json::to_vec(&metadata).map_err(|_| Error::Invalid("the metadata cannot be written as JSON"))?;
    if text.len() as u64 > MAX_METADATA {
        return Err(Error::TooLarge { length: text.len() as u64, limit: MAX_METADATA });
    }
    let mut hash = Sha512::new();
    let mut crc = crc32c::crc32c(&text);
    body.for_each_piece(|piece| {
        hash.update(piece);
        crc = crc32c::crc32c_append(crc, piece);
        Ok(())
    })
    .map_err(|error| Error::io("read", std::path::Path::new("the temporary file of a body"), error))?;
    let Metadata { key_report_id, probe_cc, test_name, uid, .. } = metadata;
    let name = match uid {
        Some(uid) => Name::Kept(uid),
        None => Name::Made { probe_cc, test_name },
    };
    Ok(Prepared { route, key_report_id, name, report_id, metadata: text, body, digest: hash.finalize().into(), crc })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_names_of_files() {
        for uid in ["20210208220710.181572_MA_ndt_7888edc7748936bf", "01202102037f9c2ba4e88f827d61604550760585"] {
            assert!(is_uid(uid), "{uid}");
        }
        for uid in ["", ".", "..", ".x", "a/b", "a\0", "é", &"x".repeat(201)] {
            assert!(!is_uid(uid), "{uid}");
        }
    }
}
