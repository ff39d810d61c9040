//! Measures the collector under load: durable submissions over many connections while scoring keeps up, beside a process
//! that only writes and syncs the same bytes as often.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use ooni_benches::bodies::{self, Body};
use ooni_benches::collector::load::{Load, Submitted};
use ooni_benches::collector::syncs;
use ooni_benches::measure::machine::Machine;
use ooni_benches::server::{self, Server};
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Measure the collector under load
#[derive(Parser)]
struct Arguments {
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_values_t = [64, 1024])]
    connections: Vec<usize>,
    /// Submissions per second; 0 for as many as possible
    #[arg(long, value_delimiter = ',', default_values_t = [0.0])]
    rate: Vec<f64>,
    /// Duration of each measurement, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Number of different bodies
    #[arg(long, default_value_t = 5000)]
    n: u64,
    /// Folder in which state directories are created: a disk, not memory
    #[arg(long, default_value = "target")]
    folder: PathBuf,
    /// The program [default: the one beside this]
    #[arg(long)]
    ooni_api: Option<PathBuf>,
    /// Store of the server [default: SQLite in its state directory]
    #[arg(long)]
    db_uri: Option<String>,
    /// Folder for the results [default: they are only printed]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The result of one number of connections.
#[derive(Serialize)]
struct Measured {
    connections: usize,
    /// Submissions per second that were tried; 0 for as many as possible.
    rate: f64,
    seconds: f64,
    accepted: u64,
    refused: u64,
    per_second: f64,
    mean_body_bytes: f64,
    /// Milliseconds from the first byte sent to the last byte received: median, 95 %, 99 %, longest.
    latency_ms: [f64; 4],
    /// Seconds until everything was scored after the last submission.
    scored_after_seconds: f64,
    /// Peak of resident memory of the server, in bytes.
    peak_memory: u64,
    /// Processor time of the server, in seconds.
    processor_seconds: f64,
    syncs: u64,
    /// Seconds for the same number of syncs after writing the same bytes, without a server.
    only_syncs_seconds: f64,
    machine: Machine,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let program = server::program(arguments.ooni_api.as_deref())?;
    let bodies = bodies::of_corpus(arguments.n)?;
    let mut all = Vec::new();
    for connections in &arguments.connections {
        for rate in &arguments.rate {
            let measured = measure(&arguments, &program, &bodies, *connections, *rate)?;
            print(&measured)?;
            all.push(measured);
        }
    }
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out)?;
        let mut file = fs::File::create(out.join("collector.jsonl"))?;
        for measured in &all {
            serde_json::to_writer(&mut file, measured)?;
            writeln!(file)?;
        }
    }
    Ok(())
}

fn measure(arguments: &Arguments, program: &Path, bodies: &[Body], connections: usize, rate: f64) -> Result<Measured> {
    fs::create_dir_all(&arguments.folder)?;
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let machine = Machine::here();
    let server = Server::start(program, folder.path(), arguments.db_uri.as_deref(), &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let duration = Duration::from_secs(arguments.seconds);
    let load = Load { address: server.address(), connections, duration, rate: (rate > 0.0).then_some(rate), first: 0 };
    let Submitted { mut latencies, refused, seconds, bytes } = runtime.block_on(load.run(bodies))?;
    let accepted = latencies.len() as u64;
    ensure!(accepted > 0, "nothing was accepted");
    let begin = Instant::now();
    let health = server.wait_until_scored(Duration::from_secs(600))?;
    let scored_after_seconds = begin.elapsed().as_secs_f64();
    if health.accepted < accepted {
        bail!("{accepted} submissions were acknowledged, and the log has {}", health.accepted);
    }
    let peak_memory = server.peak_memory()?;
    let processor_seconds = server.processor_seconds()?;
    server.stop()?;
    let only_syncs_seconds = syncs::measure(folder.path(), health.syncs, health.bytes).context("only syncs")?;
    latencies.sort_unstable();
    let at = |part: f64| f64::from(latencies[((latencies.len() - 1) as f64 * part) as usize]) / 1000.0;
    Ok(Measured {
        connections,
        rate,
        seconds,
        accepted,
        refused,
        per_second: accepted as f64 / seconds,
        mean_body_bytes: bytes as f64 / accepted as f64,
        latency_ms: [at(0.5), at(0.95), at(0.99), at(1.0)],
        scored_after_seconds,
        peak_memory,
        processor_seconds,
        syncs: health.syncs,
        only_syncs_seconds,
        machine,
    })
}

fn print(measured: &Measured) -> Result<()> {
    let Measured { connections, per_second, mean_body_bytes, latency_ms: [median, p95, p99, longest], .. } = measured;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{connections} connections, bodies of {mean_body_bytes:.0} bytes on average")?;
    writeln!(out, "  accepted       {per_second:.0} per second, {} refused", measured.refused)?;
    writeln!(out, "  latency        median {median:.1}, 95 % {p95:.1}, 99 % {p99:.1}, longest {longest:.1} ms")?;
    writeln!(out, "  scored         {:.1} s after the last submission", measured.scored_after_seconds)?;
    writeln!(out, "  peak memory    {} MB", measured.peak_memory / 1_000_000)?;
    writeln!(out, "  processor time {:.1} s in {:.1} s", measured.processor_seconds, measured.seconds)?;
    writeln!(
        out,
        "  syncs          {}; only they, with the same bytes: {:.1} s",
        measured.syncs, measured.only_syncs_seconds
    )?;
    Ok(())
}
