//! `fastpath score`: files in, records and a summary out.

use super::{USAGE, tell};
use crate::cli::{OutputFormat, Score};
use crate::diagnostics::{Diagnostics, SHOWN};
use crate::fingerprints;
use crate::pipeline::{self, Plan};
use crate::progress::Progress;
use crate::sink::{Csv, Jsonl, Sink, Table};
use crate::stats::{Count, Counts};
use crate::worker::{ScoredChunk, Scoring};
use console::Term;
use ooni_archive::source::local::Walked;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::{Rules, Ruleset};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Scores what was asked for.
pub fn run(arguments: &Score) -> ExitCode {
    match fingerprints::lists(arguments.scoring.fingerprints.as_deref()) {
        Ok(lists) => {
            if arguments.scoring.fingerprints.is_some() {
                report(&lists);
            }
            with_lists(arguments, &lists)
        }
        Err(error) => {
            tell(&error.to_string());
            ExitCode::from(USAGE)
        }
    }
}

/// Tells what the self-test of lists of the user's own found; what is wrong with the built-in ones is known.
fn report(lists: &Fingerprints) {
    let findings = lists.self_test();
    for finding in findings.iter().take(SHOWN) {
        tell(&finding.to_string());
    }
    if findings.len() > SHOWN {
        tell(&format!("and {} more in the fingerprint lists", findings.len() - SHOWN));
    }
}

fn with_lists(arguments: &Score, lists: &Fingerprints) -> ExitCode {
    let walked = match &arguments.cases {
        Some(file) => Walked::cases(file),
        None => Walked::paths(&arguments.paths),
    };
    let scoring = Scoring { explain: arguments.explain, ..arguments.scoring.scoring(lists) };
    let sink = sinks(arguments.format, scoring.rules, lists);
    let mut run = Run {
        out: io::stdout(),
        counts: Counts::default(),
        diagnostics: Diagnostics::default(),
        progress: Progress::new(0, Default::default()),
    };
    match run.all(arguments, &scoring, &*sink, walked) {
        Ok(passed_over) => run.exit(passed_over),
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("cannot write the output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Makes sinks of a form.
fn sinks(format: OutputFormat, rules: Rules, lists: &Fingerprints) -> Box<dyn Fn() -> Box<dyn Sink> + Sync> {
    match format {
        OutputFormat::Jsonl => {
            let ruleset = Ruleset::new(rules, lists.list_sha256());
            Box::new(move || Box::new(Jsonl::new(&ruleset)))
        }
        OutputFormat::Csv => Box::new(|| Box::new(Csv::default())),
        OutputFormat::Table => {
            let terminal = io::stdout().is_terminal();
            // A terminal that does not know its width is taken for an ordinary one.
            let width = || Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns));
            let table = Table::new(terminal.then(width), terminal && colours());
            Box::new(move || Box::new(table.clone()))
        }
    }
}

/// Whether a terminal is to have colours (<https://no-color.org>).
fn colours() -> bool {
    let unset = |name, nothing: &str| std::env::var_os(name).is_none_or(|value| value == nothing);
    unset("NO_COLOR", "") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What a run keeps.
struct Run {
    out: io::Stdout,
    counts: Counts,
    diagnostics: Diagnostics,
    progress: Progress,
}

impl Run {
    /// Scores all; returns how many files were passed over.
    fn all(
        &mut self,
        arguments: &Score,
        scoring: &Scoring<'_>,
        sink: &(dyn Fn() -> Box<dyn Sink> + Sync),
        walked: Walked,
    ) -> io::Result<u64> {
        let jobs = pipeline::jobs(arguments.scoring.jobs);
        let Walked { files, passed_over, bytes } = walked;
        let read = Arc::default();
        self.progress = Progress::new(bytes, Arc::clone(&read));
        let mut text = Vec::new();
        sink().begin(&mut text);
        self.out.write_all(&text)?;
        let plan = Plan { scoring, jobs, sink, stop: &AtomicBool::new(false), read: &read };
        let result = pipeline::run(&plan, Box::new(files.into_iter()), &mut |piece| self.put(&mut piece.done));
        self.progress.finish();
        result?;
        text.clear();
        sink().end(&self.counts, &mut text);
        self.out.write_all(&text)?;
        self.out.flush()?;
        Ok(passed_over)
    }

    /// Writes what came of a batch.
    fn put(&mut self, done: &mut ScoredChunk) -> io::Result<()> {
        let Run { out, counts, diagnostics, progress } = self;
        counts.merge(&done.counts);
        progress.around(counts, || {
            diagnostics.show(&mut done.diagnostics);
            out.write_all(&done.out)
        })
    }

    /// Sums up on standard error, if there is something to say, and chooses the exit code.
    fn exit(&self, passed_over: u64) -> ExitCode {
        match self.diagnostics.unseen() {
            0 => {}
            unseen => tell(&format!("and {unseen} more")),
        }
        let Count { accepted, stored, discarded, rejected, .. } = self.counts.all();
        let (discarded, rejected) = (discarded.sum(), rejected.sum());
        if rejected > 0 || passed_over > 0 {
            let files = match passed_over {
                0 => String::new(),
                1 => "; 1 file of another name passed over".to_owned(),
                files => format!("; {files} files of other names passed over"),
            };
            tell(&format!("{accepted} read: {stored} stored, {discarded} discarded, {rejected} rejected{files}"));
        }
        if !self.counts.adds_up() {
            tell("the counts do not add up: please report this");
            return ExitCode::FAILURE;
        }
        if rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
