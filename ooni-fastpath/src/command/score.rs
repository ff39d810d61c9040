//! `fastpath score`: reads files, writes records and a summary.

use super::result::{USAGE, eprint_line, skipped_files};
use crate::cli::{OutputFormat, Score};
use crate::diagnostics::{Diagnostics, SHOWN};
use crate::pipeline::{self, Plan};
use crate::progress::Progress;
use crate::sink::{Csv, Jsonl, Sink, Table};
use crate::stats::{Count, Counts};
use crate::text;
use crate::worker::{ScoredChunk, Scoring};
use console::Term;
use ooni_archive::fingerprints;
use ooni_archive::source::local::FileList;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::{Rules, Ruleset};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs the command.
pub fn run(arguments: &Score) -> ExitCode {
    match fingerprints::lists(arguments.scoring.fingerprints.as_deref()) {
        Ok(lists) => {
            if arguments.scoring.fingerprints.is_some() {
                report_self_test(&lists);
            }
            with_lists(arguments, &lists)
        }
        Err(error) => {
            eprint_line(&error.to_string());
            ExitCode::from(USAGE)
        }
    }
}

/// Reports the findings of the self-test of the user's lists. Those of the built-in lists are known.
fn report_self_test(lists: &Fingerprints) {
    let findings = lists.self_test();
    for finding in findings.iter().take(SHOWN) {
        eprint_line(&finding.to_string());
    }
    if findings.len() > SHOWN {
        eprint_line(&format!("and {} more in the fingerprint lists", findings.len() - SHOWN));
    }
}

fn with_lists(arguments: &Score, lists: &Fingerprints) -> ExitCode {
    let list = match &arguments.cases {
        Some(file) => FileList::cases(file),
        None => FileList::find(&arguments.paths, arguments.scoring.input_format.format()),
    };
    let list = match list {
        Ok(list) => list,
        Err(missing) => {
            missing.0.iter().for_each(|missing| eprint_line(&text::line(&missing.to_string())));
            return ExitCode::from(USAGE);
        }
    };
    let scoring = Scoring { explain: arguments.explain, ..arguments.scoring.scoring(lists) };
    let sink = sinks(arguments, scoring.rules, lists);
    let mut run = Run {
        out: io::stdout(),
        counts: Counts::default(),
        diagnostics: Diagnostics::default(),
        progress: Progress::new(0, Default::default()),
    };
    match run.all(arguments, &scoring, &*sink, list) {
        Ok(found) => run.exit(arguments, found),
        // The reader closed the pipe: it has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprint_line(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns a function that creates sinks of a format.
fn sinks(arguments: &Score, rules: Rules, lists: &Fingerprints) -> Box<dyn Fn() -> Box<dyn Sink> + Sync> {
    match arguments.format {
        OutputFormat::Jsonl => {
            let ruleset = Ruleset::new(rules, lists.list_sha256());
            // Cases serve to compare scorers, which keep lone surrogates.
            let is_exact = arguments.cases.is_some();
            Box::new(move || {
                let sink = Jsonl::new(&ruleset);
                Box::new(if is_exact { sink.exact() } else { sink })
            })
        }
        OutputFormat::Csv => Box::new(|| Box::new(Csv::default())),
        OutputFormat::Table => {
            let terminal = io::stdout().is_terminal();
            // A terminal of unknown width is assumed to have 80 columns.
            let width = || Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns));
            let table = Table::new(terminal.then(width), terminal && colours());
            Box::new(move || Box::new(table.clone()))
        }
    }
}

/// Whether to use colours on a terminal (<https://no-color.org>).
fn colours() -> bool {
    let unset = |name, nothing: &str| std::env::var_os(name).is_none_or(|value| value == nothing);
    unset("NO_COLOR", "") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The state of a run.
struct Run {
    out: io::Stdout,
    counts: Counts,
    diagnostics: Diagnostics,
    progress: Progress,
}

/// What was found at the paths.
struct Found {
    files: usize,
    skipped: u64,
    twins: u64,
}

impl Run {
    /// Scores all files.
    fn all(
        &mut self,
        arguments: &Score,
        scoring: &Scoring<'_>,
        sink: &(dyn Fn() -> Box<dyn Sink> + Sync),
        list: FileList,
    ) -> io::Result<Found> {
        let jobs = pipeline::jobs(arguments.scoring.jobs);
        let FileList { files, skipped, twins, bytes } = list;
        let found = Found { files: files.len(), skipped, twins };
        let read = Arc::default();
        self.progress = Progress::new(bytes, Arc::clone(&read));
        let mut text = Vec::new();
        sink().begin(&mut text);
        self.out.write_all(&text)?;
        let plan = Plan { scoring, jobs, sink, stop: &AtomicBool::new(false), read: &read };
        let result = pipeline::run(&plan, Box::new(files.into_iter()), &mut |piece| {
            if let (true, Some(fallback)) = (piece.is_last, &piece.source.fallback) {
                self.progress.around(&self.counts, || eprint_line(&format!("{}: {fallback}", piece.source.name)));
            }
            self.put(&mut piece.done)
        });
        self.progress.finish();
        result?;
        text.clear();
        sink().end(&self.counts, &mut text);
        self.out.write_all(&text)?;
        self.out.flush()?;
        Ok(found)
    }

    /// Writes the results of a chunk.
    fn put(&mut self, done: &mut ScoredChunk) -> io::Result<()> {
        let Run { out, counts, diagnostics, progress } = self;
        counts.merge(&done.counts);
        progress.around(counts, || {
            diagnostics.show(&mut done.diagnostics);
            out.write_all(&done.out)
        })
    }

    /// Prints a summary on standard error if there is something to report, and returns the exit code.
    fn exit(&self, arguments: &Score, found: Found) -> ExitCode {
        self.diagnostics.rest().for_each(|line| eprint_line(&line));
        let Count { accepted, stored, discarded, rejected, .. } = self.counts.all();
        let (discarded, rejected) = (discarded.sum(), rejected.sum());
        if rejected > 0 || found.skipped > 0 || found.twins > 0 {
            let files = skipped_files(found.skipped, found.twins);
            eprint_line(&format!(
                "{accepted} read: {stored} stored, {discarded} discarded, {rejected} rejected{files}"
            ));
        }
        if !self.counts.adds_up() {
            eprint_line("the counts do not add up: please report this");
            return ExitCode::FAILURE;
        }
        if found.files == 0 {
            let paths: Vec<_> = arguments.paths.iter().map(|path| text::line(&path.display().to_string())).collect();
            eprint_line(&format!("nothing found in {}: no files named {NAMES}", paths.join(" ")));
            return ExitCode::FAILURE;
        }
        if rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The names that are read in folders.
const NAMES: &str = "*.json, *.post, *.jsonl, *.jsonl.gz, *.tar.gz, *.json.lz4, *.tar.lz4 or *.yaml.lz4";
