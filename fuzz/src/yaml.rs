//! A stream of framed YAML, split, parsed and normalized.

use ooni_core::error::Code;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Limits, Reader};
use ooni_core::normalize::{EntryError, Framed, Report, frame, yaml};
use ooni_core::process::Scorer;
use ooni_core::rules::Rules;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 100, values: 1 << 14 };

/// The input is the stream; if it is not a valid stream, it is read as one document.
pub fn run(stream: &[u8]) {
    same_in_stages(stream);
    let (entries, broken) = entries(stream, stream.len().max(1));
    for piece in [1, 2, 7, 64] {
        assert_eq!(self::entries(stream, piece), (entries.clone(), broken), "pieces of {piece} bytes");
    }
    assert!(entries.iter().all(|entry| entry.starts_with(b"---\n") && entry.ends_with(b"\n...\n")));

    entries.iter().for_each(|entry| same_in_stages(entry));

    let Some((header, entries)) = entries.split_first() else { return };
    let new = || Report::new("2014-02-20", "2014-02-20/f.yaml", LIMITS);
    let mut report = new();
    match report.header(header) {
        Ok(()) => {}
        Err(error) => {
            assert!(matches!(error.code, Code::Can | Code::Limit), "{error}");
            // Continues with a new report, so that the entries after a broken header are checked too.
            report = new();
            assert!(report.header(b"---\n{}\n...\n").is_ok());
        }
    }
    let fingerprints = Fingerprints::empty();
    let scorer = Scorer::new(&fingerprints, Rules::Compat);
    let mut again = report.clone();
    for entry in entries {
        let mut text = b"kept".to_vec();
        let outcome = report.entry(entry, &mut text);
        let mut same = b"kept".to_vec();
        assert_eq!(again.entry(entry, &mut same), outcome);
        assert_eq!(same, text);
        let text = text.strip_prefix(b"kept").unwrap_or_default();
        match outcome {
            Ok(Some(uid)) => {
                assert!(text.ends_with(format!(r#","measurement_uid":"{uid}"}}"#).as_bytes()));
                normalized(text, &uid, &scorer);
            }
            Ok(None) => assert!(text.is_empty()),
            Err(EntryError::Skip(error) | EntryError::Abort(error)) => {
                assert!(text.is_empty(), "{error}");
                assert!(matches!(error.code, Code::Can | Code::Limit), "{error}");
            }
        }
    }
}

/// The value or error does not depend on how a document is read.
fn same_in_stages(text: &[u8]) {
    // Text, because NaN is not equal to itself.
    let value = yaml::load(text, LIMITS).map(|value| format!("{value:?}"));
    assert_eq!(value, yaml::load_in_stages(text, LIMITS).map(|value| format!("{value:?}")));
}

/// The reader accepts a normalized entry, and so does the strict one unless it contains values that JSON cannot represent.
fn normalized(text: &[u8], uid: &str, scorer: &Scorer<'_>) {
    let (mut reader, mut strict) = (Reader::new(), Reader::new());
    let document = reader.read_normalized(text);
    assert!(document.is_ok(), "{document:?}");
    let Ok(document) = document else { return };
    let root = document.root();
    assert!(root.field("measurement_uid").value().is_text(uid));
    match strict.read(text) {
        Ok(json) => assert!(!root.document_has_foreign() && json.root().to_json() == root.to_json()),
        Err(error) => assert!(root.document_has_foreign(), "{error}"),
    }
    scorer.process(root, uid);
}

/// The entries of a stream that arrives in pieces, and whether the rest is lost.
fn entries(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut entries, mut held, mut from) = (Vec::new(), Vec::new(), 0);
    for bytes in stream.chunks(piece) {
        held.extend_from_slice(bytes);
        loop {
            let used = match frame(&held, from) {
                Framed::Entry(length) => {
                    entries.push(held[..length].to_vec());
                    length
                }
                Framed::Skip(length) => length,
                Framed::More => {
                    from = held.len();
                    break;
                }
                Framed::Broken => return (entries, true),
            };
            assert!(used > 0, "a frame has at least one byte");
            held.drain(..used);
            from = 0;
        }
    }
    (entries, false)
}
