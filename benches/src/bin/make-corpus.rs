//! Writes a corpus of measurements to a folder; see [`ooni_benches::corpus`].
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use ooni_benches::corpus::containers::{Format, Packing, write};
use ooni_benches::corpus::{Options, generate};

/// Writes a deterministic corpus of measurements to a folder, and what it made to manifest.json.
#[derive(Parser)]
struct Arguments {
    /// How many measurements
    #[arg(long)]
    n: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for corpus-NNNNN.*
    #[arg(long)]
    out: PathBuf,
    /// jsonl, jsonl.gz or postcan
    #[arg(long, default_value = "jsonl.gz")]
    format: Format,
    /// End each line with its measurement_uid
    #[arg(long)]
    uid_in_line: bool,
    #[arg(long, default_value_t = 5000)]
    per_file: u64,
    /// Compression, 0 to 9
    #[arg(long, default_value_t = 6)]
    level: u32,
    #[arg(long, default_value_t = 20_000)]
    per_hour: u64,
    /// Share of web_connectivity
    #[arg(long, default_value_t = 0.85)]
    wc_share: f64,
    /// Share of broken JSON and wrong types
    #[arg(long, default_value_t = 0.005)]
    malformed: f64,
    /// Share of odd text
    #[arg(long, default_value_t = 0.002)]
    odd: f64,
    /// Share of web_connectivity that carries a fingerprint
    #[arg(long, default_value_t = 0.03)]
    blocked: f64,
}

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    let options = Options {
        n: a.n,
        seed: a.seed,
        wc_share: a.wc_share,
        malformed: a.malformed,
        odd: a.odd,
        blocked: a.blocked,
        per_hour: a.per_hour,
        ..Options::default()
    };
    let packing = Packing { format: a.format, per_file: a.per_file, level: a.level, uid_in_line: a.uid_in_line };
    let summary = write(generate(&options)?, &a.out, &packing)?;
    let manifest = a.out.join("manifest.json");
    let mut text = serde_json::to_string_pretty(&summary)?;
    text.push('\n');
    fs::write(&manifest, &text).with_context(|| manifest.display().to_string())?;
    let mean = summary.content_bytes / summary.measurements.max(1);
    writeln!(
        io::stdout(),
        "{} measurements, {} bytes, {mean} each, in {} files of {} bytes",
        summary.measurements,
        summary.content_bytes,
        summary.files.len(),
        summary.file_bytes
    )?;
    Ok(())
}
