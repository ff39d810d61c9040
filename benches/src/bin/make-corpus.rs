//! Writes a corpus of measurements to a folder; see [`ooni_testkit::corpus`].
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::Parser;
use ooni_testkit::corpus::archive::{self, Archive};
use ooni_testkit::corpus::containers::{self, Format, Packing};
use ooni_testkit::corpus::{Error, Options};

/// Write a deterministic corpus of measurements to a folder, with a manifest.json that describes it.
#[derive(Parser)]
struct Arguments {
    /// Number of measurements; with --bytes, the maximum number
    #[arg(long, required_unless_present = "bytes")]
    n: Option<u64>,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for corpus-NNNNN.*, or for a tree of cans and truth.jsonl
    #[arg(long)]
    out: PathBuf,
    /// Format: jsonl, jsonl.gz, postcan, json.lz4, tar.lz4, yaml.lz4, or all for a tree of the five compressed ones
    #[arg(long, default_value = "jsonl.gz")]
    format: Kind,
    /// Add measurement_uid at the end of each line
    #[arg(long)]
    uid_in_line: bool,
    /// Name the files of one format with keys as in the archive
    #[arg(long)]
    layout: bool,
    /// Measurements per can of one format [default: 5000, with --bytes all]; in a tree, the maximum per can under raw/
    /// [default: 500]
    #[arg(long, visible_alias = "per-file")]
    per_can: Option<u64>,
    /// Stop when the files of one format have this many bytes before compression
    #[arg(long)]
    bytes: Option<u64>,
    /// In a tree, measurements per day under canned/
    #[arg(long, default_value_t = Archive::default().per_day)]
    per_day: u64,
    /// In a tree, share of reports under canned/ that are in two cans
    #[arg(long, default_value_t = 0.0)]
    duplicates: f64,
    /// Compression level, 0 to 9
    #[arg(long, default_value_t = 6)]
    level: u32,
    /// Measurements received per hour; in a tree at most 10000
    #[arg(long, default_value_t = 20_000)]
    per_hour: u64,
    /// Share of web_connectivity measurements
    #[arg(long, default_value_t = 0.85)]
    wc_share: f64,
    /// Share of measurements with invalid JSON or wrong types
    #[arg(long, default_value_t = 0.005)]
    malformed: f64,
    /// Share of measurements with odd text
    #[arg(long, default_value_t = 0.002)]
    odd: f64,
    /// Share of web_connectivity with a fingerprint
    #[arg(long, default_value_t = 0.03)]
    blocked: f64,
}

/// What is generated.
#[derive(Clone, Copy)]
enum Kind {
    One(Format),
    All,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "all" { Ok(Self::All) } else { name.parse().map(Self::One) }
    }
}

impl Arguments {
    fn write(&self) -> Result<containers::Summary, Error> {
        let options = Options {
            n: self.n.unwrap_or(u64::MAX),
            seed: self.seed,
            wc_share: self.wc_share,
            malformed: self.malformed,
            odd: self.odd,
            blocked: self.blocked,
            per_hour: self.per_hour,
            ..Options::default()
        };
        let packing = Packing {
            bytes: self.bytes.unwrap_or(u64::MAX),
            level: self.level,
            uid_in_line: self.uid_in_line,
            layout: self.layout,
            ..Packing::default()
        };
        match self.format {
            Kind::One(format) => {
                let all = if self.bytes.is_some() { u64::MAX } else { packing.per_file };
                let packing = Packing { format, per_file: self.per_can.unwrap_or(all), ..packing };
                containers::write(&options, &self.out, &packing)
            }
            Kind::All => {
                let archive = Archive { per_day: self.per_day, duplicates: self.duplicates };
                let packing = Packing { per_file: self.per_can.unwrap_or(500), ..packing };
                archive::write(&options, &archive, &packing, &self.out)
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    if matches!(a.format, Kind::All) && a.n.is_none() {
        anyhow::bail!("--format all needs --n");
    }
    let summary = a.write()?;
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
