//! Measures `fastpath rerun` into stores, beside the same run without one: how much of a rerun is the store. Two processes
//! score disjoint days into one PostgreSQL database, as machines that share the work do.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use ooni_benches::measure::clock::{Spent, of_children};
use ooni_benches::measure::commands::find_fastpath;
use ooni_benches::measure::machine::Machine;
use ooni_benches::measure::statistics::median;
use ooni_store::{Store, StoreOptions};
use ooni_testkit::corpus::Options;
use ooni_testkit::corpus::containers::{self, Format, Packing};
use ooni_testkit::server::Server;
use serde::Serialize;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Measure reruns into stores
#[derive(Parser)]
struct Arguments {
    /// Measurements per day
    #[arg(long, default_value_t = 100_000)]
    n: u64,
    /// Number of days, at most 28
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..=28))]
    days: u64,
    /// Repetitions
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Binary to measure [default: the one beside this program]
    #[arg(long)]
    fastpath: Option<PathBuf>,
    /// Folder for the corpus and the stores, on a disk
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Folder for the results [default: they are only printed]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Where the rows go.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// To a file of JSON lines.
    Lines,
    Sqlite,
    Postgres,
}

/// A measured run.
#[derive(Clone, Copy, Serialize)]
struct Case {
    target: Target,
    is_bulk: bool,
    processes: u64,
    /// Threads of each process.
    jobs: u64,
}

const fn case(target: Target, is_bulk: bool, processes: u64, jobs: u64) -> Case {
    Case { target, is_bulk, processes, jobs }
}

const CASES: [Case; 8] = [
    case(Target::Lines, false, 1, 1),
    case(Target::Lines, false, 1, 2),
    case(Target::Sqlite, false, 1, 2),
    case(Target::Sqlite, true, 1, 2),
    case(Target::Postgres, false, 1, 1),
    case(Target::Postgres, false, 2, 1),
    case(Target::Postgres, true, 1, 1),
    case(Target::Postgres, true, 2, 1),
];

impl Case {
    fn name(self) -> String {
        let target = match self.target {
            Target::Lines => "no store",
            Target::Sqlite => "SQLite",
            Target::Postgres => "PostgreSQL",
        };
        let bulk = if self.is_bulk { ", --bulk" } else { "" };
        let processes = if self.processes == 1 { "1 process" } else { "2 processes" };
        format!("{target}{bulk}, {processes}, --jobs {}", self.jobs)
    }
}

/// One repetition of a case.
#[derive(Serialize)]
struct Sample {
    #[serde(flatten)]
    case: Case,
    repetition: usize,
    /// Time of all processes of `fastpath`; without that of the database server.
    #[serde(flatten)]
    spent: Spent,
    measurements: u64,
}

#[derive(Serialize)]
struct Run {
    machine: Machine,
    days: u64,
    per_day: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let fastpath = find_fastpath(arguments.fastpath.clone())?;
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let archive = folder.path().join("archive");
    for day in 0..arguments.days {
        write_day(&archive, day, arguments.n)?;
    }
    let run = Run { machine: Machine::here(), days: arguments.days, per_day: arguments.n };
    let mut lines = vec![serde_json::to_string(&run)?];
    let mut samples = Vec::new();
    for repetition in 0..arguments.repetitions {
        for case in CASES {
            let sample = measure(case, repetition, &arguments, &fastpath, &archive, folder.path())
                .with_context(|| case.name())?;
            lines.push(serde_json::to_string(&sample)?);
            samples.push(sample);
        }
    }
    io::stdout().write_all(table(&samples).as_bytes())?;
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("rerun.jsonl"), lines.join("\n") + "\n")?;
    }
    Ok(())
}

/// The name of a day in keys.
fn stamp(day: u64) -> String {
    format!("202403{:02}", day + 1)
}

/// Writes the cans of a day.
fn write_day(archive: &Path, day: u64, n: u64) -> Result<()> {
    const HOUR: u64 = 3_600_000_000;
    let default = Options::default();
    let first_hour = default.first_hour + day * 24 * HOUR;
    let options = Options { n, seed: day + 1, first_hour, per_hour: n.div_ceil(24).max(1), malformed: 0.0, ..default };
    let packing = Packing { format: Format::JsonlGz, uid_in_line: true, layout: true, ..Packing::default() };
    let made = tempfile::tempdir_in(archive.parent().unwrap_or(Path::new(".")))?;
    let summary = containers::write(&options, made.path(), &packing)?;
    for file in summary.files {
        let file = if file.is_absolute() { file } else { made.path().join(file) };
        let key = file.strip_prefix(made.path())?.to_string_lossy().replace(&stamp(0), &stamp(day));
        let target = archive.join(key);
        fs::create_dir_all(target.parent().unwrap_or(archive))?;
        fs::rename(&file, &target)?;
    }
    Ok(())
}

/// Runs a case once, in a new store.
fn measure(
    case: Case,
    repetition: usize,
    arguments: &Arguments,
    fastpath: &Path,
    archive: &Path,
    folder: &Path,
) -> Result<Sample> {
    let store = tempfile::tempdir_in(folder)?;
    let server = match case.target {
        Target::Postgres => Some(Server::postgres(true)?),
        _ => None,
    };
    let url = match &server {
        Some(server) => server.postgres_url("postgres"),
        None => format!("sqlite:{}", store.path().join("ooni.db").display()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if case.target != Target::Lines {
        runtime.block_on(Store::migrate(&url, &StoreOptions::default()))?;
    }
    let spawn = |process: u64| -> Result<Child> {
        // Each process has a folder, and so a journal, of its own.
        let own = store.path().join(process.to_string());
        fs::create_dir_all(&own)?;
        let share = arguments.days / case.processes;
        let first = process * share;
        let end = if process + 1 == case.processes { arguments.days } else { first + share };
        let day = |day: u64| format!("2024-03-{:02}", day + 1);
        let mut command = Command::new(fastpath);
        command.current_dir(own).arg("rerun").arg("--source").arg(archive);
        command.args(["--start-day", &day(first), "--end-day", &day(end), "--jobs", &case.jobs.to_string()]);
        match case.target {
            Target::Lines => command.args(["--no-write-to-db", "--out", "rows.jsonl"]),
            _ => command.args(["--db-uri", &url]),
        };
        if case.is_bulk {
            command.arg("--bulk");
        }
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    };
    let (ended, spent) = of_children(|| {
        let children = (0..case.processes).map(spawn).collect::<Result<Vec<_>>>()?;
        // Odd measurements are rejected, which ends a run with 1.
        let end = |mut child: Child| Ok(child.wait()?.code().is_some_and(|code| code <= 1));
        children.into_iter().map(end).collect::<Result<Vec<_>>>()
    })?;
    ensure!(ended.iter().all(|is_good| *is_good), "a process failed");
    let measurements = arguments.n * arguments.days;
    if case.target != Target::Lines {
        let stored = runtime.block_on(async {
            let store = Store::open_to_read(&url, StoreOptions::default()).await?;
            store.count().await
        })?;
        // Those with odd text may be rejected or share an id.
        if stored * 100 < measurements * 95 {
            bail!("the store has {stored} rows of {measurements} measurements");
        }
    }
    Ok(Sample { case, repetition, spent, measurements })
}

/// Medians of all repetitions.
fn table(samples: &[Sample]) -> String {
    let mut out = "| run | s | measurements/s | processor, s |\n|---|---:|---:|---:|\n".to_owned();
    for case in CASES {
        let of_case = || samples.iter().filter(|sample| sample.case.name() == case.name());
        let median_of = |seconds: fn(&Spent) -> f64| {
            median(&of_case().map(|sample| seconds(&sample.spent)).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        };
        let wall = median_of(|spent| spent.wall);
        let cpu = median_of(|spent| spent.cpu);
        let rate = of_case().next().map_or(f64::NAN, |sample| sample.measurements as f64 / wall);
        out += &format!("| {} | {wall:.1} | {rate:.0} | {cpu:.1} |\n", case.name());
    }
    out
}
