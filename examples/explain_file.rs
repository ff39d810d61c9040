//! Explains the measurements of a file: one JSON document, or one per line.
//!
//! `cargo run --bin explain_file -- [FILE]`

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::process::Scorer;
use ooni_core::rules::Rules;
use std::io::Write;
use std::path::{Path, PathBuf};

const FILE: &str = "ooni-core/tests/fixtures/measurements/web_connectivity--fastpath--web_connectivity_ir_fp.json";
const LISTS: &str = "ooni-archive/data/fingerprints";

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(FILE), PathBuf::from);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let fingerprints = load(Path::new(LISTS))?;

    // One scorer and one reader for all measurements, because they reuse their buffers.
    let scorer = Scorer::new(&fingerprints, Rules::Fixed);
    let mut reader = Reader::new();
    let documents: Vec<&[u8]> = match reader.read(&bytes) {
        Ok(_) => vec![&bytes],
        Err(_) => bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect(),
    };
    let mut out = std::io::stdout().lock();
    for (number, document) in (1..).zip(documents) {
        // Any non-empty text is a valid UID. If it contains no receive time, the probe's clock is not checked.
        let uid = format!("{}:{number}", path.display());
        let explanation = match reader.read(document) {
            Ok(document) => scorer.explain(document.root(), &uid),
            Err(error) => scorer.explain_unread(error.into(), &uid),
        };
        write!(out, "{explanation}")?;
    }
    Ok(())
}

fn load(folder: &Path) -> Result<Fingerprints> {
    let list = |name: &str| std::fs::read(folder.join(name)).with_context(|| folder.join(name).display().to_string());
    // The last argument identifies the lists in rows: a program that stores rows should pass the SHA-256 of the lists.
    Ok(Fingerprints::from_csv(&list("fingerprints_dns.csv")?, &list("fingerprints_http.csv")?, "")?)
}
