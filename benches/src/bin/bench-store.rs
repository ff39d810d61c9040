//! Measures stores side by side: inserts by batch size, then charts, lists and look-ups with one writer and as many
//! readers as processors. Prints tables and saves every measured time. With `--bulk`, the rows are loaded in bulk.
//!
//! ClickHouse is measured as its engine behind a server for its protocol, which processes one request at a time. There is
//! one reader and no writer, so its times cannot be compared with those of the others.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use clap::Parser;
use ooni_benches::bulk::{self, BATCH, Loaded};
use ooni_benches::measure::machine::Machine;
use ooni_benches::queries;
use ooni_benches::rows::{self, PER_DAY, Rows};
use ooni_store::rollup::ROLLUPS;
use ooni_store::{Error, OnExisting, ScoredRow, Store, StoreOptions};
use ooni_testkit::server::Server;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Measure stores side by side
#[derive(Parser)]
struct Arguments {
    /// Number of rows loaded before queries are measured
    #[arg(long, default_value_t = 5_000_000)]
    n: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows per day. OONI has about 1,400,000, which share cells of rollups more often
    #[arg(long, default_value_t = PER_DAY, value_parser = clap::value_parser!(u64).range(1..))]
    per_day: u64,
    /// Duration of the queries, in seconds; 0 for no queries
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Number of concurrent readers beside one writer; 0 for one reader and no writer [default: one per processor]
    #[arg(long)]
    readers: Option<usize>,
    /// Load the rows in bulk instead of in batches that update indexes and rollups
    #[arg(long)]
    bulk: bool,
    /// Count all rows again after a bulk load, and compare
    #[arg(long, requires = "bulk")]
    check: bool,
    /// Rebuild every rollup at the end
    #[arg(long)]
    rebuild: bool,
    /// Engine: sqlite, postgres or clickhouse; can be repeated
    #[arg(long, default_values = ["sqlite", "postgres"])]
    engine: Vec<String>,
    /// Keep the stores in this folder. A store that it already has is not loaded again: only its queries are measured
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Folder for the results [default: they are only printed]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The results of an engine.
#[derive(Serialize)]
struct Measured {
    engine: String,
    rows: u64,
    machine: Machine,
    /// The bulk load, if the rows were loaded in bulk.
    bulk: Option<Loaded>,
    /// Otherwise, rows per second in total and in each tenth.
    steady: Option<(f64, Vec<f64>)>,
    /// Rows per second of each batch, by batch size.
    batches: BTreeMap<u64, Vec<f64>>,
    /// Seconds until the rollups were up to date after loading.
    settled: f64,
    /// Size of the loaded store.
    bytes: u64,
    /// The rows of each rollup, and the seconds that its rebuild takes.
    rollups: BTreeMap<String, (u64, f64)>,
    /// Number of concurrent readers.
    readers: usize,
    /// Milliseconds of each query, by name.
    queries: BTreeMap<String, Vec<f64>>,
    /// Rows per second written meanwhile, in batches of 100.
    beside: f64,
}

/// The engine that processes one request at a time.
const CLICKHOUSE: &str = "clickhouse";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for engine in &arguments.engine {
        let temporary = tempfile::tempdir_in(".")?;
        let folder = arguments.keep.as_deref().unwrap_or(temporary.path()).join(engine);
        std::fs::create_dir_all(&folder)?;
        let url = match &**engine {
            "sqlite" => format!("sqlite:{}", folder.join("ooni.db").display()),
            "postgres" => match arguments.keep {
                Some(_) => Server::postgres_in(&folder)?.postgres_url("postgres"),
                None => Server::postgres(true)?.postgres_url("postgres"),
            },
            CLICKHOUSE => Server::clickhouse()?.clickhouse_url("default"),
            _ => bail!("unknown engine {engine}: expected sqlite, postgres or clickhouse"),
        };
        let measured = runtime.block_on(measure(engine, &url, &arguments))?;
        io::stdout().write_all(report(&measured)?.as_bytes())?;
        if let Some(out) = &arguments.out {
            std::fs::create_dir_all(out)?;
            std::fs::write(out.join(format!("store-{engine}.json")), serde_json::to_vec(&measured)?)?;
        }
    }
    Ok(())
}

async fn measure(engine: &str, url: &str, arguments: &Arguments) -> Result<Measured> {
    // Checking five million rows takes longer than a query of a server may.
    let options = StoreOptions::for_commands();
    Store::migrate(url, &options).await?;
    let store = Store::open(url, options).await?;
    let machine = Machine::here();
    let (mut loaded, mut steady, mut by_size, mut settled) = (None, None, BTreeMap::new(), 0.0);
    let mut rows = store.count().await?;
    let mut made = Rows::after(arguments.seed, rows, arguments.per_day)?;
    let is_new = rows == 0;
    if is_new {
        rows = arguments.n;
        store.replace_test_lists(rows::lists()).await?;
        match arguments.bulk {
            true => loaded = Some(bulk::load(&store, &mut made, rows, arguments.check).await?),
            false => steady = Some(fill(&store, &mut made, rows).await?),
        }
    }
    // Its size is that of these rows, without those that follow.
    let stats = store.stats().await?;
    if is_new {
        by_size = batches(&store, &mut made).await?;
        let begun = Instant::now();
        store.refresh_rollups().await?;
        settled = begun.elapsed().as_secs_f64();
    }
    let days = (rows / arguments.per_day) as i64;
    let readers = arguments.readers.unwrap_or_else(processors);
    let alone = engine == CLICKHOUSE || readers == 0;
    let (readers, writer) = if alone { (1, None) } else { (readers, Some(made)) };
    let (queries, beside) = match arguments.seconds {
        0 => (BTreeMap::new(), 0.0),
        seconds => under_load(&store, days, readers, writer, Duration::from_secs(seconds)).await?,
    };
    let mut rollups = BTreeMap::new();
    for rollup in ROLLUPS.iter().filter(|_| arguments.rebuild) {
        let begun = Instant::now();
        store.rebuild(rollup).await?;
        let took = begun.elapsed().as_secs_f64();
        let cells = stats.rollups.iter().find_map(|state| (state.rollup == rollup).then_some(state.cells));
        rollups.insert(rollup.name.to_owned(), (cells.unwrap_or_default(), took));
    }
    Ok(Measured {
        engine: engine.to_owned(),
        rows,
        machine,
        bulk: loaded,
        steady,
        batches: by_size,
        settled,
        bytes: stats.bytes,
        rollups,
        readers,
        queries,
        beside,
    })
}

/// Writes rows in batches, two at once. Returns the rows per second in total, and in each tenth or in groups of batches, if
/// there are fewer.
async fn fill(store: &Store, made: &mut Rows, rows: u64) -> Result<(f64, Vec<f64>)> {
    let (mut tenths, mut took, mut written) = (Vec::new(), Duration::ZERO, 0);
    let (mut tenth, mut rows_of_tenth) = (Duration::ZERO, 0);
    while written < rows {
        let group = made.group(rows - written);
        let rows_of_group: u64 = group.iter().map(|batch| batch.len() as u64).sum();
        let begun = Instant::now();
        let write = |batch: Arc<Vec<ScoredRow>>| {
            let store = store.clone();
            async move { store.write(batch, OnExisting::Keep).await }
        };
        bulk::at_once(group, write).await?;
        tenth += begun.elapsed();
        rows_of_tenth += rows_of_group;
        written += rows_of_group;
        if rows_of_tenth * 10 >= rows || written == rows {
            tenths.push(rows_of_tenth as f64 / tenth.as_secs_f64());
            took += std::mem::take(&mut tenth);
            rows_of_tenth = 0;
        }
    }
    Ok((written as f64 / took.as_secs_f64(), tenths))
}

/// Writes batches of several sizes. Returns the rows per second of each, by size.
async fn batches(store: &Store, made: &mut Rows) -> Result<BTreeMap<u64, Vec<f64>>> {
    let mut by_size = BTreeMap::new();
    for (size, times) in [(1, 200), (100, 100), (BATCH, 30)] {
        for _ in 0..times {
            let rows = Arc::new(made.batch(size as usize));
            let begun = Instant::now();
            store.write(rows, OnExisting::Keep).await?;
            let rate = size as f64 / begun.elapsed().as_secs_f64();
            by_size.entry(size).or_insert_with(Vec::new).push(rate);
        }
    }
    Ok(by_size)
}

/// The number of processors.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs all queries while rows are written, if there are any to write.
async fn under_load(
    store: &Store,
    days: i64,
    readers: usize,
    made: Option<Rows>,
    time: Duration,
) -> Result<(BTreeMap<String, Vec<f64>>, f64)> {
    let done = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (store, done, written) = (store.clone(), Arc::clone(&done), Arc::clone(&written));
        async move {
            let Some(mut made) = made else { return Ok(()) };
            while !done.load(Ordering::Relaxed) {
                store.write(Arc::new(made.batch(100)), OnExisting::Keep).await?;
                written.fetch_add(100, Ordering::Relaxed);
            }
            Ok::<_, Error>(())
        }
    });
    let deadline = Instant::now() + time;
    let readers: Vec<_> = (0..readers)
        .map(|reader| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for number in reader.. {
                    if Instant::now() >= deadline {
                        break;
                    }
                    taken.push(queries::run(&store, days, number).await?);
                }
                Ok::<_, Error>(taken)
            })
        })
        .collect();
    let mut queries: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for reader in readers {
        for (name, took) in reader.await?? {
            queries.entry(name.to_owned()).or_default().push(took.as_secs_f64() * 1e3);
        }
    }
    done.store(true, Ordering::Relaxed);
    writer.await??;
    Ok((queries, written.load(Ordering::Relaxed) as f64 / time.as_secs_f64()))
}

/// The percentile of the values.
fn percentile(values: &[f64], of_hundred: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// The printed report.
fn report(measured: &Measured) -> Result<String> {
    let mut out = String::new();
    let Measured { engine, rows, machine, bulk, steady, batches, settled, bytes, rollups, readers, queries, beside } =
        measured;
    writeln!(out, "\n{engine}: {rows} rows, {} MB, load {}", bytes / 1_000_000, machine.load)?;
    if let Some(loaded) = bulk {
        out += &loaded.report();
    }
    if let Some((all, tenths)) = steady {
        let last = tenths.last().copied().unwrap_or(f64::NAN);
        writeln!(out, "  {BATCH} a batch: {all:.0} rows/s, the last tenth {last:.0}")?;
    }
    for (size, rates) in batches {
        writeln!(out, "  {size} a batch: {:.0} rows/s", percentile(rates, 50))?;
    }
    for (name, (cells, seconds)) in rollups {
        writeln!(out, "  rollup {name:<16} {cells:>9} cells, rebuilt in {seconds:.1} s")?;
    }
    if bulk.is_some() || steady.is_some() {
        writeln!(out, "  rollups up to date {settled:.1} s after the last batch")?;
    }
    if queries.is_empty() {
        return Ok(out);
    }
    let load = match *beside > 0.0 {
        true => format!("{readers} readers, and a writer of {beside:.0} rows/s:"),
        false => format!("{readers} readers, no writer:"),
    };
    writeln!(out, "  {load}\n    {:<44}{:>9} {:>9} {:>6}", "", "p50 ms", "p99 ms", "number")?;
    for (name, times) in queries {
        writeln!(
            out,
            "    {name:<44}{:>9.1} {:>9.1} {:>6}",
            percentile(times, 50),
            percentile(times, 99),
            times.len()
        )?;
    }
    Ok(out)
}
