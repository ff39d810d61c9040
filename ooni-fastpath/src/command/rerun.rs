//! `fastpath rerun`: the archive in, rows to a store and a file, a journal to go on with, a report at the end.

mod display;
mod ledger;
mod output;
mod report;

use self::display::Display;
use self::ledger::Ledger;
use self::output::{Form, Output};
use self::report::Report;
use super::fetch::Listed;
use super::{USAGE, tell};
use crate::cli::Rerun;
use crate::diagnostics::Diagnostics;
use crate::fingerprints;
use crate::journal::{self, Identity, Journal, Past};
use crate::pipeline::{self, Plan};
use crate::sink::{Csv, Jsonl, Silent, Sink};
use crate::spool::Spool;
use crate::worker::Scoring;
use ooni_archive::can::Report as CanReport;
use ooni_archive::day::Day;
use ooni_archive::source::archive::Archive;
use ooni_archive::source::prefetch::{Prefetch, Prefetched};
use ooni_archive::source::{InArchive, InputFile, Origin, Source};
use ooni_core::rules::Ruleset;
use ooni_store::failpoint::{Failpoint, reach};
use ooni_store::{BlockingStore, OnExisting, local_path, without_password};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Scores what was asked for again.
pub fn run(arguments: &Rerun) -> ExitCode {
    let log = Log { to_stdout: arguments.stdout };
    arguments.idle.lines().for_each(|line| log.tell(line));
    match prepared(arguments, log) {
        Ok(code) => code,
        Err(why) => {
            log.tell(&why);
            ExitCode::from(USAGE)
        }
    }
}

/// Position people are told what is going on.
#[derive(Clone, Copy, Debug)]
struct Log {
    to_stdout: bool,
}

impl Log {
    fn tell(self, line: &str) {
        if self.to_stdout {
            let _ = writeln!(io::stdout(), "fastpath: {line}"); // nobody to tell that nobody reads
        } else {
            tell(line);
        }
    }

    fn write(self, text: &str) {
        let _ = if self.to_stdout {
            io::stdout().write_all(text.as_bytes())
        } else {
            io::stderr().write_all(text.as_bytes())
        };
    }
}

/// Opens everything, then works. An error is one of the arguments.
fn prepared(arguments: &Rerun, log: Log) -> Result<ExitCode, String> {
    let today = Day::today();
    let wanted = arguments.selection.wanted(today);
    if wanted.days.end < arguments.selection.end_day {
        log.tell(&format!("days from {today} on are left out: not all of them is there yet"));
    }
    let format = match arguments.out.as_deref() {
        None => None,
        Some(out) => Some(Form::of(out).ok_or("--out: a name that ends in .jsonl, .csv or .parquet is wanted, or -")?),
    };
    let options = arguments.caching.options(arguments.sources.options());
    let archive = Archive::open(arguments.sources.locations()?, wanted.clone(), options)?;
    if arguments.dry_run {
        return Ok(dry_run(&archive, log));
    }
    let lists = fingerprints::lists(arguments.scoring.fingerprints.as_deref()).map_err(|error| error.to_string())?;
    let ruleset = Ruleset::new(arguments.scoring.rules.into(), lists.list_sha256());
    let spool = arguments.write_to_disk.then(|| Spool::new(&arguments.spool_dir));
    let scoring = Scoring {
        wanted: Some(&wanted),
        typed: true,
        hashed: !arguments.no_write_to_db,
        stop_after: arguments.stop_after,
        spool: spool.as_ref().map(|spool| spool as &dyn crate::worker::Spool),
        ..arguments.scoring.scoring(&lists)
    };
    let sink = sinks(format, &ruleset);
    let (ledger, past, was_complete) = opened(arguments, &ruleset, wanted.days.end, &*sink)?;
    let mut rerun = Run { arguments, log, ledger, diagnostics: Diagnostics::default() };
    if was_complete {
        log.tell("this run is complete; without --resume it begins anew");
    } else if let Err(error) = rerun.all(&archive, &scoring, &*sink, past) {
        let is_out = arguments.out.as_deref() == Some(Path::new("-"));
        // Whoever reads has read enough; a store has not got enough then.
        if error.kind() == io::ErrorKind::BrokenPipe && is_out && rerun.ledger.store.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
        let how = if rerun.ledger.journal.is_some() { "; the same command with --resume goes on" } else { "" };
        log.tell(&format!("stopped: {error}{how}"));
        return Ok(ExitCode::FAILURE);
    }
    if let Some(spool) = &spool {
        log.tell(&spool.summary());
    }
    Ok(rerun.exit(&ruleset))
}

/// Says what there is.
fn dry_run(archive: &Archive, log: Log) -> ExitCode {
    let mut diagnostics = Diagnostics::default();
    let listed = Listed::all(archive, false, &mut diagnostics);
    match io::stdout().write_all(listed.table().as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            log.tell(&format!("cannot write the table: {error}"));
            ExitCode::FAILURE
        }
        _ if diagnostics.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Makes sinks of a format.
fn sinks(format: Option<Form>, ruleset: &Ruleset) -> Box<dyn Fn() -> Box<dyn Sink> + Sync> {
    match format {
        Some(Form::Jsonl) => {
            let ruleset = ruleset.clone();
            Box::new(move || Box::new(Jsonl::new(&ruleset)))
        }
        Some(Form::Csv) => Box::new(|| Box::new(Csv::default())),
        Some(Form::Parquet) | None => Box::new(|| Box::new(Silent)),
    }
}

/// Opens store, output and journal: anew, or where a run before came to. True when that came to its end, and there are no
/// more days before `end` by now.
fn opened(
    arguments: &Rerun,
    ruleset: &Ruleset,
    end: Day,
    sink: &dyn Fn() -> Box<dyn Sink>,
) -> Result<(Ledger, Past, bool), String> {
    let store = match arguments.no_write_to_db {
        true => None,
        false => Some(BlockingStore::open(&arguments.db_uri).map_err(|error| error.to_string())?),
    };
    let identity = identity(arguments, ruleset);
    let journal_path = journal_path(arguments);
    let past = match &journal_path {
        Some(path) if arguments.resume => Journal::resume(path, &identity)?,
        _ => None,
    };
    let mut header = Vec::new();
    sink().begin(&mut header);
    let out = arguments.out.as_deref();
    let format = out.and_then(Form::of);
    let failed = |error: io::Error| format!("cannot begin the output: {error}");
    let mut was_complete = false;
    let (output, journal, read) = match past {
        Some((journal, read)) => {
            check_store(store.as_ref(), arguments, &read)?;
            was_complete = read.complete.is_some_and(|before| end <= before);
            let output = match read.complete {
                Some(_) if was_complete => Output::Nothing,
                Some(day) if format == Some(Form::Parquet) => {
                    return Err(format!("--out is complete up to {day}; for later days name another file"));
                }
                _ => Output::open(out, Some(read.mark.out), &header).map_err(failed)?,
            };
            (output, Some(journal), read)
        }
        None => {
            // In this order: a journal never speaks of an output that is not there.
            journal_path.as_deref().map_or(Ok(()), journal::remove).map_err(failed)?;
            reach(Failpoint::Begun);
            let output = Output::open(out, None, &header).map_err(failed)?;
            reach(Failpoint::OutputBegun);
            let journal = journal_path.map(|path| Journal::begin(&path, &identity)).transpose().map_err(failed)?;
            reach(Failpoint::JournalBegun);
            (output, journal, journal::Read::default())
        }
    };
    let on_existing = if arguments.update { OnExisting::Replace } else { OnExisting::Keep };
    let ledger = Ledger::new(store, on_existing, output, journal, read.mark);
    Ok((ledger, read.past, was_complete))
}

/// A store that was removed, and its journal not, would never get what the journal says that it has.
fn check_store(store: Option<&BlockingStore>, arguments: &Rerun, read: &journal::Read) -> Result<(), String> {
    let Some(store) = store.filter(|_| read.mark.counts.all().stored > 0) else { return Ok(()) };
    match store.wait(store.store.page(None, 1)) {
        Ok(rows) if rows.is_empty() => Err(format!(
            "{} has no rows, but the journal says that it has; begin anew, without --resume",
            arguments.db_uri
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Beside the file, or beside the store where there is none. A run that ends early has none: it does not go on.
fn journal_path(arguments: &Rerun) -> Option<PathBuf> {
    if arguments.stop_after.is_some() {
        return None;
    }
    match &arguments.out {
        Some(out) if out.as_os_str() == "-" => None,
        Some(out) => Some(Journal::path_of(out)),
        None if arguments.no_write_to_db => None,
        None => local_path(&arguments.db_uri).ok().map(|path| Journal::path_of(&path)),
    }
}

/// What has to be the same for a run to go on.
fn identity(arguments: &Rerun, ruleset: &Ruleset) -> Identity {
    let Rerun { selection, sources, scoring, .. } = arguments;
    let named = |name: &str, value: String| (name.to_owned(), value);
    let store = if arguments.no_write_to_db { "none".to_owned() } else { without_password(&arguments.db_uri) };
    Identity::from([
        named("--start-day", selection.start_day.to_string()),
        named("--end-day", selection.end_day.to_string()),
        named("--ccs", selection.ccs.join(",")),
        named("--testnames", selection.testnames.join(",")),
        named("--source", sources.sources.join(" ")),
        named("--db-uri", store),
        named("--update", arguments.update.to_string()),
        named("--strict-cans", scoring.strict_cans.to_string()),
        named("the limits", format!("{:?}", scoring.limits.limits())),
        named("the ruleset", format!("{} {} {}", ruleset.rules, ruleset.version, ruleset.fingerprints)),
    ])
}

/// A run.
struct Run<'r> {
    arguments: &'r Rerun,
    log: Log,
    ledger: Ledger,
    diagnostics: Diagnostics,
}

impl Run<'_> {
    /// Scores all; complete or not, what was done is durable at the end.
    fn all(
        &mut self,
        archive: &Archive,
        scoring: &Scoring<'_>,
        sink: &(dyn Fn() -> Box<dyn Sink> + Sync),
        past: Past,
    ) -> io::Result<()> {
        let stop = stop_on_signals()?;
        let read = Arc::default();
        let failures = Arc::new(Failures { wanting: Arc::clone(&self.ledger.wanting), told: Mutex::default() });
        let supply = Prefetch::new(archive, move |can| past.has(can.day, &can.key)).map_err(io::Error::other)?;
        let supply = found(supply, Arc::clone(&failures));
        let jobs = pipeline::jobs(self.arguments.scoring.jobs);
        let plan = Plan { scoring, jobs, sink, stop: &stop, read: &read };
        let mut display = Display::new(self.log, archive, Arc::clone(&read), &self.ledger.mark);
        let Run { ledger, diagnostics, log, .. } = self;
        let log = *log;
        let result = pipeline::run(&plan, Box::new(supply), &mut |piece| {
            display.around(ledger, || {
                diagnostics.show_to(&mut piece.done.diagnostics, |line| log.tell(line));
                failures.show(diagnostics, log);
            });
            ledger.put(piece)
        });
        display.finish();
        failures.show(diagnostics, log);
        result?;
        if stop.load(Ordering::Relaxed) {
            ledger.stop()?;
            return Err(io::Error::new(io::ErrorKind::Interrupted, "by a signal"));
        }
        let is_complete = !failures.any();
        ledger.finish(archive.wanted().days.end, is_complete)?;
        if !is_complete && ledger.journal.is_some() {
            log.tell("some of the archive could not be had; the same command with --resume tries that again");
        }
        Ok(())
    }

    /// Sums up and chooses the exit code.
    fn exit(&self, ruleset: &Ruleset) -> ExitCode {
        if let unseen @ 1.. = self.diagnostics.unseen() {
            self.log.tell(&format!("and {unseen} more"));
        }
        let report = Report { mark: &self.ledger.mark, ruleset, is_stored: self.ledger.store.is_some() };
        self.log.write(&report.table());
        let mut is_good = report.is_good() && self.diagnostics.is_empty();
        if !report.adds_up() {
            self.log.tell("the counts do not add up: please report this");
            is_good = false;
        }
        if let Some(path) = &self.arguments.report
            && let Err(error) = std::fs::write(path, report.json())
        {
            self.log.tell(&format!("cannot write the report: {}: {error}", path.display()));
            is_good = false;
        }
        if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Set at the first signal to end; the second ends the process.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first time the flag is not yet set.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Parts of the archive that could not be had.
struct Failures {
    wanting: Arc<Mutex<Vec<Day>>>,
    told: Mutex<(u64, Vec<String>)>,
}

impl Failures {
    fn add(&self, day: Day, line: String) {
        let mut wanting = self.wanting.lock().unwrap_or_else(PoisonError::into_inner);
        if wanting.last() != Some(&day) {
            wanting.push(day);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0 += 1;
        told.1.push(line);
    }

    fn any(&self) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).0 > 0
    }

    fn show(&self, diagnostics: &mut Diagnostics, log: Log) {
        let mut these = Diagnostics::default();
        let lines = std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner).1);
        lines.into_iter().for_each(|line| these.add(|| line));
        diagnostics.show_to(&mut these, |line| log.tell(line));
    }
}

/// The files of cans, as the pipeline wants them. What could not be had is told and left out, so that it is not taken for
/// finished.
fn found(supply: Prefetch, failures: Arc<Failures>) -> impl Iterator<Item = InputFile> + Send {
    supply.filter_map(move |supplied| match supplied {
        Prefetched::Unlisted { day, error } => {
            failures.add(day, format!("{day}: {}", error.message));
            None
        }
        Prefetched::Can { can, file: Err(error) } => {
            failures.add(can.day, format!("{}: {}", can.key, error.message));
            None
        }
        Prefetched::Can { can, file: Ok(file) } => {
            let date = Arc::from(can.day.to_string());
            let (key, bodies) = (Arc::from(&*can.key), Arc::from(&*can.body_key));
            let in_archive = InArchive { key, bodies, day: can.day, date, size: can.size };
            let source = Source {
                name: can.key.clone(),
                cc: can.cc,
                testname: can.testname,
                can: Some(in_archive),
                ..Source::default()
            };
            let report = CanReport::of_path(Path::new(&can.key));
            let origin = Origin::Kept(file.to_path_buf(), Box::new(file));
            Some(InputFile { source: Arc::new(source), origin, format: Some(can.format), report, trouble: None })
        }
    })
}
