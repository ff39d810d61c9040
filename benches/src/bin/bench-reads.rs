//! Measures reads through the whole server: requests of a mix over a store of many rows, while measurements are submitted.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use ooni_benches::bodies;
use ooni_benches::collector::load::{self, Submitted};
use ooni_benches::measure::machine::Machine;
use ooni_benches::reads::archived;
use ooni_benches::reads::held::Held;
use ooni_benches::reads::load::{Answers, Load};
use ooni_benches::reads::mix::Mix;
use ooni_benches::reads::report::{Measured, Summary, percentiles, tables};
use ooni_benches::server::{self, Server};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Measure reads through the whole server
///
/// The stores are filled the first time, which takes half an hour.
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
    /// Number of measurements whose bodies can be read
    #[arg(long, default_value_t = 3000)]
    bodies: u64,
    /// Connections that read
    #[arg(long, value_delimiter = ',', default_values_t = [64])]
    connections: Vec<usize>,
    /// Requests per second; 0 for as many as possible
    #[arg(long, value_delimiter = ',', default_values_t = [0.0, 2000.0])]
    rate: Vec<f64>,
    /// Submissions per second meanwhile
    #[arg(long, default_value_t = 100.0)]
    submissions: f64,
    /// Duration of each measurement, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Seconds of the same load before each measurement
    #[arg(long, default_value_t = 5)]
    warm_up: u64,
    /// Size of the server's cache of responses, in bytes
    #[arg(long, default_value_t = 0)]
    cache: u64,
    /// Folder in which the stores are kept between runs: a disk, not memory
    #[arg(long, default_value = "/var/tmp/reads")]
    folder: PathBuf,
    /// Only fill the stores
    #[arg(long)]
    fill: bool,
    /// The program [default: the one beside this]
    #[arg(long)]
    ooni_api: Option<PathBuf>,
    /// Folder for the results, which are appended to those in it [default: they are only printed]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only print tables of the results in this folder
    #[arg(long)]
    tables: Option<PathBuf>,
}

/// Name of the file of results.
const RESULTS: &str = "reads.jsonl";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(folder) = &arguments.tables {
        let text = fs::read_to_string(folder.join(RESULTS))?;
        let all: Result<Vec<Measured>, _> = text.lines().map(serde_json::from_str).collect();
        writeln!(std::io::stdout(), "{}", tables(&all?))?;
        return Ok(());
    }
    let program = server::program(arguments.ooni_api.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut all = Vec::new();
    for engine in &arguments.engine {
        let held = runtime.block_on(Held::open(engine, &arguments.folder, arguments.rows, arguments.seed))?;
        if arguments.fill {
            continue;
        }
        let folder = arguments.folder.join(engine);
        let bodies: Arc<[String]> = archived::uids(&program, &folder, &held.url, arguments.bodies)?.into();
        for &connections in &arguments.connections {
            for &rate in &arguments.rate {
                let measured = measure(&arguments, &program, &folder, &held, &bodies, (engine, connections, rate))
                    .with_context(|| format!("{engine}, {connections} connections, rate {rate}"))?;
                print(&measured)?;
                all.push(measured);
            }
        }
    }
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out)?;
        let mut file = fs::File::options().create(true).append(true).open(out.join(RESULTS))?;
        for measured in &all {
            serde_json::to_writer(&mut file, measured)?;
            writeln!(file)?;
        }
    }
    Ok(())
}

fn measure(
    arguments: &Arguments,
    program: &Path,
    folder: &Path,
    held: &Held,
    archived: &Arc<[String]>,
    (engine, connections, rate): (&str, usize, f64),
) -> Result<Measured> {
    // What earlier runs have submitted is not archived during this one.
    server::archive(program, folder, &held.url, &[])?;
    let machine = Machine::here();
    let cache = arguments.cache.to_string();
    let settings = [("OONI_API_CACHE_MAX_BYTES", &*cache), ("OONI_API_LIMITS_EXEMPT", "127.0.0.1")];
    let server = Server::start(program, folder, Some(&held.url), &settings)?;
    let content = Arc::new(held.content.clone());
    let bodies = bodies::of_hour(2000, archived::now()?.as_secs())?;
    let run = |seconds: u64, seed: u64| {
        let (address, duration) = (server.address(), Duration::from_secs(seconds));
        let reads = Load { address, connections, duration, rate: (rate > 0.0).then_some(rate) };
        let mix = |number| Mix::new(seed + number as u64, &content, archived);
        let first = u64::try_from(archived::now()?.as_micros())?;
        let submissions = load::Load { address, connections: 8, duration, rate: Some(arguments.submissions), first };
        thread::scope(|scope| {
            let submitted = scope.spawn(|| match arguments.submissions > 0.0 {
                true => on_this_thread(submissions.run(&bodies)),
                false => Ok(Submitted::default()),
            });
            let answered = on_this_thread(reads.run(mix))?;
            let submitted = submitted.join().map_err(|_| anyhow!("the thread that submits has panicked"))??;
            Ok::<_, anyhow::Error>((answered, submitted))
        })
    };
    if arguments.warm_up > 0 {
        run(arguments.warm_up, 1_000_000)?;
    }
    let (used_before, all_before) = (server.processor_seconds()?, server::all_processor_seconds()?);
    let (answered, submitted) = run(arguments.seconds, 1)?;
    let processor_seconds = server.processor_seconds()? - used_before;
    let machine_processor_seconds = server::all_processor_seconds()? - all_before;
    let peak_memory = server.peak_memory()?;
    server.wait_until_scored(Duration::from_secs(60))?;
    server.stop()?;
    let mut everything = Answers::default();
    for answers in answered.by_name.values() {
        everything.latencies.extend(&answers.latencies);
        everything.bytes += answers.bytes;
        for (status, times) in &answers.errors {
            *everything.errors.entry(*status).or_default() += times;
        }
    }
    Ok(Measured {
        engine: engine.to_owned(),
        rows: held.content.rows,
        connections,
        rate,
        cache_bytes: arguments.cache,
        seconds: answered.seconds,
        per_second: everything.latencies.len() as f64 / answered.seconds,
        all: everything.into(),
        by_name: answered.by_name.into_iter().map(|(name, answers)| (name.to_owned(), answers.into())).collect(),
        accepted_per_second: submitted.latencies.len() as f64 / submitted.seconds.max(1e-9),
        refused: submitted.refused,
        submission_ms: percentiles(submitted.latencies),
        peak_memory,
        processor_seconds,
        machine_processor_seconds,
        machine: serde_json::to_value(machine)?,
    })
}

fn on_this_thread<T>(load: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(load)
}

fn print(measured: &Measured) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let Measured { engine, rows, connections, rate, cache_bytes, seconds, per_second, .. } = measured;
    writeln!(out, "\n{engine}, {rows} rows, {connections} connections, rate {rate}, cache of {cache_bytes} bytes")?;
    writeln!(
        out,
        "  {per_second:.0} requests/s in {seconds:.1} s, {:.1} s of the processors",
        measured.processor_seconds
    )?;
    writeln!(out, "  peak memory {} MB", measured.peak_memory / 1_000_000)?;
    let [median, p99, longest] = measured.submission_ms;
    writeln!(
        out,
        "  {:.0} submissions/s, {} refused: median {median:.1}, 99 % {p99:.1}, longest {longest:.1} ms",
        measured.accepted_per_second, measured.refused
    )?;
    writeln!(out, "  {:<50}{:>8}{:>8}{:>8}{:>9}{:>8}  errors", "", "number", "p50 ms", "p99", "longest", "bytes")?;
    for (name, summary) in std::iter::once((&"all".to_owned(), &measured.all)).chain(&measured.by_name) {
        let Summary { answers, errors, latency_ms: [median, p99, longest], mean_bytes } = summary;
        let errors: Vec<String> = errors.iter().map(|(status, times)| format!("{status}: {times}")).collect();
        let errors = errors.join(", ");
        writeln!(out, "  {name:<50}{answers:>8}{median:>8.1}{p99:>8.1}{longest:>9.1}{mean_bytes:>8}  {errors}")?;
    }
    Ok(())
}
