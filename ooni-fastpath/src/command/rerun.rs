//! `fastpath rerun`: reads the archive, writes rows to a store and a file, keeps a journal to resume from, and prints a
//! report at the end.

mod display;
mod ledger;
mod log;
mod open;
mod output;
mod report;

use self::display::Display;
use self::ledger::Ledger;
use self::log::Log;
use self::open::Opened;
use self::output::FileFormat;
use self::report::RunReport;
use super::listing::{Listed, name_warnings, nothing_found, unknown_names};
use super::result::USAGE;
use crate::cli::Rerun;
use crate::diagnostics::Diagnostics;
use crate::journal::FinishedCans;
use crate::pipeline::{self, Plan};
use crate::sink::{Csv, Jsonl, NullSink, Sink};
use crate::spool::Spool;
use crate::text::line;
use crate::worker::Scoring;
use ooni_archive::Day;
use ooni_archive::blocking::{BlockingArchive, BlockingPrefetch};
use ooni_archive::can::{Expected, Format};
use ooni_archive::fingerprints;
use ooni_archive::source::archive::ArchiveCan;
use ooni_archive::source::prefetch::Prefetched;
use ooni_archive::source::{InputFile, Origin, Twin};
use ooni_core::rules::Ruleset;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Scores the archive again.
pub fn run(arguments: &Rerun) -> ExitCode {
    let log = Log { to_stdout: arguments.stdout };
    arguments.ignored.lines().for_each(|line| log.print_line(line));
    match open_and_run(arguments, log) {
        Ok(code) => code,
        Err(why) => {
            log.print_line(&why);
            ExitCode::from(USAGE)
        }
    }
}

/// Opens everything and runs. An error means that an argument cannot be used.
fn open_and_run(arguments: &Rerun, log: Log) -> Result<ExitCode, String> {
    let today = Day::today();
    let wanted = arguments.selection.wanted(today);
    if wanted.days.end < arguments.selection.end_day {
        log.print_line(&format!("days from {today} on are skipped: they are not complete yet"));
    }
    let format = match arguments.out.as_deref() {
        None => None,
        Some(out) => {
            Some(FileFormat::of(out).ok_or("--out: expected a name that ends in .jsonl, .csv or .parquet, or -")?)
        }
    };
    open::check_files(arguments)?;
    let options = arguments.caching.options(arguments.sources.options());
    let archive = BlockingArchive::open(arguments.sources.locations()?, wanted.clone(), options)?;
    if arguments.dry_run {
        return Ok(dry_run(arguments, &archive, log));
    }
    name_warnings(&wanted).iter().for_each(|warning| log.print_line(&line(warning)));
    let lists = fingerprints::lists(arguments.scoring.fingerprints.as_deref()).map_err(|error| error.to_string())?;
    let ruleset = Ruleset::new(arguments.scoring.rules.into(), lists.list_sha256());
    let spool = arguments.write_to_disk.then(|| Spool::new(&arguments.spool_dir));
    let scoring = Scoring {
        wanted: Some(&wanted),
        typed: true,
        stored: !arguments.no_write_to_db,
        stop_after: arguments.stop_after,
        post_bodies: spool.as_ref().map(|spool| spool as &dyn crate::worker::PostBodyWriter),
        ..arguments.scoring.scoring(&lists)
    };
    let sink = sinks(format, &ruleset);
    let Opened { ledger, finished, was_complete, placeholder, closed } =
        open::open(arguments, &ruleset, wanted.days.end, &*sink)?;
    let mut rerun = Run { arguments, log, ledger, diagnostics: Diagnostics::default() };
    let result = match was_complete {
        // It may have been killed before it finished a bulk load.
        true => rerun.ledger.end_load(|line| log.print_line(line)),
        false => rerun.all(&archive, &scoring, &*sink, finished),
    };
    if let Some(journal) = placeholder {
        journal.discard_if_empty();
    }
    if let Err(error) = result {
        // The reader of standard output closed it, and there is no store.
        if error.kind() == io::ErrorKind::BrokenPipe && arguments.out.as_deref() == Some(Path::new("-")) {
            return Ok(ExitCode::SUCCESS);
        }
        let how = if rerun.ledger.journal.is_some() { "; repeat the command with --resume to continue" } else { "" };
        log.print_line(&format!("stopped: {error}{how}"));
        return Ok(ExitCode::FAILURE);
    }
    if let Some(spool) = &spool {
        log.print_line(&spool.summary());
    }
    if was_complete {
        log.print_line("this run is already complete; to start again, omit --resume");
    }
    let mut is_good = rerun.report(&ruleset);
    let is_empty = rerun.ledger.mark.counts.all().accepted == 0;
    let is_nothing = is_empty && !was_complete && rerun.diagnostics.is_empty();
    if is_nothing {
        let what = match rerun.ledger.mark.cans {
            0 => None,
            1 => Some("no measurements in the can that was read".to_owned()),
            cans => Some(format!("no measurements in the {cans} cans that were read")),
        };
        log.print_line(&nothing_found(&arguments.sources.sources, &archive, what));
        is_good = false;
    }
    if closed.is_closed() {
        log.print_line("standard output was closed early, so lines are missing there; the store has all rows");
        is_good = false;
    }
    let code = if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(report_unknown_names(&archive, is_nothing, log).unwrap_or(code))
}

/// Reports selected names that are neither known nor in the archive. Returns the exit code if there are any.
fn report_unknown_names(archive: &BlockingArchive, is_nothing: bool, log: Log) -> Option<ExitCode> {
    let unknown = unknown_names(archive, is_nothing);
    unknown.iter().for_each(|sentence| log.print_line(&line(sentence)));
    (!unknown.is_empty()).then(|| ExitCode::from(USAGE))
}

/// Lists the cans without reading them.
fn dry_run(arguments: &Rerun, archive: &BlockingArchive, log: Log) -> ExitCode {
    let mut diagnostics = Diagnostics::default();
    let listed = Listed::all(archive, false, &mut diagnostics);
    match io::stdout().write_all(listed.table().as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            log.print_line(&format!("cannot write the table to standard output: {error}"));
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    let is_nothing = listed.is_empty() && diagnostics.is_empty();
    if is_nothing {
        log.print_line(&nothing_found(&arguments.sources.sources, archive, None));
    }
    let code = if is_nothing || !diagnostics.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    report_unknown_names(archive, is_nothing, log).unwrap_or(code)
}

/// Returns a function that makes sinks of a format.
fn sinks(format: Option<FileFormat>, ruleset: &Ruleset) -> Box<dyn Fn() -> Box<dyn Sink> + Sync> {
    match format {
        Some(FileFormat::Jsonl) => {
            let ruleset = ruleset.clone();
            Box::new(move || Box::new(Jsonl::new(&ruleset)))
        }
        Some(FileFormat::Csv) => Box::new(|| Box::new(Csv::default())),
        Some(FileFormat::Parquet) | None => Box::new(|| Box::new(NullSink)),
    }
}

/// The state of a run.
struct Run<'r> {
    arguments: &'r Rerun,
    log: Log,
    ledger: Ledger,
    diagnostics: Diagnostics,
}

impl Run<'_> {
    /// Scores everything. Even if it is stopped, what was done is durable at the end.
    fn all(
        &mut self,
        archive: &BlockingArchive,
        scoring: &Scoring<'_>,
        sink: &(dyn Fn() -> Box<dyn Sink> + Sync),
        finished: FinishedCans,
    ) -> io::Result<()> {
        let stop = stop_on_signals()?;
        let read = Arc::default();
        let failures =
            Arc::new(Failures { incomplete: Arc::clone(&self.ledger.incomplete), messages: Mutex::default() });
        let finished = Arc::new(finished);
        let skipped = Arc::clone(&finished);
        let supply =
            BlockingPrefetch::new(archive, move |can| skipped.contains(can.day, &can.key)).map_err(io::Error::other)?;
        let format = self.arguments.scoring.input_format.format();
        let supply = input_files(supply, archive.clone(), format, finished, Arc::clone(&failures));
        let jobs = pipeline::jobs(self.arguments.scoring.jobs);
        let plan = Plan { scoring, jobs, sink, stop: &stop, read: &read };
        let mut display = Display::new(self.log, archive, Arc::clone(&read), &self.ledger.mark);
        let Run { ledger, diagnostics, log, .. } = self;
        let log = *log;
        let result = pipeline::run(&plan, Box::new(supply), &mut |piece| {
            display.around(ledger, || {
                diagnostics.show_to(&mut piece.done.diagnostics, |line| log.print_line(line));
                failures.show(diagnostics, log);
                if let (true, Some(fallback)) = (piece.is_last, &piece.source.fallback) {
                    log.print_line(&format!("{}: {fallback}", piece.source.name));
                }
            });
            ledger.put(piece)
        });
        display.finish();
        failures.show(diagnostics, log);
        diagnostics.rest().for_each(|line| log.print_line(&line));
        // From here on a signal ends the process at once. The run can be resumed at any point.
        let is_stopped = stop.swap(true, Ordering::Relaxed);
        result?;
        if is_stopped {
            ledger.stop()?;
            return Err(io::Error::new(io::ErrorKind::Interrupted, "by a signal"));
        }
        let is_complete = !failures.any();
        ledger.finish(archive.wanted().days.end, is_complete, |line| log.print_line(line))?;
        if !is_complete && ledger.journal.is_some() {
            log.print_line("part of the archive could not be read; repeat the command with --resume to retry it");
        }
        Ok(())
    }

    /// Writes the table and the report. Returns whether there were no errors.
    fn report(&self, ruleset: &Ruleset) -> bool {
        let report = RunReport { mark: &self.ledger.mark, ruleset, is_stored: self.ledger.store.is_some() };
        self.log.write(&report.table());
        let mut is_good = report.is_good() && self.diagnostics.is_empty();
        if !report.adds_up() {
            self.log.print_line("the counts do not add up: please report this");
            is_good = false;
        }
        let written = match self.arguments.report.as_deref() {
            None => Ok(()),
            Some(path) if path.as_os_str() == "-" => match io::stdout().write_all(report.json().as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
                _ => Ok(()),
            },
            Some(path) => std::fs::write(path, report.json()).map_err(|error| format!("{}: {error}", path.display())),
        };
        if let Err(why) = written {
            self.log.print_line(&format!("cannot write the report: {why}"));
            is_good = false;
        }
        is_good
    }
}

/// Set at the first SIGINT or SIGTERM. The second, or any once it is set, ends the process at once.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: at the first signal the flag is not set yet.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Parts of the archive that could not be read.
struct Failures {
    incomplete: Arc<Mutex<Vec<Day>>>,
    /// How many there are, and the messages that have not been shown.
    messages: Mutex<(u64, Vec<String>)>,
}

impl Failures {
    fn add(&self, day: Day, line: String) {
        let mut incomplete = self.incomplete.lock().unwrap_or_else(PoisonError::into_inner);
        if incomplete.last() != Some(&day) {
            incomplete.push(day);
        }
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.0 += 1;
        messages.1.push(line);
    }

    fn any(&self) -> bool {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).0 > 0
    }

    fn show(&self, diagnostics: &mut Diagnostics, log: Log) {
        let mut batch = Diagnostics::default();
        let lines = std::mem::take(&mut self.messages.lock().unwrap_or_else(PoisonError::into_inner).1);
        lines.into_iter().for_each(|line| batch.add(|| line));
        diagnostics.show_to(&mut batch, |line| log.print_line(line));
    }
}

/// The cans as input files for the pipeline. What could not be listed or downloaded is reported and skipped, so it does
/// not count as finished.
fn input_files(
    supply: BlockingPrefetch,
    archive: BlockingArchive,
    format: Option<Format>,
    finished: Arc<FinishedCans>,
    failures: Arc<Failures>,
) -> impl Iterator<Item = InputFile> + Send {
    supply.filter_map(move |supplied| match supplied {
        Prefetched::Unlisted { day, .. } if finished.is_day_done(day) => None, // nothing is missing
        Prefetched::Unlisted { day, error } => {
            failures.add(day, format!("{day}: {}", error.message));
            None
        }
        Prefetched::Can { can, file: Err(error) } => {
            failures.add(can.day, format!("{}: {}", can.key, error.message));
            None
        }
        Prefetched::Can { can, file: Ok(file) } => {
            let twin = twin(&archive, &can);
            let origin = Origin::Kept(file.to_path_buf(), Box::new(file));
            let file = can.into_input_file(origin, twin);
            Some(InputFile { expected: format.map_or(file.expected, Expected::Exactly), ..file })
        }
    })
}

/// The JSONL file with the same measurements as a postcan; it is copied only if the postcan gives no entry.
fn twin(archive: &BlockingArchive, can: &ArchiveCan) -> Option<Twin> {
    let (archive, lines) = (archive.clone(), can.lines()?.clone());
    Some(Box::new(move || {
        let folder = tempfile::tempdir().ok()?;
        archive.copy_can(&lines, folder.path()).ok()?;
        let path = folder.path().join(&lines.key);
        Some((lines.key, Origin::Kept(path, Box::new(folder))))
    }))
}
