//! Measures, prints the report and keeps every repetition; see [`ooni_benches::measure`].
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use ooni_benches::measure::choice::Choice;
use ooni_benches::measure::{self, Plan, commands, report};
use ooni_testkit::corpus::Options;

/// Measures bytes to rows beside serde_json, and fastpath beside igzip, gzip, lz4 and what else reads measurements
#[derive(Parser)]
struct Arguments {
    /// How many measurements
    #[arg(long, default_value_t = 20_000)]
    n: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often everything is measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Folder for the results [default: benches/runs/DATE-MACHINE]
    #[arg(long)]
    out: Option<PathBuf>,
    /// 200 measurements, once, nothing kept but with --out: to see that it works
    #[arg(long, conflicts_with_all = ["n", "repetitions"])]
    quick: bool,
    /// The binary to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH", conflicts_with = "without_commands")]
    fastpath: Option<PathBuf>,
    /// Leave out all that does not run in this process
    #[arg(long)]
    without_commands: bool,
    /// Measure only what has this in its name, such as stages/tar.lz4 or "cans/postcans/fastpath score"; may be
    /// repeated, and a name that is not there lists all. Nothing is kept but with --out
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Python with the libraries that are measured: orjson, duckdb, polars, chdb
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { n, seed, repetitions, out, quick, fastpath, without_commands, only, python } = Arguments::parse();
    let choice = Choice::new(&only, !without_commands)?;
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
