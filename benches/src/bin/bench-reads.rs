//! Measures reads through the whole server.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use ooni_benches::reads::held::Held;
use std::path::PathBuf;

/// Measure reads through the whole server
#[derive(Parser)]
struct Arguments {
    /// Engine: sqlite or postgres; can be repeated
    #[arg(long, default_values = ["sqlite", "postgres"])]
    engine: Vec<String>,
    /// Number of rows in each store
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Seed of the rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder in which stores are kept between runs: a disk, not memory
    #[arg(long, default_value = "/var/tmp/reads")]
    folder: PathBuf,
    /// Only fill the stores
    #[arg(long)]
    fill: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for engine in &arguments.engine {
        let held = runtime.block_on(Held::open(engine, &arguments.folder, arguments.rows, arguments.seed))?;
        println!("{}: {} rows", held.url, held.content.rows);
    }
    Ok(())
}
