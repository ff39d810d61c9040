//! Reads the measurements of files.

use bytes::Bytes;
use ooni_archive::chunk::{Chunk, Entry, Kind, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_archive::source::local::FileList;
use ooni_archive::source::{Opened, Source};
use ooni_core::json::{Reader, Value};
use ooni_core::measurement::Measurement;
use ooni_core::uid;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// Decompressed bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Country and test of a measurement that names none, for the archive.
const UNKNOWN: (&str, &str) = ("ZZ", "unknown");

/// A measurement in a file.
#[derive(Debug)]
pub(super) struct Found {
    /// The file.
    pub(super) name: Arc<str>,
    pub(super) uid: String,
    pub(super) report_id: String,
    pub(super) probe_cc: String,
    pub(super) test_name: String,
    /// The measurement in an envelope.
    pub(super) body: Bytes,
    pub(super) side: FoundSide,
}

/// What the collector that archived it had added.
#[derive(Debug, Default)]
pub(super) struct FoundSide {
    pub(super) report_id: Option<String>,
    pub(super) is_verified: Option<char>,
}

/// Sends the measurements of all files; returns how many cannot be read. Blocks.
pub(super) fn read(files: FileList, found: &mpsc::Sender<Found>) -> u64 {
    let limits = Limits::default();
    let bytes = Arc::new(AtomicU64::new(0));
    let mut failed = 0;
    for file in files.files {
        let Some(opened) = file.open(&limits, &bytes) else { continue };
        match read_file(opened, found) {
            Some(unreadable) => failed += unreadable,
            // The receiver is gone.
            None => return failed,
        }
    }
    failed
}

fn read_file(opened: Opened, sender: &mpsc::Sender<Found>) -> Option<u64> {
    let Opened { mut can, source, .. } = opened;
    let name: Arc<str> = source.name.as_str().into();
    let mut reader = Reader::new();
    let mut chunk = Chunk::new(CHUNK);
    let mut failed = 0;
    loop {
        let status = can.fill(&mut chunk);
        if chunk.needs_growth() {
            chunk.allow_growth();
            continue;
        }
        for entry in chunk.entries() {
            match found(&chunk, entry, &source, &name, &mut reader) {
                Ok(found) => sender.blocking_send(found).ok()?,
                Err(error) => {
                    tracing::warn!(file = &*name, error, "a measurement cannot be imported");
                    failed += 1;
                }
            }
        }
        if status == ReadStatus::End {
            return Some(failed);
        }
        chunk.clear();
    }
}

fn found(chunk: &Chunk, entry: &Entry, source: &Source, name: &Arc<str>, reader: &mut Reader) -> Result<Found, String> {
    if let Some(error) = &entry.error {
        return Err(error.to_string());
    }
    let text = chunk.text(entry);
    let named = match entry.kind {
        Kind::Document => source.uid.clone(),
        Kind::Post => chunk.member(entry).and_then(uid_of_member),
        Kind::Line | Kind::LegacyLine => None,
        Kind::Yaml => return Err("YAML reports are not imported; `fastpath rerun` reads them".to_owned()),
        Kind::Whole | Kind::Case => return Err("not a measurement".to_owned()),
    };
    // The side record and the uid of a POST body are kept even if it cannot be parsed.
    let document = match reader.read(text) {
        Ok(document) => document,
        Err(error) => match named {
            Some(uid) if entry.kind == Kind::Post => {
                let (probe_cc, test_name) = UNKNOWN;
                return Ok(Found {
                    name: Arc::clone(name),
                    uid,
                    report_id: String::new(),
                    probe_cc: probe_cc.to_owned(),
                    test_name: test_name.to_owned(),
                    body: Bytes::copy_from_slice(text),
                    side: FoundSide::default(),
                });
            }
            _ => return Err(ooni_core::error::Error::from(error).to_string()),
        },
    };
    let root = document.root();
    let is_enveloped = root.field("content").found().is_some() && root.field("format").found().is_some();
    let measurement = Measurement::new(root).map_or(root, |measurement| measurement.content());
    let field = |key| decoded(measurement.field(key).value());
    let given = decoded(root.field("measurement_uid").value());
    let uid = match (named, entry.kind) {
        (Some(uid), _) => uid,
        (None, Kind::Line) if !given.is_empty() => given,
        (None, _) => uid::trivial(text, measurement.field("measurement_start_time").value().text().as_deref()),
    };
    let body = match is_enveloped || entry.kind == Kind::Post {
        true => Bytes::copy_from_slice(text),
        false => [b"{\"format\":\"json\",\"content\":", root.source(), b"}"].concat().into(),
    };
    let side = FoundSide {
        report_id: entry.side().report_id.as_deref().map(str::to_owned),
        is_verified: entry.side().is_verified.and_then(|status| status.as_str().chars().next()),
    };
    let [probe_cc, test_name] = [(field("probe_cc"), UNKNOWN.0, 2), (field("test_name"), UNKNOWN.1, 29)].map(word);
    Ok(Found { name: Arc::clone(name), uid, report_id: field("report_id"), probe_cc, test_name, body, side })
}

/// The letters and digits of a text, if there are as many as a country or test can have, or else a default.
fn word((text, default, longest): (String, &str, usize)) -> String {
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    if (2..=longest).contains(&word.len()) { word } else { default.to_owned() }
}

fn uid_of_member(member: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(member).ok()?.strip_suffix(".post")?;
    Some(name.rsplit_once('/')?.1.to_owned())
}

fn decoded(value: Value<'_>) -> String {
    value.text().map_or_else(String::new, |text| String::from_utf8_lossy(&text).into_owned())
}
