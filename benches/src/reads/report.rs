//! [`Measured`]: the result of a load, and tables of several.

use super::load::Answers;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The result of one load.
#[derive(Debug, Deserialize, Serialize)]
pub struct Measured {
    /// The engine of the store.
    pub engine: String,
    /// Rows of the store at first.
    pub rows: u64,
    /// Connections that read.
    pub connections: usize,
    /// Requests per second that were tried; 0 for as many as possible.
    pub rate: f64,
    /// Size of the cache of responses; 0 for none.
    pub cache_bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Answers with 200 per second.
    pub per_second: f64,
    /// All requests together.
    pub all: Summary,
    /// The requests by route and what is asked.
    pub by_name: BTreeMap<String, Summary>,
    /// Measurements accepted per second meanwhile.
    pub accepted_per_second: f64,
    /// Submissions refused meanwhile.
    pub refused: u64,
    /// Milliseconds of the submissions: median, 99 %, longest.
    pub submission_ms: [f64; 3],
    /// Peak of resident memory of the server, in bytes.
    pub peak_memory: u64,
    /// Processor time of the server, in seconds. That of a database server is not included.
    pub processor_seconds: f64,
    /// Processor time of everything on the machine, the client included, in seconds.
    pub machine_processor_seconds: f64,
    /// The machine and the time.
    pub machine: serde_json::Value,
}

/// Requests of a kind.
#[derive(Debug, Deserialize, Serialize)]
pub struct Summary {
    /// Answers with 200.
    pub answers: u64,
    /// Other answers, by status; 0 for closed connections.
    pub errors: BTreeMap<u16, u64>,
    /// Milliseconds: median, 99 %, longest.
    pub latency_ms: [f64; 3],
    /// Bytes of a body on average.
    pub mean_bytes: u64,
}

impl From<Answers> for Summary {
    fn from(answers: Answers) -> Summary {
        let number = answers.latencies.len() as u64;
        Summary {
            answers: number,
            errors: answers.errors,
            latency_ms: percentiles(answers.latencies),
            mean_bytes: answers.bytes / number.max(1),
        }
    }
}

/// Median, 99 % and the largest of microseconds, in milliseconds.
pub fn percentiles(mut latencies: Vec<u32>) -> [f64; 3] {
    latencies.sort_unstable();
    let last = latencies.len().saturating_sub(1);
    [0.5, 0.99, 1.0].map(|part| {
        let latency = latencies.get((last as f64 * part) as usize);
        latency.map_or(0.0, |latency| f64::from(*latency) / 1000.0)
    })
}

impl Measured {
    /// The engine and how it was asked.
    fn title(&self) -> String {
        let engine = if self.engine == "sqlite" { "SQLite" } else { "PostgreSQL" };
        let cache = if self.cache_bytes > 0 { ", cache" } else { "" };
        match self.rate {
            0.0 => format!("{engine}, {} connections{cache}", self.connections),
            rate => format!("{engine}, {rate}/s{cache}"),
        }
    }

    fn errors(&self) -> u64 {
        self.all.errors.values().sum()
    }
}

/// Results as tables in Markdown.
pub fn tables(all: &[Measured]) -> String {
    let mut lines = vec![row("", all, "aim", Measured::title), format!("|---|---:|{}", "---:|".repeat(all.len()))];
    lines.push(row("answers per second", all, "≥ 2,000", |one| format!("{:.0}", one.per_second)));
    lines.push(row("latency, median, ms", all, "", |one| format!("{:.1}", one.all.latency_ms[0])));
    lines.push(row("latency, 99 %, ms", all, "< 50", |one| format!("{:.1}", one.all.latency_ms[1])));
    lines.push(row("longest, ms", all, "", |one| format!("{:.0}", one.all.latency_ms[2])));
    lines.push(row("other answers", all, "", |one| one.errors().to_string()));
    lines.push(row("peak memory, MB", all, "< 500", |one| (one.peak_memory / 1_000_000).to_string()));
    let per_second = |seconds: f64, one: &Measured| format!("{:.2}", seconds / one.seconds);
    lines.push(row("processors, the server", all, "", |one| per_second(one.processor_seconds, one)));
    lines.push(row("processors, everything", all, "", |one| per_second(one.machine_processor_seconds, one)));
    lines.push(row("submissions per second", all, "100", |one| format!("{:.0}", one.accepted_per_second)));
    lines.push(row("submissions, 99 %, ms", all, "", |one| format!("{:.1}", one.submission_ms[1])));
    lines.push(String::new());
    lines.push(row("median / 99 %, ms", all, "share", Measured::title));
    lines.push(format!("|---|---:|{}", "---:|".repeat(all.len())));
    let names: BTreeSet<&String> = all.iter().flat_map(|one| one.by_name.keys()).collect();
    for name in names {
        let number = |one: &Measured| one.by_name.get(name).map_or(0, |summary| summary.answers);
        let total: u64 = all.iter().map(|one| one.all.answers).sum();
        let share = 100.0 * all.iter().map(number).sum::<u64>() as f64 / total.max(1) as f64;
        let of = |one: &Measured| match one.by_name.get(name) {
            Some(Summary { latency_ms: [median, p99, _], .. }) => format!("{median:.1} / {p99:.1}"),
            None => String::new(),
        };
        lines.push(row(name, all, &format!("{share:.1} %"), of));
    }
    lines.join("\n")
}

fn row(name: &str, all: &[Measured], second: &str, cell: impl Fn(&Measured) -> String) -> String {
    let cells: Vec<String> = all.iter().map(cell).collect();
    format!("| {name} | {second} | {} |", cells.join(" | "))
}
