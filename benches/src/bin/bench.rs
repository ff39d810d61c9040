//! Measures, prints the report and keeps every repetition; see [`ooni_benches::measure`].
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use ooni_benches::measure::catalog;
use ooni_benches::measure::{self, Plan, commands, report};
use ooni_testkit::corpus::Options;

/// Measure bytes to rows relative to serde_json, and fastpath relative to igzip, gzip, lz4 and other programs
#[derive(Parser)]
struct Arguments {
    /// Number of measurements
    #[arg(long, default_value_t = 20_000)]
    n: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of repetitions
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Folder for the results [default: benches/runs/DATE-MACHINE]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Check that everything works: 200 measurements, once. Results are saved only with --out
    #[arg(long, conflicts_with_all = ["n", "repetitions"])]
    quick: bool,
    /// Binary to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH", conflicts_with = "without_commands")]
    fastpath: Option<PathBuf>,
    /// Only measure what runs in this process
    #[arg(long)]
    without_commands: bool,
    /// Only measurements whose name contains this text, such as stages/tar.lz4 or "cans/postcans/fastpath score"; can be
    /// repeated. An unknown name lists all. Results are saved only with --out
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Python interpreter with the measured libraries: orjson, duckdb, polars, chdb
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { n, seed, repetitions, out, quick, fastpath, without_commands, only, python } = Arguments::parse();
    let choice = catalog::choose(&only, !without_commands)?;
    let (n, repetitions) = if quick { (200, 1) } else { (n, repetitions) };
    let fastpath = if without_commands { None } else { Some(commands::find_fastpath(fastpath)?) };
    // Commands do not run in this folder. Links stay as they are: a virtual environment is one.
    let python = if python.components().count() > 1 { std::path::absolute(python)? } else { python };
    let plan = Plan { corpus: Options { n, seed, ..Options::default() }, repetitions, fastpath, python, choice };
    let (run, samples) = measure::measure(&plan)?;
    let report = report::write(&run, &samples);
    io::stdout().write_all(report.as_bytes())?;
    let out = out.or_else(|| {
        let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("runs");
        (!quick && only.is_empty()).then(|| measure::new_folder(&runs, &run.machine.folder_name()))
    });
    if let Some(out) = out {
        measure::keep(&run, &samples, &report, &out)?;
        writeln!(io::stderr(), "kept in {}", out.display())?;
    }
    Ok(())
}
